"""The coordinator through whole runs: every step once in whatever order, and an end with a reason."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, event, select, text, update
from sqlalchemy.exc import DBAPIError

from backend.coordinator.lock import LockLost
from backend.coordinator.ports import PortUnavailable
from backend.coordinator.turn import SENT_AT_ONCE, STARTS
from backend.db.tables import (
    AmendmentRow,
    EventRow,
    ExchangeRow,
    MetricRow,
    PilotRow,
    RoundRow,
    RunRow,
    SiteRow,
    StepRow,
)
from backend.retention import repository as retention
from backend.runs import asks
from dimat.packed import pack
from dimat.parts import TrainSpec
from dimat.plan import Amendment, Patch
from dimat.schedule import Schedule, StepKey
from dimat.spec import PilotSpec
from tests.backend.coordinator.stage import MODEL_BYTES, SITES, Post, Stage, finished, spec
from worker.messages.keys import superfluous_key
from worker.messages.reports import ExchangeReport, MatchedReport, StepCancelled
from worker.messages.steps import MergeMessage, StepMessage, TrainMessage

ARMS = ("local_only", "dimat", "common_basis", "regmean")


def artifacts(stage: Stage, run_id: str) -> dict[tuple[int, str, int], str | None]:
    return {(s.round, s.kind, s.site_index): s.artifact_sha256 for s in stage.steps(run_id)}


def all_keys(pilot: PilotSpec, arm: str) -> list[StepKey]:
    return Schedule.of(pilot, arm).all_steps()


def assert_every_step_was_done_once(stage: Stage, pilot: PilotSpec, arm: str) -> None:
    run_id = f"{pilot.name}/{arm}"
    run, steps = stage.run(run_id), stage.steps(run_id)
    assert (run.state, run.rounds_done) == ("completed", pilot.rounds)
    assert run.reason == {"code": "completed", "params": {"rounds": pilot.rounds}}
    assert {(s.state, s.attempt) for s in steps} == {("completed", 1)}
    keys = [StepKey(s.round, s.kind, s.site_index) for s in steps]  # type: ignore[arg-type]
    assert sorted(keys) == all_keys(pilot, arm)
    events = stage.events(run_id)
    assert (events["round_finished"], events["run_completed"]) == (pilot.rounds + 1, 1)
    with stage.database.read() as session:
        metrics = session.scalars(select(MetricRow).where(MetricRow.run_id == run_id)).all()
    assert len(metrics) == sum(key.kind != "align" for key in keys)
    links = {
        "local_only": 0,
        "dimat": 4 * pilot.rounds,
        "common_basis": 2 + 4 * pilot.rounds,
        "regmean": 2 + 8 * pilot.rounds,
    }
    assert run.bytes_exchanged == links[arm] * MODEL_BYTES
    assert run.bytes_wasted == 0


def test_a_pilot_ends_completed_with_every_step_done_once(stage: Stage) -> None:
    pilot = spec(arms=ARMS)
    stage.launch(pilot)
    stage.work_until_quiet()
    for arm in ARMS:
        assert_every_step_was_done_once(stage, pilot, arm)
    prepared = [step for step in stage.steps() if step.run_id is None]
    assert [(step.kind, step.state) for step in prepared] == [("prepare", "completed")] * len(SITES)


def test_a_counter_that_runs_over_keeps_no_run_from_going_on(stage: Stage) -> None:
    """PostgreSQL refuses it. The report would come again and again, and nothing else be done for ever."""
    pilot = spec(arms=("dimat", "common_basis"))
    stage.launch(pilot)
    stage.turn()
    with stage.database.write() as session:
        full = update(RunRow).where(RunRow.arm == "dimat").values(bytes_uploaded=2**63 - 1)
        session.execute(full)
    stage.work_until_quiet()
    assert {stage.run(f"p/{arm}").state for arm in ("dimat", "common_basis")} == {"completed"}


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(random=st.randoms(use_true_random=False))
def test_in_whatever_order_steps_end_each_is_done_once_from_the_same_inputs(
    sqlite_template: Path, random: Random
) -> None:
    pilot = spec(arms=ARMS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        expected = _outcome(sqlite_template, folder / "expected", pilot, None)
        assert _outcome(sqlite_template, folder / "shuffled", pilot, random) == expected


def _outcome(template: Path, folder: Path, pilot: PilotSpec, random: Random | None) -> dict[str, Any]:
    """Artifacts of all steps; `random` picks which step a worker takes or finishes next, and when the
    coordinator dies."""
    folder.mkdir()
    shutil.copy(template, folder / "awase.sqlite")
    stage = Stage(f"sqlite:///{folder / 'awase.sqlite'}", folder)
    try:
        stage.launch(pilot)
        if random is None:
            stage.work_until_quiet()
        else:
            _work_shuffled(stage, random)
        for arm in ARMS:
            assert_every_step_was_done_once(stage, pilot, arm)
        return {arm: artifacts(stage, f"{pilot.name}/{arm}") for arm in ARMS}
    finally:
        stage.close()


def _work_shuffled(stage: Stage, random: Random) -> None:
    running: list[tuple[StepMessage, dict[str, Any]]] = []
    while True:
        if random.random() < 0.05:
            stage.restart()
        stage.turn(after_s=0.3)
        waiting = stage.waiting()
        if not waiting and not running:
            return
        for _ in range(random.randint(1, 4)):
            waiting = stage.waiting()
            if waiting and (not running or random.random() < 0.5):
                message = stage.take(random.choice(waiting))
                running.append((message, stage.begin(message)))
            elif running:
                stage.finish(*running.pop(random.randrange(len(running))))


ASKED = {"code": "cancelled", "params": {"who": "a manager", "at": "2026-01-01 00:00 UTC"}}


@pytest.mark.parametrize("rounds", [1, 2])
def test_a_round_that_all_sites_finish_while_the_run_is_cancelled_counts(stage: Stage, rounds: int) -> None:
    stage.launch(spec(rounds=rounds))
    begun: list[tuple[StepMessage, dict[str, Any]]] = []
    while len(begun) < len(SITES):
        stage.turn()
        for message in stage.waiting():
            about = stage.begin(stage.take(message))
            if message.kind == "train":
                begun.append((message, about))
            else:
                stage.finish(message, about)
    stage.turn()
    stage.ask("p/dimat", asks.CANCEL)
    for message, about in begun:
        stage.finish(message, about)
    stage.turn()
    run = stage.run("p/dimat")
    assert (run.state, run.rounds_done) == ("cancelled", 1)


def merging(stage: Stage) -> dict[str, Any]:
    """A run of which one step merges; what its execution says of itself."""
    stage.launch(spec())
    stage.beat("w", *SITES)
    stage.turn()
    for message in stage.waiting():
        stage.finish(message, stage.begin(stage.take(message)))
    stage.turn()
    about = stage.begin(stage.take(next(one for one in stage.waiting() if one.kind == "merge")))
    stage.turn()
    return about


def alive(stage: Stage, seconds: int) -> None:
    for _ in range(seconds):
        stage.beat("w", *SITES)
        stage.turn()


@pytest.mark.parametrize("asked", ["acknowledge", "cancel", "kill"])
def test_what_is_to_be_killed_is_though_the_broker_was_away_when_that_was_decided(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    begun = merging(stage)
    with stage.database.write() as session:
        session.execute(update(RunRow).values(state="cancelling", reason=ASKED))
    stage.pass_time(15)
    as_ever = getattr(stage.post, asked)

    def away(*about: object) -> None:
        if stage.run("p/dimat").state == "cancelled":
            raise PortUnavailable
        as_ever(*about)

    with monkeypatch.context() as broker:
        broker.setattr(stage.post, asked, away)
        with pytest.raises(PortUnavailable):
            alive(stage, 60)
    assert stage.run("p/dimat").state == "cancelled"
    assert not stage.post.killed
    stage.begin_anew()
    stage.turn()
    assert stage.post.killed == {("w", begun["execution_id"])}


@pytest.mark.parametrize("by_s", [-7200, 7200])
def test_how_long_a_step_has_to_stop_is_told_by_no_clock_that_is_set_during_trouble(
    stage: Stage, by_s: int
) -> None:
    begun = merging(stage)
    stage.ask("p/dimat", asks.CANCEL)
    stage.turn()
    stage.set_clock(by_s)
    stage.begin_anew()
    alive(stage, 10)
    assert (stage.run("p/dimat").state, stage.post.killed) == ("cancelling", set())
    alive(stage, 15)
    assert (stage.run("p/dimat").state, stage.post.killed) == ("cancelled", {("w", begun["execution_id"])})


def test_a_cancelled_run_ends_cancelled_though_no_worker_answers(stage: Stage) -> None:
    stage.launch(spec(arms=("local_only", "dimat")))
    stage.beat("w", *SITES, concurrency=16)
    stage.turn()
    for message in stage.waiting():
        stage.finish(message, stage.begin(stage.take(message)))
    stage.turn()
    mute = [stage.take(m) for m in stage.waiting() if m.run_id == "p/dimat" and m.kind == "merge"]
    assert mute
    begun = [(message, stage.begin(message)) for message in mute]
    with stage.database.write() as session:
        session.execute(update(RunRow).where(RunRow.id == "p/dimat").values(state="cancelling", reason=ASKED))
    stage.pass_time(5)
    assert stage.run("p/dimat").state == "cancelling"
    assert {stage.step(message).state for message in mute} == {"running"}
    assert stage.post.flags
    assert not stage.post.killed
    stage.pass_time(18)
    assert (stage.run("p/dimat").state, stage.run("p/dimat").reason) == ("cancelled", ASKED)
    assert stage.post.killed == {("w", about["execution_id"]) for _, about in begun}
    before = stage.run("p/dimat")
    for message, about in begun:  # they worked on, and their worker says that it killed them
        stage.finish(message, about)
        stage.fail(about, "worker_lost", retryable=True)
    stage.turn()
    after = stage.run("p/dimat")
    assert (after.state, after.bytes_exchanged) == ("cancelled", before.bytes_exchanged)
    assert after.bytes_wasted > before.bytes_wasted
    assert {(step.state, step.artifact_sha256) for step in map(stage.step, mute)} == {("cancelled", None)}
    assert "running" not in {step.state for step in stage.steps("p/dimat")}
    stage.work_until_quiet()
    assert stage.run("p/local_only").state == "completed"


def test_a_run_that_waits_for_a_revoked_site_ends_and_says_why(stage: Stage) -> None:
    stage.launch(spec(rounds=3))
    stage.turn()
    for _ in range(2):
        for message in stage.waiting():
            stage.finish(message, stage.begin(stage.take(message)))
        stage.turn()
    with stage.database.write() as session:
        session.execute(update(SiteRow).where(SiteRow.name == SITES[0]).values(state="revoked"))
    stage.turn(after_s=5)
    run = stage.run("p/dimat")
    assert (run.state, run.reason and run.reason["code"]) == ("failed", "site_revoked")
    assert run.reason
    assert run.reason["params"]["site"] == SITES[0]
    assert {step.state for step in stage.steps()} == {"completed", "cancelled"}


def test_a_local_worker_is_asked_to_serve_the_sites_it_does_not(stage: Stage) -> None:
    stage.beat("w", "a")
    stage.turn()
    assert sorted(stage.post.served) == [("b", "w"), ("c", "w")]


@pytest.mark.parametrize("broken", ["an arm that is not in the spec", "a spec nobody can read"])
def test_a_run_nobody_can_move_on_fails_and_the_others_complete(stage: Stage, broken: str) -> None:
    stage.launch(spec("bad"))
    stage.launch(spec("good"))
    for _ in range(2):
        stage.turn()
        for message in stage.waiting():
            stage.finish(message, stage.begin(stage.take(message)))
    stage.turn()
    with stage.database.write() as session:
        if broken.startswith("an arm"):
            session.execute(update(RunRow).where(RunRow.id == "bad/dimat").values(arm="unknown"))
        else:
            session.execute(update(PilotRow).where(PilotRow.id == "bad").values(spec={"name": "bad"}))
    stage.restart()
    stage.work_until_quiet()
    stage.pass_time(45)
    bad = stage.run("bad/dimat")
    assert bad.state == "failed"
    assert bad.reason is not None
    assert bad.reason["code"] == "unexpected_error"
    assert stage.events("bad/dimat")["run_failed"] == 1
    with stage.database.read() as session:
        told = session.scalars(select(EventRow.params).where(EventRow.code == "run_failed")).one()
    assert told == {**bad.reason["params"], "arm": bad.arm, "because": "unexpected_error"}
    assert {step.state for step in stage.steps("bad/dimat")} <= {"completed", "cancelled"}
    assert_every_step_was_done_once(stage, spec("good"), "dimat")


def test_a_queued_run_whose_spec_cannot_be_read_fails_before_its_first_step(stage: Stage) -> None:
    stage.launch(spec("bad"))
    with stage.database.write() as session:
        session.execute(update(PilotRow).values(spec={}))
    stage.turn()
    reason = stage.run("bad/dimat").reason
    assert (stage.run("bad/dimat").state, reason and reason["code"]) == ("failed", "unexpected_error")
    assert stage.steps() == []


@contextmanager
def refusing_writes(stage: Stage) -> Iterator[None]:
    """The database can be read and not written: full, or read-only."""
    engine = stage.database.engine
    if stage.database.is_sqlite:

        def refuse(connection: Any, _record: Any, _proxy: Any) -> None:
            connection.execute("PRAGMA query_only = ON")

        event.listen(engine, "checkout", refuse)
        yield
        event.remove(engine, "checkout", refuse)
        engine.dispose()
        return
    other = create_engine(engine.url, isolation_level="AUTOCOMMIT")
    with other.connect() as connection:
        change = f'ALTER DATABASE "{engine.url.database}" SET default_transaction_read_only ='
        connection.execute(text(f"{change} on"))
        engine.dispose()  # those to come obey it
        yield
        connection.execute(text(f"{change} off"))
    other.dispose()
    engine.dispose()


def test_reports_are_kept_while_the_database_refuses_to_be_written(stage: Stage) -> None:
    stage.launch(spec())
    stage.turn()
    messages = stage.waiting()
    with refusing_writes(stage):
        for message in messages:
            stage.finish(message, stage.begin(stage.take(message)))
        with pytest.raises(DBAPIError):
            stage.turn(after_s=0.3)  # between two polls, when it has nothing else to write
        for _ in range(3):
            stage.restart()
            with pytest.raises(DBAPIError):
                stage.turn()
    stage.restart()
    stage.turn()
    assert {(stage.step(m).state, stage.step(m).attempt) for m in messages} == {("completed", 1)}


def test_a_report_that_cannot_be_read_stops_no_other(stage: Stage) -> None:
    stage.launch(spec())
    for body in (b"{}", b"no json", b'{"kind": "started"}'):
        stage.post.bring(body)
    stage.work_until_quiet()
    assert stage.run("p/dimat").state == "completed"


def test_a_report_that_is_refused_stops_no_other_of_its_batch_and_leaves_nothing(stage: Stage) -> None:
    stage.launch(spec())
    stage.turn()
    messages = [stage.take(message) for message in stage.waiting()]
    for message in messages:
        end = finished(message, stage.begin(message))
        if message.context.site.name == "b":  # no link leads from a site to itself
            from_itself = {"from_index": 1, "to_index": 1, "purpose": "merge", "num_bytes": 1, "seconds": 0.0}
            end = end.model_copy(update={"exchanges": (ExchangeReport.model_validate(from_itself),)})
        stage.post.report(end)
    stage.beat("w", "b")
    stage.turn()
    states = {message.context.site.name: stage.step(message).state for message in messages}
    assert states == {"a": "completed", "b": "running", "c": "completed"}
    with stage.database.read() as session:
        assert session.scalars(select(SiteRow.worker_id).where(SiteRow.name == "b")).one() == "w"
        assert session.scalars(select(ExchangeRow)).all() == []


def test_of_two_messages_of_one_attempt_the_second_that_is_begun_is_told_to_stop(stage: Stage) -> None:
    """A broker that stood still may have taken what was sent once more because nobody knew."""
    stage.launch(spec())
    stage.turn()
    message = stage.waiting()[0]
    first, second = stage.begin(stage.take(message)), stage.begin(message)
    stage.turn()
    assert stage.post.flags == {superfluous_key(second["execution_id"])}
    stage.finish(message, first)
    stage.post.report(StepCancelled(seconds=1, **second))
    stage.work_until_quiet()
    assert (stage.step(message).state, stage.step(message).attempt) == ("completed", 1)


def test_what_was_sent_before_the_broker_went_away_is_not_sent_again(stage: Stage) -> None:
    class PostThatGoesAway(Post):
        goes_away = False

        def send(self, messages: Sequence[StepMessage]) -> None:
            if self.goes_away and any(self.queues.values()):
                raise PortUnavailable
            super().send(messages)

    stage.post = post = PostThatGoesAway()
    stage.restart()
    arms = [{"name": f"arm-{number:02}", "method": "local_only"} for number in range(SENT_AT_ONCE // 3 + 1)]
    stage.launch(PilotSpec.model_validate({**spec().model_dump(mode="json"), "arms": arms}))
    stage.beat("w", *SITES, concurrency=len(arms) * len(SITES))
    stage.turn()
    for message in stage.waiting():
        stage.finish(message, stage.begin(stage.take(message)))
    post.goes_away = True
    with pytest.raises(PortUnavailable):
        stage.turn()
    sent = {message.step_id for message in stage.waiting()}
    assert len(sent) == SENT_AT_ONCE
    assert {step.id for step in stage.steps() if step.state == "dispatched"} == sent


def test_a_launch_of_many_runs_is_begun_in_several_turns_each_with_a_commit(stage: Stage) -> None:
    many = [f"arm-{number:02}" for number in range(2 * STARTS + 3)]
    arms = [{"name": name, "method": "local_only"} for name in many]
    stage.launch(PilotSpec.model_validate({**spec().model_dump(mode="json"), "arms": arms}))
    begun = []
    for _ in range(3):
        stage.turn(after_s=0.01)  # no time for the next poll
        begun.append(sum(stage.run(f"p/{name}").state == "running" for name in many))
    assert begun == [STARTS, 2 * STARTS, len(many)]


@pytest.mark.parametrize("lost_when_asked", [1, 2, 3])
def test_whoever_lost_the_lock_sends_nothing_and_changes_nothing_it_had_not_changed(
    lost_when_asked: int, database_url: str, tmp_path: Path
) -> None:
    """It is asked as the turn begins, after the wait for reports, and before anything is sent."""
    asked = 0

    def still_alone() -> None:
        nonlocal asked
        asked += 1
        if asked == lost_when_asked:
            raise LockLost

    stage = Stage(database_url, tmp_path, still_alone=still_alone)
    stage.launch(spec())
    with pytest.raises(LockLost):
        stage.turn()
    assert stage.waiting() == []
    assert stage.run("p/dimat").state == ("running" if lost_when_asked == 3 else "queued")
    stage.close()


def all_sent(stage: Stage, restart_in: int | None = None) -> list[StepMessage]:
    """Every message up to the end of the run, each done at once; `restart_in`: the turn before which the coordinator is started anew."""
    sent: list[StepMessage] = []
    for turn in range(200):
        stage.turn()
        if turn == restart_in:
            stage.restart()
        messages = stage.waiting()
        if not messages and sent:
            break
        for message in messages:
            sent.append(stage.take(message))
            stage.finish(message, stage.begin(message))
    return sent


def test_steps_get_what_earlier_ones_made_beside_the_model(stage: Stage) -> None:
    """Second moments of the own and the neighbours' models before a merge, and what the own optimiser left."""
    changes = {"train": {**spec().train.model_dump(), "keep_momentum": True}}
    stage.launch(
        spec(arms=("regmean",)).model_copy(update={"train": TrainSpec.model_validate(changes["train"])})
    )
    sent = all_sent(stage)
    extras = {
        (step.kind, step.round, step.site_index): step.extras or {} for step in stage.steps("p/regmean")
    }
    merges = [message for message in sent if isinstance(message, MergeMessage)]
    assert len(merges) == 2 * len(SITES)
    for message in merges:
        before = ("align", 0) if message.round == 1 else ("train", message.round - 1)
        assert message.own_moments is not None
        assert message.own_moments.model_dump() == extras[*before, message.context.index]["moments"]
        for ref in message.neighbours:
            assert ref.moments is not None
            assert ref.moments.model_dump() == extras[*before, ref.index]["moments"]
    for message in sent:
        if isinstance(message, TrainMessage):
            left = extras["train", 1, message.context.index]["momentum"]
            assert (message.momentum and message.momentum.model_dump()) == (
                left if message.round == 2 else None
            )
    assert "momentum" not in extras["train", 2, 0]  # no round follows


