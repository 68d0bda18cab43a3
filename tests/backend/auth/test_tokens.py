"""Tokens of the API: shown once, no more rights than their maker, revoked for good."""

from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from backend.auth import service as auth
from backend.auth.schemas import TokenCreate
from backend.db.tables import TokenRow, utc_now
from backend.errors import SignInNeeded
from tests.backend.conftest import ORIGIN, Api


def test_secret_is_shown_only_at_creation_and_works(api: Api) -> None:
    made = api.admin.post("/api/v1/tokens", json={"name": "ci", "role": "viewer"})
    assert made.status_code == 201
    secret = made.json()["secret"]
    assert len(secret) == len("awase_") + 43
    assert api.caller(Authorization=f"Bearer {secret}").get("/api/v1/sites").status_code == 200
    listed = api.admin.get("/api/v1/tokens").text
    assert secret not in listed
    assert made.json()["id"] in listed


def test_token_cannot_have_more_rights_than_its_maker(api: Api) -> None:
    refused = api.manager.post("/api/v1/tokens", json={"name": "more", "role": "admin"})
    assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (
        403,
        "role_too_high",
        "role",
    )


def test_revoked_token_is_refused_at_once(api: Api) -> None:
    made = api.admin.post("/api/v1/tokens", json={"name": "ci", "role": "viewer"}).json()
    assert api.admin.delete(f"/api/v1/tokens/{made['id']}").status_code == 204
    answer = api.caller(Authorization=f"Bearer {made['secret']}").get("/api/v1/sites")
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")
    assert api.admin.delete(f"/api/v1/tokens/{made['id']}").status_code == 404


def test_sessions_that_a_token_began_end_with_it(api: Api) -> None:
    made = api.admin.post("/api/v1/tokens", json={"name": "mine", "role": "admin"}).json()
    browser = api.caller(Origin=ORIGIN)
    assert browser.post("/api/v1/session", json={"token": made["secret"]}).status_code == 200
    assert browser.get("/api/v1/users").status_code == 200
    assert api.admin.delete(f"/api/v1/tokens/{made['id']}").status_code == 204
    assert (browser.get("/api/v1/users").status_code, api.admin.get("/api/v1/users").status_code) == (
        401,
        200,
    )


def test_expired_token_is_refused(api: Api) -> None:
    with api.database.write() as session:
        session.execute(update(TokenRow).values(expires_at=utc_now() - timedelta(seconds=1)))
    assert api.viewer.get("/api/v1/sites").json()["code"] == "token_expired"


def test_token_that_expires_in_the_past_is_not_made(api: Api) -> None:
    body = {"name": "late", "role": "viewer", "expires_at": "2001-01-01T00:00:00Z"}
    answer = api.admin.post("/api/v1/tokens", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, "expires_at")


def test_creation_and_revocation_are_in_the_audit(api: Api) -> None:
    made = api.admin.post("/api/v1/tokens", json={"name": "ci", "role": "viewer"}).json()
    api.admin.delete(f"/api/v1/tokens/{made['id']}")
    newest = api.admin.get("/api/v1/audit?limit=2").json()["items"]
    assert [entry["action"] for entry in newest] == ["token_revoked", "token_created"]
    assert made["secret"] not in api.admin.get("/api/v1/audit").text


def _lasting(api: Api, **more: str) -> dict[str, str]:
    """A new token of the administrator and the time at which it expires."""
    end = (utc_now() + timedelta(hours=1)).isoformat()
    made = api.admin.post(
        "/api/v1/tokens", json={"name": "short", "role": "admin", "expires_at": end, **more}
    )
    assert made.status_code == 201
    return {"end": end, **made.json()}


@pytest.mark.parametrize("later", [{}, {"expires_at": "2999-01-01T00:00:00Z"}])
def test_token_cannot_make_one_that_outlives_it(api: Api, later: dict[str, str]) -> None:
    short = _lasting(api)
    caller = api.caller(Authorization=f"Bearer {short['secret']}")
    refused = caller.post("/api/v1/tokens", json={"name": "longer", "role": "viewer", **later})
    assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (
        403,
        "token_outlives_maker",
        "expires_at",
    )
    as_long = {"name": "as long", "role": "admin", "expires_at": short["end"]}
    assert caller.post("/api/v1/tokens", json=as_long).status_code == 201


