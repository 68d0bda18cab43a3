"""Rounds that begin at the times of a timetable: opened for all runs at once, late once, and by whoever coordinates."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from backend.coordinator.rounds_due import may_open
from backend.db.tables import AmendmentRow, PilotRow, RoundTimerRow
from backend.pilots import service as pilots
from backend.runs import asks, steps
from backend.runs import service as runs
from backend.text.catalogue import say
from backend.web import ListQuery
from dimat.spec import PilotSpec
from tests.backend.coordinator.stage import BEGAN, SITES, Stage, spec

HOUR_S = 3600.0
HOURLY = {"cron": "0 * * * *", "time_zone": "Asia/Tokyo"}


def pilot(rounds: int = 3, arms: tuple[str, ...] = ("dimat",), **changes: Any) -> PilotSpec:
    given = spec(rounds=rounds, arms=arms).model_dump(mode="json")
    return PilotSpec.model_validate({**given, "timetable": HOURLY, **changes})


def timers(stage: Stage) -> list[tuple[int, datetime, datetime | None]]:
    with stage.database.read() as session:
        rows = session.scalars(select(RoundTimerRow).order_by(RoundTimerRow.round))
        return [(row.round, row.due_at, row.opened_at) for row in rows]


def hour(number: int) -> datetime:
    return BEGAN + timedelta(hours=number)


def to_hour(stage: Stage, number: int, *online: str) -> None:
    """The clock shows this hour; nobody coordinated meanwhile, and only the sites `online` are heard of (none named: all)."""
    stage.let_pass((hour(number) - stage.now()).total_seconds())
    stage.beat("w", *(online or SITES))
    stage.turn(0)


def rounds_done(stage: Stage, *arms: str) -> list[int]:
    return [stage.run(f"p/{arm}").rounds_done for arm in arms or ("dimat",)]


def test_a_round_begins_at_its_time_and_not_before(stage: Stage) -> None:
    stage.launch(pilot())
    stage.work_until_quiet()
    assert rounds_done(stage) == [0]  # sites prepare at once
    stage.let_pass((hour(1) - stage.now()).total_seconds() - 2)
    stage.turn(1)
    assert not stage.waiting()
    stage.turn(1)
    stage.work_until_quiet()
    assert rounds_done(stage) == [1]
    assert timers(stage) == [(1, hour(1), hour(1)), (2, hour(2), None)]
    to_hour(stage, 2)
    stage.work_until_quiet()
    to_hour(stage, 3)
    stage.work_until_quiet()
    assert stage.run("p/dimat").state == "completed"
    assert [opened for _, _, opened in timers(stage)] == [hour(1), hour(2), hour(3)]


def test_times_at_which_nobody_coordinated_are_caught_up_once(stage: Stage) -> None:
    stage.launch(pilot(rounds=9))
    stage.work_until_quiet()
    stage.let_pass(5.5 * HOUR_S)
    stage.restart()
    stage.beat("w", *SITES)
    stage.work_until_quiet()
    assert rounds_done(stage) == [1]
    assert timers(stage)[-1] == (2, hour(6), None)


def test_a_time_that_comes_while_a_round_is_under_way_is_caught_up_once_it_is_done(stage: Stage) -> None:
    stage.launch(pilot(rounds=9))
    stage.work_until_quiet()
    to_hour(stage, 1)
    to_hour(stage, 4)  # nobody has done anything of round 1
    assert {step.round for step in stage.steps("p/dimat")} == {0, 1}
    assert timers(stage)[-1] == (2, hour(2), None)
    stage.work_until_quiet()
    assert rounds_done(stage) == [2]
    assert timers(stage)[-1] == (3, hour(5), None)


def test_a_round_is_opened_for_all_runs_when_the_last_has_done_the_one_before(stage: Stage) -> None:
    stage.launch(pilot(arms=("local_only", "dimat")))
    stage.work_until_quiet()
    to_hour(stage, 1)
    for message in stage.waiting():  # local_only goes through, dimat does not begin
        if message.run_id == "p/local_only":
            stage.finish(message, stage.begin(stage.take(message)))
    stage.turn()
    assert rounds_done(stage, "local_only", "dimat") == [1, 0]
    to_hour(stage, 2)
    assert max(step.round for step in stage.steps("p/local_only")) == 1
    stage.work_until_quiet()
    assert rounds_done(stage, "local_only", "dimat") == [2, 2]


def test_a_paused_run_holds_up_no_other_and_catches_up_with_what_was_opened(stage: Stage) -> None:
    stage.launch(pilot(arms=("local_only", "dimat")))
    stage.work_until_quiet()
    stage.ask("p/dimat", asks.PAUSE)
    stage.turn()
    for number in (1, 2):
        to_hour(stage, number)
        stage.work_until_quiet()
    assert rounds_done(stage, "local_only", "dimat") == [2, 0]
    stage.ask("p/dimat", asks.RESUME)
    stage.work_until_quiet()
    assert rounds_done(stage, "local_only", "dimat") == [2, 2]


def test_while_all_are_paused_no_round_is_opened_and_one_is_after_that(stage: Stage) -> None:
    stage.launch(pilot(rounds=9))
    stage.work_until_quiet()
    stage.ask("p/dimat", asks.PAUSE)
    stage.turn()
    to_hour(stage, 5)
    assert timers(stage) == [(1, hour(1), None)]
    stage.ask("p/dimat", asks.RESUME)
    stage.work_until_quiet()
    assert rounds_done(stage) == [1]


def test_a_run_that_waits_for_its_time_does_not_wait_for_a_silent_site(stage: Stage) -> None:
    stage.launch(pilot(silent={"policy": "stop", "limit_s": 60}))
    stage.work_until_quiet()
    for _ in range(50):  # nothing is heard of any site
        stage.turn(60)
    assert stage.run("p/dimat").state == "running"
    with stage.database.read() as session:
        assert session.get_one(RoundTimerRow, ("p", 1)).opened_at is None


def test_a_timer_that_a_clock_set_which_was_ahead_is_set_anew(stage: Stage) -> None:
    stage.launch(pilot())
    stage.work_until_quiet()
    with stage.database.write() as session:
        timer = session.get_one(RoundTimerRow, ("p", 1))
        timer.set_at, timer.due_at = hour(9_000), hour(9_001)
    stage.restart()
    stage.turn()
    assert timers(stage) == [(1, hour(1), None)]


def test_run_pilot_and_steps_say_what_they_wait_for_and_when_that_is(stage: Stage) -> None:
    stage.launch(pilot(timetable={"cron": "0 2 * * 1", "time_zone": "Asia/Tokyo"}, rounds=50_000))
    stage.work_until_quiet()
    with stage.database.write() as session:
        # The server's clock, by which it is read, is another than the stage's.
        timer = session.get_one(RoundTimerRow, ("p", 1))
        timer.due_at = monday = datetime(2999, 1, 6, 17, 0, tzinfo=UTC)
    with stage.database.read() as session:
        run, study = runs.get(session, "p/dimat"), pilots.get(session, "p")
        step = steps.list_steps(session, "p/dimat", ListQuery(cursor=None, limit=50), 1).items[0]
    assert (run.next_round, run.next_round_at) == (study.next_round, study.next_round_at) == (1, monday)
    said = "Round 1 of 50000 begins on 2999-01-07 02:00 (Asia/Tokyo)."
    assert say("en", f"progress.{run.progress.code}", run.progress.params) == said
    assert (step.state, step.waits_for, step.waits_until) == ("waiting", [], monday)
    said = "Waiting for the time of round 1: 2999-01-07 02:00 (Asia/Tokyo)."
    assert say("en", f"steps.{step.words.code}", step.words.params) == said
    for ask in (asks.PAUSE, asks.CANCEL):
        stage.ask("p/dimat", ask)
        stage.work_until_quiet()
        with stage.database.read() as session:
            assert runs.get(session, "p/dimat").next_round_at is None
            assert pilots.get(session, "p").next_round_at is None


def test_an_amendment_asked_for_while_all_wait_begins_with_the_next_round_unless_that_was_sent_for(
    stage: Stage,
) -> None:
    stage.launch(pilot(rounds=4))
    stage.work_until_quiet()
    stage.amend({"train": {"epochs": 3}})
    stage.work_until_quiet()
    sent, begun = {}, {}
    for number in (1, 2, 3, 4):
        to_hour(stage, number)
        for message in stage.waiting():
            stage.finish(message, stage.begin(stage.take(message)))
        for _ in range(20):
            stage.turn()
            for message in stage.waiting():
                if message.kind == "train":
                    begun[message.round] = message.train.epochs
                    sent[message.round] = message.wire.numbers
                stage.finish(message, stage.begin(stage.take(message)))
        if number == 2:
            stage.amend({"merge": {"wire": {"numbers": "float16"}}})
    assert stage.run("p/dimat").state == "completed"
    assert begun == {1: 3, 2: 3, 3: 3, 4: 3}
    # What round 2 had made for the merge of round 3 stays as it is.
    with stage.database.read() as session:
        rows = session.scalars(select(AmendmentRow).order_by(AmendmentRow.id))
        assert [row.from_round for row in rows] == [1, 4]
    assert sent == {1: "float32", 2: "float32", 3: "float16", 4: "float32"}


def test_what_ends_with_a_timetable_is_what_ends_without(stage: Stage) -> None:
    stage.launch(pilot())
    for number in range(5):
        to_hour(stage, number)
        stage.work_until_quiet()
    without = pilot(name="q", timetable=None)
    stage.launch(without)
    stage.work_until_quiet()
    made = [
        {(step.round, step.kind, step.site_index): step.artifact_sha256 for step in stage.steps(run)}
        for run in ("p/dimat", "q/dimat")
    ]
    assert made[0] == made[1]


@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.sampled_from(["running", "queued", "paused"]), st.integers(-1, 5))),
)
def test_a_round_may_open_when_all_who_are_at_work_have_done_the_one_before(
    round: int, runs: list[tuple[str, int]]
) -> None:
    at_work = [done for state, done in runs if state != "paused"]
    assert may_open(round, runs) == (at_work != [] and all(done >= round - 1 for done in at_work))


def test_a_timer_that_cannot_be_read_ends_the_runs_that_wait_for_it(stage: Stage) -> None:
    """A time zone, say, that the machine does not know to which Awase was moved."""
    stage.launch(pilot())
    stage.work_until_quiet()
    with stage.database.write() as session:
        row = session.get_one(PilotRow, "p")
        row.spec = {**row.spec, "timetable": {**HOURLY, "time_zone": "Mars/Phobos"}}
    stage.restart()
    to_hour(stage, 1)
    run = stage.run("p/dimat")
    assert run.reason is not None
    assert (run.state, run.reason["code"]) == ("failed", "unexpected_error")
