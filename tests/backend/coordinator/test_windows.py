"""Sites that take work at certain times only: sent within the window, finished after it, waited for without being late."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from backend.db.tables import SiteRow
from dimat.spec import PilotSpec
from tests.backend.coordinator.stage import BEGAN, SITES, Stage, spec
from tests.backend.coordinator.test_silence import lead

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
    assert (run.state, (run.reason or {})["code"]) == ("failed", "stopped_for_silent_site")


def test_a_site_that_is_away_outside_of_its_window_ends_no_run(stage: Stage) -> None:
    give_window(stage)
    stage.let_pass(6.5 * HOUR_S)
    stage.launch(pilot(silent={"policy": "stop", "limit_s": HOUR_S}))
    for hour in (8, 12, 19.9):
        to_hour(stage, hour, "a", "b")
    assert stage.run("p/dimat").state == "running"
    to_hour(stage, 20.2)
    assert stage.run("p/dimat").state == "completed"
