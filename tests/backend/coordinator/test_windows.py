"""Sites that take work at certain times only: sent within the window, finished after it, waited for without being late."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from backend.db.tables import SiteRow
from backend.runs import asks
from backend.runs.attempts import MISSING_ATTEMPTS
from dimat.spec import PilotSpec
from tests.backend.coordinator.stage import BEGAN, SITES, Stage, spec
from tests.backend.coordinator.test_silence import lead
from worker.messages.keys import recall_key
from worker.messages.steps import StepMessage

NIGHT = {
    "from": "20:00",
    "to": "06:00",
    "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
    "time_zone": "UTC",
}
HOUR_S = 3600.0


def pilot(**changes: Any) -> PilotSpec:
    return PilotSpec.model_validate({**spec().model_dump(mode="json"), **changes})


def give_window(stage: Stage, name: str = "c", **changes: Any) -> None:
    with stage.database.write() as session:
        session.scalars(select(SiteRow).where(SiteRow.name == name)).one().window = {**NIGHT, **changes}


def to_hour(stage: Stage, hour: float, *online: str) -> None:
    """Hours since the beginning, a midnight; the last minute turn by turn."""
    stage.let_pass((BEGAN + timedelta(hours=hour) - stage.now()).total_seconds() - 30)
    lead(stage, 30, *(online or SITES))


def test_a_site_gets_steps_only_within_its_window_and_its_neighbours_wait(stage: Stage) -> None:
    give_window(stage)
    stage.let_pass(7 * HOUR_S)
    stage.launch(pilot())
    lead(stage, 30, *SITES)
    assert {step.site_name: step.state for step in stage.steps() if step.kind == "prepare"} == {
        "a": "completed", "b": "completed", "c": "ready",
    }  # fmt: skip
    to_hour(stage, 20.1)
    assert stage.run("p/dimat").state == "completed"


def test_what_was_sent_and_has_not_begun_is_taken_back_and_what_has_begun_goes_to_its_end(
    stage: Stage,
) -> None:
    stage.let_pass(6 * HOUR_S - 10)
    give_window(stage)
    give_window(stage, "b")
    stage.launch(pilot())
    stage.beat("w", *SITES)
    stage.turn()
    stage.turn()
    sent = {message.context.site.name: message for message in stage.waiting()}
    begun = stage.begin(stage.take(sent["b"]))
    stage.turn()
    stage.turn(20)  # the windows close
    stage.finish(sent["b"], begun)
    stage.turn()
    assert (stage.step(sent["b"]).state, stage.step(sent["c"]).state) == ("completed", "ready")
    assert (stage.step(sent["c"]).reason or {})["code"] == "window_closed"
    assert stage.step(sent["c"]).strikes == 0
    stage.take(sent["c"])  # a worker that takes it is told to stop
    to_hour(stage, 20.1)
    assert stage.run("p/dimat").state == "completed"


def test_a_silent_site_is_waited_for_only_while_its_window_is_open(stage: Stage) -> None:
    stage.leap()
    give_window(stage)
    stage.launch(pilot(silent={"policy": "stop", "limit_s": 15 * HOUR_S}))
    lead(stage, 30, "a", "b")
    for hour in (3, 6.5, 12, 19.9):  # six hours of the first night
        to_hour(stage, hour, "a", "b")
    assert stage.run("p/dimat").state == "running"
    to_hour(stage, 27, "a", "b")  # seven hours of the second
    to_hour(stage, 28.5, "a", "b")
    assert stage.run("p/dimat").state == "running"
    to_hour(stage, 29.5, "a", "b")
    run = stage.run("p/dimat")
    assert (run.state, (run.reason or {})["code"]) == ("failed", "stopped_for_silent_site_at_start")


def test_a_site_that_is_away_outside_of_its_window_ends_no_run(stage: Stage) -> None:
    give_window(stage)
    stage.let_pass(6.5 * HOUR_S)
    stage.launch(pilot(silent={"policy": "stop", "limit_s": HOUR_S}))
    for hour in (8, 12, 19.9):
        to_hour(stage, hour, "a", "b")
    assert stage.run("p/dimat").state == "running"
    to_hour(stage, 20.2)
    assert stage.run("p/dimat").state == "completed"


def at_hour(stage: Stage, hour: float, *online: str) -> None:
    """As `to_hour`, in two turns, and nobody works."""
    stage.let_pass((BEGAN + timedelta(hours=hour) - stage.now()).total_seconds() - 2)
    for _ in range(2):
        stage.beat("w", *online)
        stage.turn()


def message_of(stage: Stage, site: str) -> StepMessage:
    (message,) = [message for message in stage.waiting() if message.context.site.name == site]
    return message


def test_of_a_site_that_is_away_for_many_windows_one_message_waits_and_its_step_has_all_its_tries(
    stage: Stage,
) -> None:
    stage.leap()
    give_window(stage)
    stage.launch(pilot(silent={"policy": "wait", "limit_s": None}))
    at_hour(stage, 1, *SITES)
    for day in range(MISSING_ATTEMPTS + 1):
        at_hour(stage, 24 * day + 7, "a", "b")
        at_hour(stage, 24 * day + 21, "a", "b")
    stage.take(message_of(stage, "c"))
    at_hour(stage, 24 * MISSING_ATTEMPTS + 29, *SITES)
    message = stage.take(message_of(stage, "c"))
    stage.fail(stage.begin(message), "artifact_missing", retryable=True)
    at_hour(stage, 24 * MISSING_ATTEMPTS + 29.1, *SITES)
    assert stage.step(message).attempt == message.attempt + 1


def test_who_begins_an_attempt_that_was_taken_back_long_ago_is_told_to_stop(stage: Stage) -> None:
    give_window(stage)
    stage.launch(pilot())
    at_hour(stage, 5.9, *SITES)
    message = message_of(stage, "c")
    at_hour(stage, 6.1, *SITES)
    stage.post.flags.clear()  # a day later the broker has forgotten
    stage.begin(message)
    stage.turn()
    assert stage.post.flags == {recall_key(message.step_id, message.attempt)}


def test_time_in_which_a_run_was_paused_is_no_waiting_whenever_windows_close(stage: Stage) -> None:
    stage.leap()
    give_window(stage)
    stage.launch(pilot(silent={"policy": "wait", "limit_s": 12 * HOUR_S}))
    at_hour(stage, 1, "a", "b")
    stage.ask("p/dimat", asks.PAUSE)
    at_hour(stage, 2, "a", "b")
    at_hour(stage, 24 * 5 + 4, "a", "b")
    stage.ask("p/dimat", asks.RESUME)
    for hour in (4.1, 6.1, 20.1, 29.9):  # two hours, and ten in the next night
        at_hour(stage, 24 * 5 + hour, "a", "b")
        assert stage.run("p/dimat").state == "running"
    at_hour(stage, 24 * 6 + 21, "a", "b")
    assert (stage.run("p/dimat").reason or {})["code"] == "site_silent_too_long_at_start"


def test_a_window_that_cannot_be_read_keeps_nobody_from_going_on(stage: Stage) -> None:
    give_window(stage, time_zone="Mars/Base")
    stage.launch(pilot())
    lead(stage, 30, *SITES)
    assert stage.run("p/dimat").state == "completed"