def test_differences_travel_with_what_they_are_against(stage: Stage) -> None:
    """Through the rows, also under a coordinator that was started in the middle of it."""
    wire = {"numbers": "float16", "compress": True, "deltas": True}
    stage.launch(spec(rounds=3, arms=("dimat",), merge={"wire": wire}))
    sent = all_sent(stage, restart_in=8)
    assert stage.run("p/dimat").state == "completed"
    extras = {(step.kind, step.round, step.site_index): step.extras or {} for step in stage.steps("p/dimat")}
    trained = {m.round: m for m in sent if isinstance(m, TrainMessage) and m.context.index == 1}
    for round, before in ((1, ("align", 0, 1)), (2, ("train", 1, 1))):
        told = trained[round].sent_before
        assert told is not None
        assert told.model_dump() == extras[before]["shared"]
        assert extras["train", round, 1]["delta"]["against"] == told.sha256
    assert trained[3].sent_before is None  # nobody reads it
    for message in sent:
        if isinstance(message, MergeMessage):
            before = ("align", 0) if message.round == 1 else ("train", message.round - 1)
            for ref in message.neighbours:
                left = extras[*before, ref.index]
                assert ref.artifact.model_dump() == left["shared"]
                assert (ref.delta and ref.delta.model_dump()) == left.get("delta")
                assert (ref.delta is None) == (message.round == 1)


