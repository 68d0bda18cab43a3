"""Logs of steps in the database and over HTTP: of each attempt that told its own."""

from datetime import UTC, datetime

from backend.db.tables import RunRow, StepLogRow
from tests.backend.building import add_step, create_pilot, launch
from tests.backend.conftest import Api
from tests.backend.coordinator.stage import Stage, finished, spec
from worker.messages.reports import LogLine, StepFailed, StepLog

AT = datetime(2026, 1, 1, tzinfo=UTC)


def log(*texts: str) -> StepLog:
    return StepLog(first=tuple(LogLine(at=AT, level="info", text=text) for text in texts), left_out=3)


def test_every_attempt_keeps_what_it_logged_once(stage: Stage) -> None:
    stage.launch(spec())
    stage.turn()
    first = stage.waiting()[0]
    about = stage.begin(stage.take(first))
    failed = StepFailed(code="worker_lost", params={}, retryable=True, seconds=1, log=log("one"), **about)
    stage.post.report(failed)
    stage.post.report(failed)
    stage.turn()
    stage.turn(after_s=3)
    (again,) = [message for message in stage.waiting() if message.step_id == first.step_id]
    about = stage.begin(stage.take(again))
    end = finished(again, about).model_copy(update={"log": log("two")})
    stage.post.report(end)
    stage.post.report(end)
    other = stage.waiting()[0]
    stage.finish(other, stage.begin(stage.take(other)))  # of a worker that tells nothing
    stage.turn()
    with stage.database.read() as session:
        kept = {(row.step_id, row.attempt): row.body["first"][0]["text"] for row in session.query(StepLogRow)}
    assert kept == {(first.step_id, 1): "one", (first.step_id, 2): "two"}


def test_a_viewer_reads_the_log_of_an_attempt(api: Api) -> None:
    runs = launch(api.manager, create_pilot(api.manager))
    with api.database.write() as session:
        run = session.get_one(RunRow, runs[0]["id"])
        step = add_step(session, run, "train", 1, 0, "running", attempt=2)
        session.add(StepLogRow(step_id=step.id, attempt=1, body=log("one").model_dump(mode="json")))
        step_id = step.id
    path = f"/api/v1/runs/{runs[0]['id']}/steps/{step_id}/log"
    found = api.viewer.get(path).json()
    assert (found["attempt"], found["attempts"], found["logged"], found["is_known"]) == (1, 2, [1], True)
    assert [line["text"] for line in found["first"]] == ["one"]
    assert found["left_out"] == 3
    running = api.viewer.get(path, params={"attempt": 2}).json()
    assert (running["is_known"], running["first"], running["state"]) == (False, [], "running")
    assert api.anonymous.get(path).status_code == 401
    elsewhere = api.viewer.get(f"/api/v1/runs/{runs[1]['id']}/steps/{step_id}/log")
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (404, "not_found")
