"""Signing in, staying signed in, and what a foreign page cannot do."""

from datetime import timedelta

import pytest
from sqlalchemy import update

from backend.auth import service
from backend.db.tables import SessionRow, SignInLinkRow, TokenRow, utc_now
from tests.backend.conftest import ORIGIN, Api


def _secret(api: Api) -> str:
    with api.database.write() as session:
        return service.first_admin_link(session, api.settings).partition("#")[2]


def _sign_in(api: Api) -> tuple[object, dict[str, str]]:
    browser = api.caller()
    me = browser.post("/api/v1/session", json={"link_secret": _secret(api)}).json()
    return browser, {"X-CSRF-Token": me["csrf_token"]}


def test_first_link_signs_the_administrator_in_with_a_guarded_cookie(api: Api) -> None:
    browser = api.caller()
    answer = browser.post("/api/v1/session", json={"link_secret": _secret(api)})
    assert answer.status_code == 200
    assert answer.json()["user"]["name"] == "admin"
    assert "users.manage" in answer.json()["permissions"]
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert browser.get("/api/v1/session").json() == answer.json()


def test_link_works_only_once(api: Api) -> None:
    secret = _secret(api)
    assert api.caller().post("/api/v1/session", json={"link_secret": secret}).status_code == 200
    again = api.caller().post("/api/v1/session", json={"link_secret": secret})
    assert (again.status_code, again.json()["code"]) == (401, "link_invalid")


def test_fresh_link_makes_the_older_one_useless(api: Api) -> None:
    old, new = _secret(api), _secret(api)
    assert api.caller().post("/api/v1/session", json={"link_secret": old}).status_code == 401
    assert api.caller().post("/api/v1/session", json={"link_secret": new}).status_code == 200


def test_link_that_is_too_old_is_refused(api: Api) -> None:
    secret = _secret(api)
    with api.database.write() as session:
        session.execute(update(SignInLinkRow).values(expires_at=utc_now() - timedelta(seconds=1)))
    assert api.caller().post("/api/v1/session", json={"link_secret": secret}).status_code == 401


def test_only_hashes_of_secrets_are_kept(api: Api) -> None:
    secret = _secret(api)
    with api.database.read() as session:
        kept = [row.secret_sha256 for row in session.query(SignInLinkRow)] + [
            row.secret_sha256 for row in session.query(TokenRow)
        ]
    assert all(len(digest) == 32 and secret.encode() not in digest for digest in kept)


def test_cookie_request_that_writes_needs_the_header_token(api: Api) -> None:
    browser, csrf = _sign_in(api)
    body = {"name": "site-01", "data": {"kind": "sample", "dataset": "pendigits"}}
    refused = browser.post("/api/v1/sites", json=body)
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf_token_wrong")
    assert browser.post("/api/v1/sites", json=body, headers={"X-CSRF-Token": "guess"}).status_code == 403
    assert browser.post("/api/v1/sites", json=body, headers=csrf).status_code == 201


@pytest.mark.parametrize(
    ("origin", "status"), [(ORIGIN, 200), ("https://elsewhere.example", 403), ("null", 403)]
)
def test_origin_of_another_page_is_refused(api: Api, origin: str, status: int) -> None:
    answer = api.caller().post(
        "/api/v1/session", json={"link_secret": _secret(api)}, headers={"Origin": origin}
    )
    assert answer.status_code == status


def test_signing_out_ends_the_session(api: Api) -> None:
    browser, csrf = _sign_in(api)
    assert browser.delete("/api/v1/session", headers=csrf).status_code == 204
    assert browser.get("/api/v1/session").json() is None
    assert browser.get("/api/v1/sites").status_code == 401


def test_session_that_is_over_is_refused(api: Api) -> None:
    browser, _ = _sign_in(api)
    with api.database.write() as session:
        session.execute(update(SessionRow).values(expires_at=utc_now() - timedelta(seconds=1)))
    assert browser.get("/api/v1/session").json() is None
    assert browser.get("/api/v1/sites").json()["code"] == "session_over"


def test_token_signs_a_person_in_only_with_all_of_their_rights(api: Api) -> None:
    full = api.admin.post("/api/v1/tokens", json={"name": "mine", "role": "admin"}).json()["secret"]
    less = api.admin.post("/api/v1/tokens", json={"name": "less", "role": "viewer"}).json()["secret"]
    assert api.caller().post("/api/v1/session", json={"token": full}).status_code == 200
    used = {token["name"]: token["last_used_at"] for token in api.admin.get("/api/v1/tokens").json()["items"]}
    assert used["mine"] is not None
    refused = api.caller().post("/api/v1/session", json={"token": less})
    assert (refused.status_code, refused.json()["code"]) == (403, "token_not_for_sign_in")


def test_exactly_one_secret_is_needed(api: Api) -> None:
    for body in ({}, {"token": "a", "link_secret": "b"}):
        answer = api.anonymous.post("/api/v1/session", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "sign_in_one_secret")


def test_new_user_signs_in_with_the_link_that_the_administrator_got(api: Api) -> None:
    made = api.admin.post("/api/v1/users", json={"name": "Ann", "role": "manager"})
    assert made.status_code == 201
    assert made.json()["sign_in_link"].startswith(f"{ORIGIN}/sign-in#")
    secret = made.json()["sign_in_link"].partition("#")[2]
    assert api.caller().post("/api/v1/session", json={"link_secret": secret}).json()["roles"] == ["manager"]
    taken = api.admin.post("/api/v1/users", json={"name": "Ann", "role": "viewer"})
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
    assert {user["name"] for user in api.admin.get("/api/v1/users").json()["items"]} == {"admin", "Ann"}