def test_sites_align_before_the_round_in_which_an_amendment_changes_the_method(stage: Stage) -> None:
    """Also under a coordinator that was started in the middle of it."""
    pilot = spec(rounds=3, arms=("dimat",))
    patch = Patch(method="common_basis")
    stage.launch(pilot)
    with stage.database.write() as session:
        session.add(
            AmendmentRow(
                pilot_id="p",
                arm=None,
                state="in_force",
                from_round=2,
                patch=patch.model_dump(mode="json"),
                by="t",
                why="y",
            )
        )
    aligning: list[StepMessage] = []
    for _ in range(200):
        stage.turn()
        for message in stage.waiting():
            stage.finish(stage.take(message), stage.begin(message))
            if message.kind == "align":
                aligning.append(message)
                stage.restart()
    assert sorted(message.context.index for message in aligning) == [0, 1, 2]
    assert aligning[0].context.index == 1  # the root of a line of three
    amendment = Amendment(from_round=2, patch=patch, by="t", why="y")
    steps = stage.steps("p/dimat")
    keys = [StepKey(s.round, s.kind, s.site_index) for s in steps]  # type: ignore[arg-type]
    assert sorted(keys) == Schedule.of(pilot, "dimat", [amendment]).all_steps()
    assert stage.run("p/dimat").state == "completed"
    with stage.database.read() as session:
        booked = session.scalars(select(ExchangeRow).where(ExchangeRow.purpose == "align")).all()
    assert sorted((one.round, one.from_index, one.to_index) for one in booked) == [(2, 1, 0), (2, 1, 2)]


