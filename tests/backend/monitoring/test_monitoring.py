"""What Prometheus reads: true numbers, in its format, for whoever may see runs, and never more series than there are states."""

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from backend.db.tables import HeartbeatRow, RunRow, utc_now
from backend.runs.broker import RedisBroker
from tests.backend.building import add_step, create_pilot, create_sites, launch, measure
from tests.backend.conftest import Api
from worker.messages.keys import REPORTS_LIST, site_queue

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
Series = dict[tuple[str, tuple[str, ...]], float]


def told(client: TestClient) -> Series:
    """(name, label values) -> number."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(answer.text)
    return {(s.name, tuple(s.labels.values())): s.value for family in families for s in family.samples}


def test_rows_are_counted_by_state_kind_and_result(api: Api) -> None:
    first, second = launch(api.manager, create_pilot(api.manager))
    with api.database.write() as session:
        run = session.get_one(RunRow, first["id"])
        measure(session, run, 2)  # three sites, two rounds
        add_step(session, run, "merge", 3, 0, "running", attempt=3)
        add_step(session, run, "merge", 3, 1, "failed")
        session.add(HeartbeatRow(part="coordinator", at=utc_now(), params={}))
        session.add(HeartbeatRow(part="worker:w1", at=utc_now(), params={"placement": "local"}))
    found = told(api.viewer)
    assert (found["awase_runs", ("running",)], found["awase_runs", ("queued",)]) == (1, 1)
    assert found["awase_runs", ("failed",)] == 0
    assert found["awase_sites", ("invited",)] == 3
    assert found["awase_steps", ("merge", "running")] == 1
    assert found["awase_steps_ended_total", ("merge", "completed")] == 6
    assert found["awase_steps_ended_total", ("merge", "failed")] == 1
    assert found["awase_attempts_lost_total", ()] == 2
    assert found["awase_exchanged_bytes_total", ("accepted",)] == 6000
    assert [
        found["awase_exchanged_bytes_total", (result,)] for result in ("rejected", "wasted", "failed")
    ] == [0] * 3
    assert found["awase_workers", ("local",)] == 1
    assert 0 <= found["awase_heartbeat_age_seconds", ("coordinator",)] < 60
    assert found["awase_broker_up", ()] == 0
    assert second["state"] == "queued"


@on_sqlite
def test_what_a_restarted_run_took_over_counts_once(api: Api) -> None:
    first, second = launch(api.manager, create_pilot(api.manager))
    with api.database.write() as session:
        measure(session, session.get_one(RunRow, first["id"]), 2)
        run = session.get_one(RunRow, second["id"])
        run.parent_run_id, run.from_round = first["id"], 1
        add_step(session, run, "train", 1, 0, "completed")  # of the six of its parent
        add_step(session, run, "train", 2, 0, "completed")
    assert told(api.viewer)["awase_steps_ended_total", ("train", "completed")] == 6 + 1


def test_the_lengths_of_queues_come_from_the_broker(api: Api, broker_url: str) -> None:
    api.app.state.broker = broker = RedisBroker(broker_url)
    names = create_sites(api.manager)
    for queue in (REPORTS_LIST, site_queue(names[0]), site_queue(names[0]), site_queue(names[2])):
        broker._redis.lpush(queue, "{}")
    found = told(api.viewer)
    assert found["awase_broker_up", ()] == 1
    assert (found["awase_queue_length", ("steps",)], found["awase_queue_length", ("reports",)]) == (3, 1)
    broker.close()


@on_sqlite
def test_requests_are_counted_by_route_and_never_by_what_is_asked_for(api: Api) -> None:
    for thing in ("a", "b"):
        assert api.viewer.get(f"/api/v1/runs/{thing}").status_code == 404
        api.viewer.get(f"/api/v1/no/{thing}")
        api.viewer.request(f"MAKE{thing}", "/api/v1/health")
    found = told(api.viewer)
    assert found["awase_http_requests_total", ("GET", "/runs/{run_id}", "404")] == 2
    assert found["awase_http_requests_total", ("GET", "other", "404")] == 2
    assert found["awase_http_answer_seconds_count", ("GET", "/runs/{run_id}")] == 2
    assert {labels[0] for name, labels in found if name == "awase_http_requests_total"} <= {"GET", "other"}


@on_sqlite
def test_an_answer_that_broke_is_counted_as_such(api: Api) -> None:
    broker, api.app.state.broker = api.app.state.broker, None
    assert api.anonymous.get("/api/v1/health").status_code == 500
    api.app.state.broker = broker
    assert told(api.viewer)["awase_http_requests_total", ("GET", "/health", "500")] == 1


@on_sqlite
def test_more_sites_pilots_and_workers_make_no_more_series(api: Api) -> None:
    def grow(number: int) -> None:
        with api.database.write() as session:
            session.add(HeartbeatRow(part=f"worker:w{number}", at=utc_now(), params={"placement": "site"}))

    names = create_sites(api.manager, 3)
    launch(api.manager, create_pilot(api.manager, names))
    grow(1)
    before = {series for series in told(api.viewer) if "http" not in series[0]}
    launch(api.manager, create_pilot(api.manager, names, name="another"), "k2")
    grow(2)
    after = {series for series in told(api.viewer) if "http" not in series[0]}
    assert after == before
    assert not any(
        name in label for _, labels in after for label in labels for name in (*names, "another", "w1")
    )


@on_sqlite
def test_only_who_may_see_runs_sees_the_numbers(api: Api) -> None:
    assert api.anonymous.get("/metrics").status_code == 401
