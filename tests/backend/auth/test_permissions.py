"""Every route says which permission it needs, and every role is held to it."""

from collections.abc import Iterator

import pytest
from fastapi.routing import APIRoute

from backend.auth.guard import permission_of
from backend.auth.permissions import ADMIN, ROLES
from backend.main import ROUTERS
from tests.backend.conftest import Api

OPEN = {"get_health", "get_ready", "get_session", "sign_in"}
ID = "0190a000-0000-7000-8000-000000000000"


def _routes() -> Iterator[APIRoute]:
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            yield route


def _permissions(route: APIRoute) -> list[str]:
    found: list[str] = []
    pending = list(route.dependant.dependencies)
    while pending:
        dependency = pending.pop()
        permission = permission_of(dependency.call)
        found += [permission] if permission else []
        pending += dependency.dependencies
    return found


ROUTES = list(_routes())


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_route_declares_one_known_permission_or_is_open(route: APIRoute) -> None:
    permissions = _permissions(route)
    if route.name in OPEN:
        assert permissions == []
    else:
        assert len(permissions) == 1
        assert permissions[0] in ADMIN


def test_every_permission_is_needed_by_a_route_or_checked_inside_one() -> None:
    checked_inside = {"tokens.all"}
    assert {name for route in ROUTES for name in _permissions(route)} | checked_inside == ADMIN


def test_roles_contain_each_other() -> None:
    assert ROLES["viewer"] < ROLES["manager"] < ROLES["admin"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_each_role_is_held_to_its_permissions(api: Api) -> None:
    callers = {"viewer": api.viewer, "manager": api.manager, "admin": api.admin}
    for route in ROUTES:
        if route.name in OPEN | {"stream_events"}:
            continue
        (permission,) = _permissions(route)
        path = "/api/v1" + route.path
        for part in ("site_id", "topology_id", "pilot_id", "run_id", "user_id", "token_id"):
            path = path.replace("{" + part + "}", ID)
        path = path.replace("{name}", "accuracy")
        (method,) = route.methods
        assert api.anonymous.request(method, path, json={}).status_code == 401, route.name
        for role, caller in callers.items():
            answer = caller.request(method, path, json={})
            allowed = permission in ROLES[role]
            refused = answer.status_code == 403 and answer.json()["code"] == "permission_missing"
            assert refused != allowed, (route.name, role, answer.text)
            assert answer.status_code < 500, (route.name, role, answer.text)
