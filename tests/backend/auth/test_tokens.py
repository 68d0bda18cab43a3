"""Tokens of the API: shown once, no more rights than their maker, revoked for good."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from backend.db.tables import TokenRow, utc_now
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
