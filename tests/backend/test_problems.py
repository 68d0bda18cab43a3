"""Errors are problem+json in the reader's language, and never tell of the inside."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import event, text

from backend import problems
from backend.auth import service as auth
from backend.db.migrate import migrate
from backend.db.session import Database
from backend.db.tables import RunRow
from backend.main import create_app
from backend.pilots.schemas import EXAMPLE as PILOT_EXAMPLE
from backend.security import MAX_BODY_BYTES
from backend.settings import Settings
from backend.text.findings import MOST_FINDINGS
from tests.backend.building import create_pilot, create_sites, launch
from tests.backend.conftest import ORIGIN, Api

MEMBERS = {"type", "title", "status", "code", "params", "field", "remedy", "errors"}


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nothing", 404, "no_such_page"),
        ("POST", "/api/v1/nothing", 404, "no_such_page"),
        ("DELETE", "/api", 404, "no_such_page"),
        ("DELETE", "/api/v1/sites", 405, "method_not_allowed"),
        ("GET", "/api/v1/sites/0190a000-0000-7000-8000-000000000000", 404, "not_found"),
        ("GET", "/api/v1/sites/%00", 422, "string_pattern_mismatch"),
        ("GET", "/api/v1/sites?limit=201", 422, "less_than_equal"),
        ("GET", "/api/v1/runs?sort=nonsense", 422, "literal_error"),
        ("GET", "/api/v1/runs?stat=failed", 422, "unknown_parameter"),
        ("GET", "/api/v1/events?runs=nope", 422, "unknown_parameter"),
        ("GET", "/api/v1/sites?q=%00", 422, "string_pattern_mismatch"),
        ("GET", "/api/v1/events?run=nope", 404, "not_found"),
        ("GET", "/api/v1/events?pilot=nope", 404, "not_found"),
    ],
)
def test_every_refusal_is_a_problem(api: Api, method: str, path: str, status: int, code: str) -> None:
    answer = api.viewer.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) == MEMBERS


def test_problem_speaks_the_reader_s_language(api: Api) -> None:
    create_sites(api.manager, 1)
    body = {"name": "site-01", "data": {"kind": "sample", "dataset": "pendigits"}}
    japanese = api.manager.post("/api/v1/sites", json=body, headers={"Accept-Language": "ja"}).json()
    assert japanese["title"] == "拠点の名前「site-01」はすでに使われています。"
    assert japanese["params"] == {"thing": "site", "name": "site-01"}
    english = api.manager.post("/api/v1/sites?lang=en", json=body, headers={"Accept-Language": "ja"}).json()
    assert english["title"] == "There is already a site named 'site-01'."


def test_codes_within_a_problem_are_said_in_the_reader_s_language(api: Api) -> None:
    window = {"from": "22:00", "to": "6:00", "time_zone": "Asia/Tokyo"}
    body = {"name": "site-01", "data": {"kind": "sample", "dataset": "pendigits"}, "window": window}
    english = api.manager.post("/api/v1/sites", json=body).json()
    assert (english["title"], english["field"]) == ("'6:00' is no time of the day.", "window.to")
    assert english["remedy"].endswith("such as 06:00.")
    run = launch(api.manager, create_pilot(api.manager))[0]
    with api.database.write() as session:
        session.get_one(RunRow, run["id"]).state = "cancelled"
    path = f"/api/v1/runs/{run['id']}/resume"
    said = api.manager.post(path).json()
    assert (said["title"], said["params"]) == (
        "The run has already ended (cancelled).",
        {"state": "cancelled"},
    )
    assert "launch the copy" in said["remedy"]
    assert api.manager.post(f"{path}?lang=ja").json()["title"] == "この実行はすでに終了しています（中止）。"
    relaunch = f"/api/v1/pilots/{run['pilot_id']}/launch?lang=ja"
    said = api.manager.post(relaunch, headers={"Idempotency-Key": "another"}).json()
    assert said["title"].endswith("すでに開始されています（現在の状態：開始済み）。")


def test_a_misspelt_filter_is_refused_with_the_names_that_there_are(api: Api) -> None:
    """It would let everything through."""
    refused = api.viewer.get("/api/v1/sites?stat=online&limit=5").json()
    assert refused["title"] == "There is no query parameter 'stat' here."
    assert {"cursor", "limit", "q"} <= set(refused["params"]["known"].split(", "))
    assert api.viewer.get("/api/v1/sites?limit=5&lang=ja").status_code == 200
    assert (
        api.viewer.get("/api/v1/sites?stat=online&lang=ja")
        .json()["title"]
        .startswith("クエリパラメーター「stat」")
    )
    assert (
        api.anonymous.get("/api/v1/health?at=1").status_code == 200
    )  # it takes none: nothing can be misspelt


def test_body_that_is_no_json_is_refused(api: Api) -> None:
    answer = api.manager.post("/api/v1/sites", content="{", headers={"Content-Type": "application/json"})
    said = answer.json()
    assert (answer.status_code, said["code"], said["field"]) == (422, "json_invalid", None)


@pytest.mark.parametrize(
    "body", ['{"token": "\\ud800"}', '{"\\udfff": "x"}', '{"token": {"\\ud800": "\\ud800"}}', '"\\ud800"']
)
def test_half_of_a_surrogate_pair_is_answered_as_any_bad_value(api: Api, body: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = api.anonymous.post("/api/v1/session", content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["title"]
    named = api.manager.post("/api/v1/pilots", content='{"title": "a\\ud800"}', headers=headers)
    assert named.status_code == 422


def test_body_that_is_too_large_is_not_read_to_its_end(api: Api) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 2**20 + 2):
            yield b" " * 2**20

    answer = api.manager.post("/api/v1/sites", content=parts(), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_an_answer_is_not_many_times_what_was_sent(api: Api) -> None:
    many = {f"unknown-{number}": number for number in range(5000)}
    signing_in = api.caller(Origin=ORIGIN).post("/api/v1/session", json={"token": "x", **many})
    assert (signing_in.status_code, signing_in.json()["code"]) == (413, "body_too_large")
    answer = api.manager.post("/api/v1/sites", json={"name": "a", **many})
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == MOST_FINDINGS
    assert len(answer.content) < len(answer.request.content)


def test_unforeseen_error_is_logged_and_answered_without_the_inside(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()
    problems.install(app)

    @app.get("/broken")
    def broken() -> None:
        raise ValueError("secret inside")

    with caplog.at_level(logging.ERROR):
        answer = TestClient(app, raise_server_exceptions=False).get("/broken")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text
    assert "secret inside" in caplog.text


def test_a_database_that_others_keep_busy_is_no_error_of_the_server(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'busy.sqlite'}"
    migrate(url)
    app = create_app(Settings(database_url_given=url, data_dir=tmp_path, public_url=ORIGIN))
    event.listen(app.state.database.engine, "connect", lambda one, _: one.execute("PRAGMA busy_timeout=1"))
    with app.state.database.write() as session:
        token = auth.token_for_command_line(session, "t", "manager")
    headers = {"Authorization": f"Bearer {token}"}
    with TestClient(app, base_url=ORIGIN, headers=headers, raise_server_exceptions=False) as caller:
        body = {"name": "a", "data": {"kind": "sample", "dataset": "pendigits"}}
        other = Database(url)
        with other.write() as writing:
            writing.execute(text("SELECT 1"))
            refused = caller.post("/api/v1/sites", json=body)
            read = caller.get("/api/v1/sites")  # although the use of the token cannot be noted now
        other.close()
        assert (refused.status_code, refused.json()["code"]) == (503, "database_busy")
        assert refused.headers["retry-after"] == "5"
        assert (read.status_code, read.json()["total"]) == (200, 0)
        assert caller.post("/api/v1/sites", json=body).status_code == 201


def test_a_bad_value_is_named_where_it_stands_in_the_body(api: Api) -> None:
    """pydantic counts the kind of a union among the places; nobody wrote it there."""
    create_sites(api.manager, 2)
    body = PILOT_EXAMPLE | {
        "spec": PILOT_EXAMPLE["spec"] | {
            "model": {"kind": "mlp", "hidden": [0]},
            "data": {"partition": {"kind": "dirichlet", "alpha": -1}},
        }
    }  # fmt: skip
    said = api.manager.post("/api/v1/pilots", json=body).json()
    assert {one["field"] for one in said["errors"]} == {"spec.model.hidden.0", "spec.data.partition.alpha"}
    assert (
        "-1 is too small"
        in {one["field"]: one["title"] for one in said["errors"]}["spec.data.partition.alpha"]
    )


@pytest.mark.parametrize(
    ("spec", "code", "words"),
    [
        ({"sites": 5}, "list_needed", "not 5"),
        ({"topology": [1]}, "object_needed", "not […]"),
        ({"rounds": "x"}, "int_type", 'not "x"'),
        ({"rounds": None}, "int_type", "not null"),
    ],
)
def test_a_value_of_a_wrong_kind_is_told_in_our_own_words(
    api: Api, spec: dict[str, Any], code: str, words: str
) -> None:
    said = api.manager.post("/api/v1/pilots", json={"spec": PILOT_EXAMPLE["spec"] | spec}).json()
    found = next(one for one in said["errors"] if one["code"] == code)
    assert words in found["title"]
    assert "valid" not in found["title"]