def test_steps_left_unsent_by_a_crash_are_sent_by_the_next_coordinator(stage: Stage) -> None:
    class Crash(Exception):
        pass

    class DyingPost(Post):
        def send(self, messages: Sequence[StepMessage]) -> None:
            raise Crash

    stage.launch(spec())
    alive, stage.post = stage.post, DyingPost()
    stage.restart()
    with pytest.raises(Crash):
        stage.turn()
    assert {step.state for step in stage.steps()} == {"ready"}
    stage.post = alive
    stage.restart()
    stage.work_until_quiet()
    assert_every_step_was_done_once(stage, spec(), "dimat")


def test_a_round_knows_whether_matches_agree_around_the_graph_and_forgets_what_was_found(
    stage: Stage,
) -> None:
    """Through restarts and doubled reports; a line of sites has no cycle, so each link counts there and back."""
    stage.launch(spec(rounds=2, arms=("dimat",)))
    there, back = [np.array(units) for units in ([1, 2, 0, 3], [0, 1, 2, 3])]
    for _ in range(60):
        stage.turn()
        for message in stage.waiting():
            report = finished(message, stage.begin(stage.take(message)))
            if isinstance(message, MergeMessage):
                sites = tuple(ref.index for ref in message.neighbours)
                data = pack([there if message.context.index < j else back for j in sites])
                report = report.model_copy(
                    update={"matched": MatchedReport(num_units=4, neighbours=sites, data=data or "")}
                )
            stage.post.report(report)
            stage.post.report(report)
            stage.restart()
        with stage.database.read() as session:
            known = select(RoundRow.round)
            kept = select(StepRow.id).where(StepRow.matched.is_not(None), StepRow.round.in_(known))
            assert session.scalars(kept).all() == []
    assert stage.run("p/dimat").state == "completed"
    with stage.database.read() as session:
        rounds = session.scalars(select(RoundRow).order_by(RoundRow.round)).all()
        assert [(one.round, one.cycle_inconsistency) for one in rounds] == [(1, 0.75), (2, 0.75)]
        assert session.scalars(select(StepRow.id).where(StepRow.matched.is_not(None))).all() == []


