"""Tokens of the API: shown once, no more rights than their maker, revoked for good."""

from datetime import timedelta

from sqlalchemy import update

from backend.db.tables import TokenRow, utc_now
from tests.backend.conftest import Api


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