def test_token_that_expires_starts_no_session_that_would_outlive_it(api: Api) -> None:
    refused = api.anonymous.post("/api/v1/session", json={"token": _lasting(api)["secret"]})
    assert (refused.status_code, refused.json()["code"]) == (403, "token_with_end_not_for_sign_in")


def test_token_that_expires_makes_no_sign_in_link_that_would_outlive_it(api: Api) -> None:
    caller = api.caller(Authorization=f"Bearer {_lasting(api)['secret']}")
    user = api.admin.get("/api/v1/users").json()["items"][0]
    for answer in (
        caller.post("/api/v1/users", json={"name": "somebody", "role": "viewer"}),
        caller.post(f"/api/v1/users/{user['id']}/sign-in-link"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "token_with_end_makes_no_links")
    assert api.admin.get("/api/v1/users").json()["total"] == 1


def test_token_makes_none_with_more_rights_than_itself_although_its_user_has_them(api: Api) -> None:
    refused = api.viewer.post("/api/v1/tokens", json={"name": "more", "role": "manager"})
    assert (refused.status_code, refused.json()["code"]) == (403, "role_too_high")


def test_token_without_the_right_to_all_sees_and_revokes_only_itself(api: Api) -> None:
    # All three tokens belong to the administrator.
    by_name = {token["name"]: token["id"] for token in api.admin.get("/api/v1/tokens").json()["items"]}
    assert set(by_name) == {"viewer", "manager", "admin"}
    assert [token["name"] for token in api.viewer.get("/api/v1/tokens").json()["items"]] == ["viewer"]
    assert api.viewer.delete(f"/api/v1/tokens/{by_name['admin']}").status_code == 404
    assert api.admin.get("/api/v1/sites").status_code == 200
    assert api.viewer.delete(f"/api/v1/tokens/{by_name['viewer']}").status_code == 204
    assert api.viewer.get("/api/v1/sites").status_code == 401
    assert api.admin.delete(f"/api/v1/tokens/{by_name['manager']}").status_code == 204


def _made(caller: TestClient, name: str, role: str = "viewer") -> dict[str, Any]:
    answer = caller.post("/api/v1/tokens", json={"name": name, "role": role})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_token_sees_and_revokes_what_was_made_with_it_and_nothing_else(api: Api) -> None:
    child = _made(api.viewer, "child")
    grandchild = _made(api.caller(Authorization=f"Bearer {child['secret']}"), "grandchild")
    other = _made(api.manager, "other")
    listed = api.viewer.get("/api/v1/tokens").json()
    assert [token["name"] for token in listed["items"]] == ["grandchild", "child", "viewer"]
    assert listed["total"] == 3
    assert (grandchild["made_with"], child["made_with"]) == (child["id"], listed["items"][2]["id"])
    assert api.viewer.delete(f"/api/v1/tokens/{other['id']}").status_code == 404
    assert api.viewer.delete(f"/api/v1/tokens/{grandchild['id']}").status_code == 204
    assert api.caller(Authorization=f"Bearer {grandchild['secret']}").get("/api/v1/sites").status_code == 401
    assert api.caller(Authorization=f"Bearer {child['secret']}").get("/api/v1/sites").status_code == 200
    # A child does not see the one that made it.
    seen = api.caller(Authorization=f"Bearer {child['secret']}").get("/api/v1/tokens").json()["items"]
    assert [token["name"] for token in seen] == ["child"]


def test_what_was_made_with_a_token_goes_with_it(api: Api) -> None:
    top = _made(api.admin, "top", "admin")
    child = _made(api.caller(Authorization=f"Bearer {top['secret']}"), "child", "admin")
    browser = api.caller(Origin=ORIGIN)
    me = browser.post("/api/v1/session", json={"token": child["secret"]}).json()
    by_browser = browser.post(
        "/api/v1/tokens",
        json={"name": "by browser", "role": "viewer"},
        headers={"X-CSRF-Token": me["csrf_token"]},
    ).json()
    beside = _made(api.admin, "beside")
    assert api.admin.delete(f"/api/v1/tokens/{top['id']}").status_code == 204
    for gone in (top, child, by_browser):
        answer = api.caller(Authorization=f"Bearer {gone['secret']}").get("/api/v1/sites")
        assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid"), gone["name"]
    assert browser.get("/api/v1/sites").status_code == 401
    assert api.caller(Authorization=f"Bearer {beside['secret']}").get("/api/v1/sites").status_code == 200
    newest = api.admin.get("/api/v1/audit?limit=3").json()["items"]
    assert {(entry["action"], entry["params"]["name"]) for entry in newest} == {
        ("token_revoked", "top"), ("token_revoked", "child"), ("token_revoked", "by browser"),
    }  # fmt: skip


def test_sign_in_links_that_a_token_made_go_with_it_until_they_are_used(api: Api) -> None:
    top = _made(api.admin, "top", "admin")
    caller = api.caller(Authorization=f"Bearer {top['secret']}")
    used, unused = (
        caller.post("/api/v1/users", json={"name": name, "role": "viewer"})
        .json()["sign_in_link"]
        .partition("#")[2]
        for name in ("Mina", "Ken")
    )
    # To its own user a token makes a link as it could begin a session: it is worth as much as the token.
    owner = next(user for user in api.admin.get("/api/v1/users").json()["items"] if user["name"] == "admin")
    own = caller.post(f"/api/v1/users/{owner['id']}/sign-in-link").json()["sign_in_link"].partition("#")[2]
    mina, self_made = api.caller(), api.caller()
    assert mina.post("/api/v1/session", json={"link_secret": used}).status_code == 200
    assert self_made.post("/api/v1/session", json={"link_secret": own}).status_code == 200
    assert api.admin.delete(f"/api/v1/tokens/{top['id']}").status_code == 204
    refused = api.caller().post("/api/v1/session", json={"link_secret": unused})
    assert (refused.status_code, refused.json()["code"]) == (401, "link_invalid")
    assert self_made.get("/api/v1/sites").status_code == 401
    assert mina.get("/api/v1/sites").status_code == 200


def test_token_revoked_since_it_was_looked_at_makes_nothing(api: Api) -> None:
    """As when somebody revokes it between the look at the asker and the writing."""
    made = _made(api.admin, "top", "admin")
    with api.database.read() as session:
        who = auth.by_token(session, made["secret"])
    assert api.admin.delete(f"/api/v1/tokens/{made['id']}").status_code == 204
    body = TokenCreate.model_validate({"name": "late", "role": "viewer"})
    with pytest.raises(SignInNeeded), api.database.write() as session:
        auth.create_token(session, who, body)
    with pytest.raises(SignInNeeded), api.database.write() as session:
        auth.fresh_link(session, who, who.user_id, api.settings)


def test_browser_session_sees_and_revokes_all_tokens_of_its_user(api: Api) -> None:
    made = api.admin.post("/api/v1/users", json={"name": "Mina", "role": "viewer"}).json()
    browser = api.caller()
    secret = made["sign_in_link"].partition("#")[2]
    me = browser.post("/api/v1/session", json={"link_secret": secret}).json()
    headers = {"X-CSRF-Token": me["csrf_token"]}
    for name in ("one", "two"):
        body = {"name": name, "role": "viewer"}
        assert browser.post("/api/v1/tokens", json=body, headers=headers).status_code == 201
    items = browser.get("/api/v1/tokens").json()["items"]
    assert [token["name"] for token in items] == ["two", "one"]
    assert browser.delete(f"/api/v1/tokens/{items[0]['id']}", headers=headers).status_code == 204


@pytest.mark.parametrize("end", ["9999-12-31T23:59:59-23:00", "9999-12-31T23:59:59Z"])
def test_a_time_that_universal_time_does_not_have_is_no_time_of_expiry(api: Api, end: str) -> None:
    answer = api.admin.post("/api/v1/tokens", json={"name": "late", "role": "viewer", "expires_at": end})
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (
        422,
        "less_than",
        "expires_at",
    )