def test_a_round_knows_of_its_matches_also_where_a_site_fell_silent_when_all_others_had_merged(
    stage: Stage,
) -> None:
    given = spec(rounds=2, arms=("dimat",)).model_dump(mode="json")
    stage.launch(PilotSpec.model_validate({**given, "silent": {"policy": "skip", "limit_s": 30.0}}))
    for _ in range(80):
        stage.beat("w", "a", "b", *(["c"] if stage.run("p/dimat").rounds_done < 0 else []))
        stage.turn()
        for message in stage.waiting():
            if message.context.site.name == "c" and isinstance(message, MergeMessage):
                continue
            report = finished(message, stage.begin(stage.take(message)))
            if isinstance(message, MergeMessage):
                sites = tuple(ref.index for ref in message.neighbours)
                told = MatchedReport(
                    num_units=4, neighbours=sites, data=pack([np.arange(4)] * len(sites)) or ""
                )
                report = report.model_copy(update={"matched": told})
            stage.post.report(report)
    assert stage.run("p/dimat").state == "completed"
    with stage.database.read() as session:
        rounds = session.scalars(select(RoundRow).order_by(RoundRow.round)).all()
        assert [(one.round, one.cycle_inconsistency) for one in rounds] == [(1, 0.0), (2, 0.0)]


