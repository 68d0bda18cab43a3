"""What the coordinator makes of time and silence: leases, lost messages, workers and sites that are away, clocks."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select, update

from backend.coordinator import presence
from backend.coordinator.memory import Plans
from backend.coordinator.turn import BATCH, POLL_S
from backend.db.tables import EventRow, HeartbeatRow, SiteRow, StepRow
from backend.events import hub
from backend.runs import asks
from backend.settings import Settings
from dimat.spec import PilotSpec
from tests.backend.coordinator.stage import SITES, Stage, spec
from worker.messages.reports import StepBeat
from worker.settings import WorkerSettings

ROOT = Path(__file__).parents[3]
ARMS = ("local_only", "dimat", "common_basis", "regmean")


def test_a_step_whose_lease_is_over_gets_its_next_attempt(stage: Stage) -> None:
    stage.launch(spec())
    stage.turn()
    message, *_ = stage.waiting()
    lost = stage.begin(stage.take(message))
    stage.pass_time(39)
    assert stage.step(message).state == "running"
    stage.pass_time(4)
    assert (stage.step(message).state, stage.step(message).attempt) == ("dispatched", 2)
    stage.finish(message, lost)
    stage.turn()
    assert stage.step(message).attempt == 2
    stage.work_until_quiet()
    assert stage.run("p/dimat").state == "completed"


def test_a_step_that_is_lost_every_time_fails_its_run_with_the_cause(stage: Stage) -> None:
    stage.launch(spec())
    stage.turn()
    first, *_ = stage.waiting()
    for _ in range(3):
        (message,) = [m for m in stage.waiting() if m.step_id == first.step_id]
        stage.begin(stage.take(message))
        stage.pass_time(46)
    run = stage.run("p/dimat")
    assert run.state == "failed"
    assert run.reason is not None
    assert run.reason["code"] == "attempts_used_up_at_start"
    assert (run.reason["params"]["attempts"], run.reason["params"]["cause"]) == (3, "lease_over")
    assert {step.state for step in stage.steps()} == {"failed", "cancelled"}


def test_a_message_that_got_lost_is_sent_again(stage: Stage) -> None:
    stage.launch(spec())
    stage.turn()
    stage.post.queues.clear()
    for _ in range(19):
        stage.beat("w", *SITES)
        stage.turn()
    # A worker that has just started may have taken them, and its processes are not up yet.
    assert {step.attempt for step in stage.steps()} == {1}
    for _ in range(4):
        stage.beat("w", *SITES)
        stage.turn()
    assert sorted((m.context.index, m.attempt) for m in stage.waiting()) == [(0, 2), (1, 2), (2, 2)]
    stage.work_until_quiet()
    assert stage.run("p/dimat").state == "completed"


def test_a_message_that_waits_in_its_queue_is_not_sent_twice(stage: Stage) -> None:
    stage.launch(spec())
    for _ in range(30):
        stage.beat("w", *SITES)
        stage.turn()
    assert [message.attempt for message in stage.waiting()] == [1, 1, 1]


def test_a_message_to_a_site_that_is_away_stays_with_its_attempt(stage: Stage) -> None:
    stage.pass_time(20)
    stage.launch(spec())
    stage.turn()
    stage.post.queues.clear()
    stage.pass_time(60)
    assert {(step.state, step.attempt) for step in stage.steps()} == {("dispatched", 1)}


def test_the_steps_of_a_lost_worker_are_lost_at_once(stage: Stage) -> None:
    stage.launch(spec())
    stage.turn()
    theirs, others, _ = stage.waiting()
    stage.begin(stage.take(theirs), "dead")
    stage.begin(stage.take(others), "alive")
    stage.lose_worker("dead")
    stage.turn()
    assert (stage.step(theirs).state, stage.step(theirs).attempt) == ("ready", 2)
    assert (stage.step(others).state, stage.step(others).attempt) == ("running", 1)


def test_a_worker_long_gone_is_forgotten_and_one_that_beats_is_not(stage: Stage) -> None:
    stage.beat("gone", *SITES)
    stage.turn()
    for _ in range(62):
        stage.beat("alive", *SITES)
        stage.turn(after_s=10)
    with stage.database.read() as session:
        parts = set(session.scalars(select(HeartbeatRow.part)))
    assert parts == {"coordinator", "worker:alive"}


def test_a_new_coordinator_waits_for_no_time_that_a_clock_ahead_has_written(stage: Stage) -> None:
    stage.launch(spec())
    stage.turn()
    first, *others = stage.waiting()
    stage.begin(stage.take(first), "w")
    stage.turn()
    ahead = stage.now() + timedelta(hours=1)
    with stage.database.write() as session:
        session.execute(update(StepRow).where(StepRow.id == first.step_id).values(heartbeat_at=ahead))
        session.execute(
            update(StepRow).where(StepRow.id == others[0].step_id).values(state="ready", next_try_at=ahead)
        )
    stage.restart()
    stage.pass_time(50)
    assert stage.step(first).attempt == 2  # its lease ran out
    assert stage.step(others[0]).state in ("dispatched", "ready")
    stage.work_until_quiet()
    assert stage.run("p/dimat").state == "completed"


def many_reports(stage: Stage) -> None:
    """As many as one turn takes, before whatever is reported next."""
    for _ in range(BATCH):
        stage.post.bring(b"{}")


def test_no_lease_runs_out_while_signs_of_life_wait_unread(stage: Stage) -> None:
    stage.launch(spec())
    stage.turn()
    message, *_ = stage.waiting()
    about = stage.begin(stage.take(message))
    stage.turn()
    many_reports(stage)
    stage.beat("w", *SITES)
    stage.post.report(StepBeat(progress=0.5, **about))
    stage.turn(after_s=60)  # the coordinator was held up: its database was locked, say
    assert (stage.step(message).state, stage.step(message).attempt) == ("running", 1)
    with stage.database.read() as session:
        assert set(session.scalars(select(SiteRow.state))) == {"online"}
    stage.turn()
    assert stage.step(message).progress == 0.5


def test_whoever_is_silent_is_noticed_however_seldom_all_is_read(stage: Stage) -> None:
    """Always when it is time to look more reports wait than a turn takes."""
    stage.launch(spec())
    stage.turn()
    message, *_ = stage.waiting()
    stage.begin(stage.take(message))
    stage.turn()
    for _ in range(50):
        many_reports(stage)
        stage.turn()
        stage.turn(after_s=0.1)
    assert stage.step(message).attempt == 2


def test_no_message_is_sent_again_while_the_report_that_it_has_begun_may_wait_unread(stage: Stage) -> None:
    stage.launch(spec())
    stage.turn()
    message, *_ = stage.waiting()
    many_reports(stage)
    stage.begin(stage.take(message))
    stage.turn(after_s=20)
    assert (stage.step(message).state, stage.step(message).attempt) == ("dispatched", 1)
    stage.turn()
    assert (stage.step(message).state, stage.step(message).attempt) == ("running", 1)


def test_silence_before_it_began_to_listen_is_nobody_s_fault(stage: Stage) -> None:
    """The coordinator was away for longer than any lease; whoever worked on shows up in the time it takes."""
    stage.launch(spec())
    stage.turn()
    message, *_ = stage.waiting()
    about = stage.begin(stage.take(message))
    stage.beat("w", *SITES)
    stage.turn()
    stage.let_pass(300)
    stage.restart()
    stage.turn()
    assert (stage.step(message).state, stage.step(message).attempt) == ("running", 1)
    with stage.database.read() as session:
        assert set(session.scalars(select(SiteRow.state))) == {"online"}
    stage.post.report(StepBeat(progress=0.9, **about))
    stage.turn()
    assert stage.step(message).progress == 0.9
    stage.pass_time(60)  # now it is
    assert stage.step(message).attempt == 2


def test_a_silent_site_is_told_to_the_runs_that_are_at_work_with_it_and_so_is_its_return(
    stage: Stage,
) -> None:
    stage.launch(spec("p"))
    paused = spec("q", arms=("dimat",))
    stage.launch(paused)
    for _ in range(15):
        stage.beat("w", *SITES)
        stage.turn()
    stage.ask("q/dimat", asks.PAUSE)
    seconds = 0
    while stage.events("p/dimat")["run_site_silent"] == 0:
        stage.beat("w", "a", "b")
        stage.turn()
        seconds += 1
    assert seconds <= Settings().silent_after_s + POLL_S
    stage.beat("w", *SITES)
    stage.turn()
    assert stage.events("p/dimat")["run_site_silent"] == 1
    assert stage.events("p/dimat")["run_site_online"] == 1
    assert stage.events("q/dimat")["run_site_silent"] == 0


def test_of_many_sites_that_go_or_come_at_once_a_run_is_told_in_one_event(stage: Stage) -> None:
    """A network that fails takes all of them: no event for each site of each run, nor a statement for each event."""
    num_sites, num_runs = 300, 10
    names = [f"s{number:03}" for number in range(num_sites)]
    with stage.database.write() as session:
        for name in names:
            data = {"kind": "sample", "dataset": "pendigits"}
            session.add(SiteRow(name=name, data=data, state="silent", last_seen_at=stage.now()))
    given = spec().model_dump(mode="json")
    given["sites"] = [{**given["sites"][0], "name": name} for name in names]
    given["data"]["rows_per_site"] = 10
    for number in range(num_runs):
        stage.launch(PilotSpec.model_validate({**given, "name": f"p{number}"}))
    stage.turn()
    inserts: list[bool] = []

    def count(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("INSERT INTO events"):
            inserts.append(True)

    event.listen(stage.database.engine, "after_cursor_execute", count)
    for change in ("silent", "online"):
        inserts.clear()
        with stage.database.write() as session:
            presence.tell(session, Plans(), change, [(name, name) for name in names])
        with stage.database.read() as session:
            told = session.scalars(select(EventRow).where(EventRow.code.endswith(f"_{change}"))).all()
        of_runs = {row.run_id: (row.code, row.params) for row in told if row.run_id is not None}
        assert len(told) == num_sites + num_runs
        assert len(of_runs) == num_runs
        assert of_runs["p0/dimat"] == (
            f"run_sites_{change}",
            {"sites": num_sites, "names": "s000, s001, s002, …", "arm": "dimat"},
        )
        assert len(inserts) <= 2


def test_a_run_is_told_of_those_alone_who_take_part_in_it(stage: Stage) -> None:
    stage.launch(spec(rounds=9))
    stage.beat("w", *SITES)
    stage.turn()
    stage.amend({"members": ["a", "b"]}, round=3)
    while stage.run("p/dimat").rounds_done < 2:
        stage.turn()
        stage.beat("w", *SITES)
        for message in stage.waiting():
            stage.finish(message, stage.begin(stage.take(message)))
    for _ in range(20):
        stage.turn()
        stage.beat("w", "a")
    assert stage.events("p/dimat")["run_sites_silent"] == 0
    assert stage.events("p/dimat")["run_site_silent"] == 1


def test_by_default_a_silent_site_is_on_the_page_within_fifteen_seconds_of_its_last_sign_of_life() -> None:
    """What is added up is waited at most, one after the other: until the coordinator calls it silent, its timers are looked at, the event
    is read from the database, and the page fetches again. The rest is for the answers themselves."""
    live = (ROOT / "frontend" / "src" / "live" / "useLive.ts").read_text()
    page_s = int(re.findall(r"GAP_MS = (\d+)", live)[0]) / 1000
    assert Settings().silent_after_s + POLL_S + hub.POLL_S + page_s <= 14.5
    # A worker that lives is not called silent for one sign of life that is late.
    assert 2 * WorkerSettings.model_fields["worker_beat_s"].default < Settings().silent_after_s


def test_the_coordinator_looks_at_its_timers_every_second_however_reports_come(stage: Stage) -> None:
    asked: list[float] = []
    take = stage.post.take

    def watched(limit: int, wait_s: float) -> list[bytes]:
        asked.append(wait_s)
        return take(limit, wait_s)

    stage.post.take = watched  # type: ignore[method-assign]
    stage.turn()  # a poll
    stage.let_pass(0.75)
    stage.coordinator.turn(wait_s=POLL_S)
    assert asked[-1] == 0.25


@pytest.mark.parametrize("by_s", [60 * 86_400.0, 3600.0, -3600.0], ids=["months", "an-hour", "back"])
@pytest.mark.parametrize("policy", ["wait", "stop", "skip"])
def test_a_clock_that_is_set_while_all_are_there_ends_no_run_and_loses_no_attempt(
    stage: Stage, policy: str, by_s: float
) -> None:
    stage.launch(spec(silent={"policy": policy, "limit_s": 30.0}))
    stage.beat("w", *SITES)
    stage.turn()
    begun = [stage.begin(stage.take(message)) for message in stage.waiting()]
    assert len(begun) == len(SITES)
    stage.turn()
    stage.set_clock(by_s)
    for _ in range(60):
        stage.turn()  # first the turn, in which nothing was heard yet
        stage.beat("w", *SITES)
        for about in begun:
            stage.post.report(StepBeat(progress=0.5, **about))
    assert stage.run("p/dimat").state == "running"
    assert {(step.state, step.attempt) for step in stage.steps() if step.state != "completed"} == {
        ("running", 1)
    }
    assert "run_site_silent" not in stage.events("p/dimat")


def test_a_site_that_falls_silent_after_the_clock_was_put_back_is_noticed(stage: Stage) -> None:
    stage.launch(spec(silent={"policy": "stop", "limit_s": 30.0}))
    stage.beat("w", *SITES)
    stage.turn()
    stage.set_clock(-7200)
    for _ in range(90):
        stage.turn()
    assert stage.run("p/dimat").reason["code"] == "stopped_for_silent_site_at_start"


def test_a_message_that_got_lost_is_noticed_though_others_always_wait_at_its_site(stage: Stage) -> None:
    alone = [{"name": f"alone-{number}", "method": "local_only"} for number in range(3)]
    given = spec(rounds=40).model_dump(mode="json")
    stage.launch(PilotSpec.model_validate({**given, "arms": [*alone, {"name": "dimat", "method": "dimat"}]}))
    while not [m for m in stage.post.queues.get("c", ()) if m.run_id == "p/dimat" and m.kind == "train"]:
        stage.beat("w", *SITES)
        stage.turn()
        for message in [m for m in stage.waiting() if m.run_id != "p/dimat" or m.kind != "train"]:
            stage.finish(message, stage.begin(stage.take(message)))
    lost = stage.take(next(m for m in stage.post.queues["c"] if m.run_id == "p/dimat"))
    for _ in range(90):
        stage.beat("w", *SITES)
        stage.turn()
        for site, queue in stage.post.queues.items():
            for message in queue[:-1] if site == "c" else list(queue):
                stage.finish(message, stage.begin(stage.take(message)))
        assert stage.post.queues["c"]
        if stage.step(lost).attempt > 1:
            return
    raise AssertionError("nobody noticed")


def test_a_clock_that_was_put_back_holds_no_retry_back(stage: Stage) -> None:
    stage.launch(spec())
    stage.turn()
    message, *_ = stage.waiting()
    stage.fail(stage.begin(stage.take(message)), "unexpected_error", retryable=True)
    stage.turn(0.1)
    stage.set_clock(-590)
    stage.pass_time(65)
    assert stage.step(message).state == "dispatched"


def test_a_coordinator_that_stood_still_hears_what_was_said_meanwhile_before_it_judges(stage: Stage) -> None:
    stage.launch(spec(silent={"policy": "stop", "limit_s": 30.0}))
    stage.beat("w", *SITES)
    stage.turn()
    begun = [stage.begin(stage.take(message)) for message in stage.waiting()]
    stage.turn()
    stage.turn(after_s=3600)  # stopped by the system, say; what was said comes a moment later
    for _ in range(50):
        stage.beat("w", *SITES)
        for about in begun:
            stage.post.report(StepBeat(progress=0.5, **about))
        stage.turn()
    assert {(step.state, step.attempt) for step in stage.steps()} == {("running", 1)}
