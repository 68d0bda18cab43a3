"""Restarting a run over HTTP: who may, once for each key, and only from what is there."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from backend.db.tables import RunRow
from tests.backend.building import create_pilot, launch, measure
from tests.backend.conftest import Api


@pytest.fixture
def ended(api: Api) -> dict[str, Any]:
    """The run of the arm `matched`, cancelled after round 1, with its models in the store."""
    runs = launch(api.manager, create_pilot(api.manager))
    with api.database.write() as session:
        row = session.get_one(RunRow, runs[1]["id"])
        measure(session, row, rounds_done=1)
        row.state, row.reason = "cancelled", {"code": "cancelled", "params": {"who": "m", "at": "t"}}
    for site in range(3):
        name = f"1{site}" * 32
        path = api.settings.data_dir / "artifacts" / name[:2] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    body: dict[str, Any] = api.viewer.get(f"/api/v1/runs/{runs[1]['id']}").json()
    return body


def test_a_restart_queues_one_run_for_each_key_and_marks_the_old_one(api: Api, ended: dict[str, Any]) -> None:
    path = f"/api/v1/runs/{ended['id']}/restart"
    body, key = {"from_round": 1, "why": "the sensor is mended"}, {"Idempotency-Key": "k"}
    assert api.manager.post(path, json=body).status_code == 400
    assert api.viewer.post(path, json=body, headers=key).status_code == 403
    first, again = (api.manager.post(path, json=body, headers=key) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    made = first.json()
    assert again.json()["id"] == made["id"] != ended["id"]
    assert (made["state"], made["arm"], made["seed"]) == ("queued", "matched", ended["seed"])
    assert (made["parent_run_id"], made["from_round"], made["replaced_by"]) == (ended["id"], 1, None)
    assert made["reason"]["params"]["why"] == "the sensor is mended"
    assert made["restarted"]["code"] == made["reason"]["code"]
    moments = [datetime.fromisoformat(made[told]["params"].pop("at")) for told in ("restarted", "reason")]
    assert abs(moments[0] - moments[1]) < timedelta(seconds=10)  # the audit's and the run's own
    assert made["restarted"]["params"] == made["reason"]["params"]
    with api.database.write() as session:
        session.get_one(RunRow, made["id"]).reason = None  # it has started
    later = api.viewer.get(f"/api/v1/runs/{made['id']}").json()
    assert (later["restarted"]["code"], ended["restarted"]) == (made["restarted"]["code"], None)
    old = api.viewer.get(f"/api/v1/runs/{ended['id']}").json()
    assert (old["replaced_by"], old["state"], old["rounds_done"]) == (made["id"], "cancelled", 1)
    entry = api.admin.get("/api/v1/audit?limit=1").json()["items"][0]
    assert (entry["action"], entry["params"]["round"]) == ("run_restarted", 1)


def test_results_and_counts_of_a_pilot_take_the_run_that_counts(api: Api, ended: dict[str, Any]) -> None:
    path = f"/api/v1/runs/{ended['id']}/restart"
    made = api.manager.post(path, json={"from_round": 1}, headers={"Idempotency-Key": "k"}).json()
    pilot = f"/api/v1/pilots/{ended['pilot_id']}"
    result = api.viewer.get(f"{pilot}/result").json()
    assert [(run["arm"], run["state"]) for run in result["runs"]] == [
        ("alone", "queued"),
        ("matched", "queued"),
    ]
    found = api.viewer.get(pilot).json()
    assert (found["num_runs"], found["runs_summary"]["cancelled"], found["runs_summary"]["queued"]) == (
        2,
        0,
        2,
    )
    assert len(api.viewer.get(f"{pilot}/runs").json()["items"]) == 3
    for id in (ended["id"], made["id"]):
        for end in ("", "/roi", "/result", "/figures/roi", "/figures/accuracy"):
            assert api.viewer.get(f"/api/v1/runs/{id}{end}").status_code == 200, end


def test_a_run_that_was_restarted_names_the_one_that_counts_also_where_the_next_one_does_not(
    api: Api, ended: dict[str, Any]
) -> None:
    path = f"/api/v1/runs/{ended['id']}/restart"
    ids = [ended["id"]]
    for key in ("k", "l"):
        made = api.manager.post(path, json={"from_round": 1}, headers={"Idempotency-Key": key}).json()
        ids.append(made["id"])
        with api.database.write() as session:
            session.get_one(RunRow, made["id"]).state = "cancelled"
    found = [api.viewer.get(f"/api/v1/runs/{id}").json() for id in ids]
    assert [run["replaced_by"] for run in found] == [ids[1], ids[2], None]
    assert [run["counts_instead"] for run in found] == [ids[2], ids[2], None]
    listed = api.viewer.get(f"/api/v1/pilots/{ended['pilot_id']}/runs").json()["items"]
    assert {run["id"]: run["counts_instead"] for run in listed}.items() >= {(ids[0], ids[2]), (ids[2], None)}


@pytest.mark.parametrize(
    ("round", "status", "code"), [(0, 409, "restart_models_missing"), (2, 422, "restart_round")]
)
def test_a_round_whose_models_are_gone_or_never_were_is_refused(
    api: Api, ended: dict[str, Any], round: int, status: int, code: str
) -> None:
    path, key = f"/api/v1/runs/{ended['id']}/restart", {"Idempotency-Key": "k"}
    answer = api.manager.post(path, json={"from_round": round}, headers=key)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "{" not in answer.json()["title"]
    assert api.viewer.get(f"/api/v1/runs/{ended['id']}").json()["replaced_by"] is None