def test_what_was_found_is_forgotten_when_the_run_ends_before_the_round_does(stage: Stage) -> None:
    stage.launch(spec(rounds=1, arms=("dimat",)))
    failed = False
    for _ in range(30):
        stage.turn()
        for message in stage.waiting():
            about = stage.begin(stage.take(message))
            report = finished(message, about)
            if isinstance(message, MergeMessage) and message.context.index == 2:
                failed = True
                stage.fail(about, "model_not_finite", retryable=False)
                continue
            if isinstance(message, MergeMessage):
                sites = tuple(ref.index for ref in message.neighbours)
                data = pack([np.arange(4)] * len(sites)) or ""
                told = MatchedReport(num_units=4, neighbours=sites, data=data)
                report = report.model_copy(update={"matched": told})
            stage.post.report(report)
    assert failed
    assert stage.run("p/dimat").state == "failed"
    with stage.database.read() as session:
        assert session.scalars(select(StepRow.id).where(StepRow.matched.is_not(None))).all() == []
        assert session.scalars(select(RoundRow)).all() == []


def test_a_message_that_is_lost_is_sent_again_also_to_a_worker_of_which_little_is_heard(stage: Stage) -> None:
    stage.launch(spec())
    stage.turn()
    stage.take(stage.waiting()[0])  # by a connection that was cut: nobody begins it
    site = next(site for site in SITES if all(m.context.site.name != site for m in stage.waiting()))
    for _ in range(4):
        stage.beat("w", *SITES)
        stage.pass_time(15)  # longer than after which a site is called silent
    assert next(step.attempt for step in stage.steps() if step.site_name == site) > 1


