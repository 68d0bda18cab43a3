"""Two writers at once: the second waits for the first, and then decides by what the first left.

The first is a transaction that is still open when the second asks over HTTP; on PostgreSQL it is seen to
wait before the first commits, on SQLite it cannot even begin.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from backend.auth import service as auth
from backend.auth.principal import Principal
from backend.auth.schemas import UserCreate
from backend.db.session import Database
from backend.pilots import service as pilots
from backend.pilots.schemas import PilotCreate, PilotPatch
from backend.runs import launch as launches
from backend.sites import service as sites
from backend.sites.schemas import SiteCreate, SitePatch
from backend.topologies import service as topologies
from backend.topologies.schemas import TopologyCreate, TopologyPatch
from tests.backend.building import PENDIGITS, create_pilot, create_sites, launch, spec
from tests.backend.conftest import Api

Write = Callable[[Session, Principal], object]
Ask = Callable[[], httpx.Response]
READ = 'W/"1"'
RING = {"kind": "ring"}
_PATIENCE_S = 30.0


def _meanwhile(api: Api, first: Write, second: Ask) -> httpx.Response:
    """The answer to `second`, asked while `first` is written but not committed."""
    with ThreadPoolExecutor(1) as pool:
        with api.database.write() as session:
            first(session, auth.command_line(session))
            session.flush()
            answer = pool.submit(second)
            _wait_until_it_waits(api.database, answer)
        return answer.result()


def _wait_until_it_waits(database: Database, answer: Future[httpx.Response]) -> None:
    if database.is_sqlite:
        return  # whether it has begun to wait or not: it comes second
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    until = time.monotonic() + _PATIENCE_S
    while not answer.done():
        with database.read() as session:
            if session.scalar(waiting):
                return
        assert time.monotonic() < until, "the second writer neither answers nor waits"
        time.sleep(0.01)


def _patch(api: Api, path: str, **body: Any) -> Ask:
    return lambda: api.manager.patch(f"/api/v1/{path}", json=body, headers={"If-Match": READ})


def _post(api: Api, path: str, **body: Any) -> Ask:
    return lambda: api.admin.post(f"/api/v1/{path}", json=body)


def _create_topology(api: Api, names: list[str], name: str) -> str:
    body = {"name": name, "site_names": names, "spec": RING}
    answer = api.manager.post("/api/v1/topologies", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_pilot_is_not_launched_with_a_site_that_is_revoked_at_that_moment(api: Api) -> None:
    pilot = create_pilot(api.manager)
    site = api.manager.get("/api/v1/sites").json()["items"][0]
    answer = _meanwhile(
        api,
        lambda session, who: sites.update(session, who, site["id"], SitePatch(state="revoked"), None),
        lambda: api.manager.post(f"/api/v1/pilots/{pilot['id']}/launch", headers={"Idempotency-Key": "k"}),
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "site_revoked")


def test_spec_cannot_change_while_its_pilot_is_launched(api: Api) -> None:
    pilot = create_pilot(api.manager)
    answer = _meanwhile(
        api,
        lambda session, who: launches.launch(session, who, pilot["id"], "k"),
        lambda: api.manager.patch(
            f"/api/v1/pilots/{pilot['id']}", json={"spec": {**pilot["spec"], "rounds": 9}}
        ),
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "pilot_launched")
    after = api.viewer.get(f"/api/v1/pilots/{pilot['id']}").json()
    assert (after["state"], after["spec"]["rounds"], after["spec_sha256"]) == (
        "launched", 2, pilot["spec_sha256"],
    )  # fmt: skip


def test_launch_takes_the_spec_that_was_changed_meanwhile(api: Api) -> None:
    pilot = create_pilot(api.manager)
    changed = PilotPatch.model_validate({"spec": {**pilot["spec"], "rounds": 9}})
    answer = _meanwhile(
        api,
        lambda session, who: pilots.update(session, who, pilot["id"], changed, READ),
        lambda: api.manager.post(f"/api/v1/pilots/{pilot['id']}/launch", headers={"Idempotency-Key": "k"}),
    )
    assert (answer.status_code, answer.json()["spec"]["rounds"], answer.json()["revision"]) == (201, 9, 3)
    runs = api.viewer.get(f"/api/v1/pilots/{pilot['id']}/runs").json()["items"]
    assert [run["rounds"] for run in runs] == [9, 9]


def test_launch_with_the_same_key_meanwhile_gives_the_same_launch(api: Api) -> None:
    pilot = create_pilot(api.manager)
    answer = _meanwhile(
        api,
        lambda session, who: launches.launch(session, who, pilot["id"], "k"),
        lambda: api.manager.post(f"/api/v1/pilots/{pilot['id']}/launch", headers={"Idempotency-Key": "k"}),
    )
    assert (answer.status_code, answer.json()["state"]) == (200, "launched")
    assert api.viewer.get("/api/v1/runs").json()["total"] == 2


@pytest.mark.parametrize("thing", ["pilot", "site", "topology"])
def test_of_two_changes_of_one_revision_the_second_is_stale(api: Api, thing: str) -> None:
    names = create_sites(api.manager)
    pilot = create_pilot(api.manager, names)["id"]
    site = api.viewer.get("/api/v1/sites").json()["items"][0]["id"]
    ring = _create_topology(api, names, "ring")
    path, field = {
        "pilot": (f"pilots/{pilot}", "title"),
        "site": (f"sites/{site}", "display_name"),
        "topology": (f"topologies/{ring}", "name"),
    }[thing]

    def first(session: Session, who: Principal) -> None:
        match thing:
            case "pilot":
                pilots.update(session, who, pilot, PilotPatch(title="first"), READ)
            case "site":
                sites.update(session, who, site, SitePatch(display_name="first"), READ)
            case _:
                topologies.update(session, who, ring, TopologyPatch(name="first"), READ)

    answer = _meanwhile(api, first, _patch(api, path, **{field: "second"}))
    assert (answer.status_code, answer.json()["code"]) == (412, "stale_revision")
    after = api.viewer.get(f"/api/v1/{path}").json()
    assert (after["revision"], after[field]) == (2, "first")


@pytest.mark.parametrize("path", ["pilots", "sites", "topologies"])
def test_of_many_changes_at_once_one_succeeds(api: Api, path: str) -> None:
    names = create_sites(api.manager)
    create_pilot(api.manager, names)
    _create_topology(api, names, "ring")
    id = api.viewer.get(f"/api/v1/{path}").json()["items"][0]["id"]
    field = {"pilots": "title", "sites": "display_name", "topologies": "name"}[path]
    asks = [_patch(api, f"{path}/{id}", **{field: f"by-{number}"}) for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(answer.status_code for answer in pool.map(lambda ask: ask(), asks))
    assert statuses == [200, 412, 412, 412, 412, 412]


def test_runs_are_written_while_their_pilot_is_being_changed(api: Api) -> None:
    pilot = create_pilot(api.manager)
    launch(api.manager, pilot)
    with api.database.write() as session:
        pilots.locked_row(session, pilot["id"])
        if not api.database.is_sqlite:
            with api.database.write() as coordinator:
                coordinator.execute(text("SET LOCAL lock_timeout = '10s'"))
                statement = "SELECT id FROM pilots WHERE id = :id FOR KEY SHARE"  # as a foreign key asks
                assert coordinator.scalar(text(statement), {"id": pilot["id"]}) == pilot["id"]


@pytest.mark.parametrize(
    "thing", ["pilot", "clone", "renamed pilot", "site", "topology", "renamed topology", "user"]
)
def test_name_taken_meanwhile_is_a_conflict_with_its_field(api: Api, thing: str) -> None:
    names = create_sites(api.manager)
    body = spec(names, name="wanted")
    ring = {"name": "wanted", "site_names": names, "spec": RING}
    site = {"name": "wanted", "data": PENDIGITS}

    def first(session: Session, who: Principal) -> None:
        match thing:
            case "pilot" | "clone" | "renamed pilot":
                pilots.create(session, who, PilotCreate.model_validate({"spec": body}))
            case "site":
                sites.create(session, who, SiteCreate.model_validate(site))
            case "user":
                auth.create_user(session, who, UserCreate(name="wanted", role="viewer"), api.settings)
            case _:
                topologies.create(session, who, TopologyCreate.model_validate(ring))

    match thing:
        case "pilot":
            second = _post(api, "pilots", spec=body)
        case "clone":
            second = _post(api, f"pilots/{create_pilot(api.manager, names)['id']}/clone", name="wanted")
        case "renamed pilot":
            second = _patch(api, f"pilots/{create_pilot(api.manager, names)['id']}", spec=body)
        case "site":
            second = _post(api, "sites", **site)
        case "topology":
            second = _post(api, "topologies", **ring)
        case "renamed topology":
            second = _patch(api, f"topologies/{_create_topology(api, names, 'other')}", name="wanted")
        case _:
            second = _post(api, "users", name="wanted", role="viewer")
    answer = _meanwhile(api, first, second)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "name_taken")
    assert (problem["params"]["thing"], problem["params"]["name"]) == (
        {"clone": "pilot"}.get(thing, thing.removeprefix("renamed ")), "wanted",
    )  # fmt: skip
    assert problem["field"] == ("spec.name" if thing in ("pilot", "renamed pilot") else "name")