@pytest.mark.parametrize("kind", ["prepare", "evaluate"])
@pytest.mark.parametrize("question", [None, asks.PAUSE, asks.CANCEL])
def test_what_a_coordinator_that_died_may_have_sent_is_under_way_for_retention(
    stage: Stage, kind: str, question: asks.Ask | None
) -> None:
    """Of the start models as of others, and whatever was asked for since."""
    stage.launch(spec())
    stage.turn()
    while all(message.kind != kind for message in stage.waiting()):
        for message in stage.waiting():
            stage.finish(message, stage.begin(stage.take(message)))
        stage.turn()
    with stage.database.write() as session:  # it had no time to note it
        session.execute(update(StepRow).where(StepRow.state == "dispatched").values(state="ready"))
    if question is not None:
        stage.ask("p/dimat", question)
    with stage.database.read() as session:
        assert retention.under_way_since(session) is not None


def test_of_a_run_that_is_paused_nothing_is_under_way_for_retention(stage: Stage) -> None:
    stage.launch(spec())
    stage.turn()
    stage.ask("p/dimat", asks.PAUSE)
    stage.turn()
    assert stage.run("p/dimat").state == "paused"
    with stage.database.read() as session:
        assert retention.under_way_since(session) is None


def test_workers_of_sites_that_get_no_work_are_told_why(stage: Stage) -> None:
    with stage.database.write() as session:
        session.execute(update(SiteRow).where(SiteRow.name == "c").values(state="revoked"))
    stage.beat("w", "a", "c", "nobody")
    stage.turn()
    assert stage.post.refused == {"c": "revoked", "nobody": "unknown"}
