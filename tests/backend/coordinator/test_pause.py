"""Runs that are paused and go on: nothing is lost, nothing runs unseen, and every other end is still possible."""

from typing import Any

import pytest
from sqlalchemy import update

from backend.coordinator import repository
from backend.db.tables import SiteRow
from backend.runs.asks import CANCEL, PAUSE, RESUME
from tests.backend.coordinator.stage import SITES, Stage, spec
from worker.messages.keys import cancel_key, recall_key
from worker.messages.reports import StepCancelled
from worker.messages.steps import StepMessage

RUN = "p/dimat"
Begun = tuple[StepMessage, dict[str, Any]]


def artifacts(stage: Stage, run_id: str = RUN) -> dict[tuple[int, str, int], str | None]:
    return {(s.round, s.kind, s.site_index): s.artifact_sha256 for s in stage.steps(run_id)}


def one_at_work(stage: Stage) -> Begun:
    """A run whose first site trains in round 1 while the others' steps are sent and not begun."""
    stage.launch(spec())
    while not (training := [m for m in stage.waiting() if m.kind == "train"]):
        stage.turn()
        for message in [m for m in stage.waiting() if m.kind != "train"]:
            stage.finish(message, stage.begin(stage.take(message)))
    message = stage.take(training[0])
    about = stage.begin(message)
    stage.turn()
    assert stage.waiting()
    return message, about


def undisturbed(stage: Stage) -> dict[tuple[int, str, int], str | None]:
    """The artifacts of the same run in another pilot that nobody pauses."""
    stage.launch(spec("q"))
    stage.work_until_quiet()
    return artifacts(stage, "q/dimat")


def test_what_runs_goes_to_its_end_and_counts_and_nothing_else_begins(stage: Stage) -> None:
    running, about = one_at_work(stage)
    stage.ask(RUN, PAUSE, "the line is needed elsewhere")
    stage.turn()
    assert stage.run(RUN).state == "pausing"
    stage.pass_time(30)
    assert stage.run(RUN).state == "pausing"
    stage.finish(running, about)
    stage.turn()
    stage.turn()
    run = stage.run(RUN)
    assert (run.state, run.reason and run.reason["code"]) == ("paused", "paused_why")
    assert run.reason
    assert run.reason["params"]["why"] == "the line is needed elsewhere"
    assert (stage.step(running).state, stage.step(running).attempt) == ("completed", 1)
    sent = len(stage.waiting())
    stage.pass_time(60)
    assert len(stage.waiting()) == sent
    assert stage.run(RUN).state == "paused"


def test_a_step_that_was_sent_is_taken_back_and_does_not_count_if_it_begins_all_the_same(
    stage: Stage,
) -> None:
    running, about = one_at_work(stage)
    stage.ask(RUN, PAUSE)
    stage.turn()
    left = [m for m in stage.waiting() if m.run_id == RUN]
    assert left
    assert {recall_key(m.step_id, m.attempt) for m in left} <= stage.post.flags
    stage.finish(running, about)
    stage.turn()
    for message in left:  # a worker that takes the old message
        stage.finish(message, stage.begin(stage.take(message)))
    stage.turn()
    assert stage.run(RUN).state == "paused"
    assert {stage.step(message).state for message in left} == {"ready"}


def test_a_resumed_run_ends_with_the_bits_of_one_that_was_never_paused(stage: Stage) -> None:
    running, about = one_at_work(stage)
    stage.ask(RUN, PAUSE)
    stage.turn()
    stage.finish(running, about)
    stage.restart()
    stage.pass_time(3)
    assert stage.run(RUN).state == "paused"
    for queue in stage.post.queues.values():
        queue.clear()  # a broker that lost its memory meanwhile
    stage.ask(RUN, RESUME)
    stage.restart()
    stage.work_until_quiet()
    assert (stage.run(RUN).state, stage.run(RUN).rounds_done) == ("completed", 2)
    events = stage.events(RUN)
    assert (events["run_started"], events["run_paused"], events["run_resumed"]) == (1, 1, 1)
    assert artifacts(stage) == undisturbed(stage)


def test_what_finishes_while_it_is_pausing_is_followed_when_it_goes_on_before_it_is_paused(
    stage: Stage,
) -> None:
    running, about = one_at_work(stage)
    stage.ask(RUN, PAUSE)
    stage.turn()
    stage.finish(running, about)
    stage.ask(RUN, RESUME)
    stage.work_until_quiet()
    assert stage.run(RUN).state == "completed"
    assert stage.events(RUN)["run_paused"] == 0


def test_a_pause_asked_for_in_the_last_steps_ends_the_run_as_completed(stage: Stage) -> None:
    stage.launch(spec(rounds=1))
    last: list[Begun] = []
    while not last:
        stage.turn()
        for message in stage.waiting():
            begun = (message, stage.begin(stage.take(message)))
            if message.kind == "train":
                last.append(begun)
            else:
                stage.finish(*begun)
    while len(last) < len(SITES):
        stage.turn()
        for message in stage.waiting():
            begun = (message, stage.begin(stage.take(message)))
            if message.kind == "train":
                last.append(begun)
            else:
                stage.finish(*begun)
    stage.turn()
    stage.ask(RUN, PAUSE)
    stage.turn()
    for begun in last:
        stage.finish(*begun)
    stage.turn()
    run = stage.run(RUN)
    assert (run.state, run.reason) == ("completed", {"code": "completed", "params": {"rounds": 1}})


def test_sites_go_on_preparing_for_the_runs_that_are_not_paused(stage: Stage) -> None:
    stage.launch(spec(arms=("local_only", "dimat")))
    stage.turn()
    preparing = [(m, stage.begin(stage.take(m))) for m in stage.waiting()[:1]]
    stage.turn()
    stage.ask(RUN, PAUSE)
    stage.turn()
    assert stage.run(RUN).state == "paused"
    for begun in preparing:
        stage.finish(*begun)
    stage.work_until_quiet()
    assert (stage.run("p/local_only").state, stage.run(RUN).state) == ("completed", "paused")
    assert stage.steps(RUN) == []
    stage.ask(RUN, RESUME)
    stage.work_until_quiet()
    assert stage.run(RUN).state == "completed"


def test_while_all_who_need_it_are_paused_no_site_prepares(stage: Stage) -> None:
    stage.launch(spec())
    stage.turn()
    begun = stage.take(stage.waiting()[0])
    about = stage.begin(begun)
    stage.turn()
    stage.ask(RUN, PAUSE)
    stage.pass_time(5)
    assert stage.run(RUN).state == "pausing"  # a site prepares, and nobody else needs that
    stage.finish(begun, about)
    stage.pass_time(3)
    assert stage.run(RUN).state == "paused"
    stage.ask(RUN, RESUME)
    for queue in stage.post.queues.values():
        queue.clear()
    stage.work_until_quiet()
    assert stage.run(RUN).state == "completed"


def test_a_run_can_be_paused_before_it_begins(stage: Stage) -> None:
    stage.launch(spec())
    stage.ask(RUN, PAUSE)
    stage.pass_time(3)
    assert (stage.run(RUN).state, stage.steps()) == ("paused", [])
    stage.ask(RUN, RESUME)
    stage.work_until_quiet()
    assert stage.run(RUN).state == "completed"
    assert stage.events(RUN)["run_started"] == 1


@pytest.mark.parametrize("moment", ["pausing", "paused", "resuming"])
def test_a_run_is_cancelled_wherever_it_stands(stage: Stage, moment: str) -> None:
    running, about = one_at_work(stage)
    stage.ask(RUN, PAUSE)
    stage.turn()
    if moment != "pausing":
        stage.finish(running, about)
        stage.pass_time(2)
        assert stage.run(RUN).state == "paused"
    if moment == "resuming":
        stage.ask(RUN, RESUME)
    stage.ask(RUN, CANCEL, "enough seen")
    stage.pass_time(25)
    run = stage.run(RUN)
    assert (run.state, run.reason and run.reason["code"]) == ("cancelled", "cancelled_why")
    assert {step.state for step in stage.steps()} <= {"completed", "cancelled"}


def test_a_running_step_that_falls_silent_does_not_keep_the_run_from_being_paused(stage: Stage) -> None:
    running, _ = one_at_work(stage)
    stage.ask(RUN, PAUSE)
    stage.pass_time(60)
    assert (stage.run(RUN).state, stage.step(running).state) == ("paused", "ready")
    assert running not in stage.waiting()
    stage.ask(RUN, RESUME)
    stage.work_until_quiet()
    assert artifacts(stage) == undisturbed(stage)


@pytest.mark.parametrize("state", ["pausing", "paused"])
def test_a_paused_run_whose_site_is_revoked_ends_and_says_why(stage: Stage, state: str) -> None:
    running, about = one_at_work(stage)
    stage.ask(RUN, PAUSE)
    stage.turn()
    if state == "paused":
        stage.finish(running, about)
        stage.pass_time(2)
    assert stage.run(RUN).state == state
    other = next(site for site in SITES if site != running.context.site.name)
    with stage.database.write() as session:
        session.execute(update(SiteRow).where(SiteRow.name == other).values(state="revoked"))
    stage.pass_time(2)
    run = stage.run(RUN)
    assert (run.state, run.reason and run.reason["code"]) == ("failed", "site_revoked")


def test_a_step_that_fails_for_good_ends_the_run_that_is_pausing(stage: Stage) -> None:
    _, about = one_at_work(stage)
    stage.ask(RUN, PAUSE)
    stage.turn()
    stage.fail(about, "non_finite_params", retryable=False)
    stage.pass_time(2)
    run = stage.run(RUN)
    assert (run.state, run.reason and run.reason["code"]) == ("failed", "non_finite_params")


def test_a_message_sent_by_a_coordinator_that_died_before_it_noted_so_does_not_run_unseen(
    stage: Stage,
) -> None:
    running, about = one_at_work(stage)
    unnoted = next(m for m in stage.waiting() if m.run_id == RUN)
    with stage.database.write() as session:
        session.get_one(type(stage.step(unnoted)), unnoted.step_id).state = "ready"
    stage.ask(RUN, PAUSE)
    stage.turn()
    stage.finish(running, about)
    stage.pass_time(2)
    assert stage.run(RUN).state == "paused"
    stage.finish(unnoted, stage.begin(stage.take(unnoted)))
    stage.turn()
    assert stage.step(unnoted).state == "ready"


class Died(Exception):
    pass


def test_what_was_sent_and_not_noted_after_an_earlier_pause_is_taken_back_by_the_next(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, about = one_at_work(stage)
    stage.ask(RUN, PAUSE)
    stage.turn()
    stage.finish(running, about)
    stage.pass_time(3)
    assert stage.run(RUN).state == "paused"
    for queue in stage.post.queues.values():
        queue.clear()
    stage.ask(RUN, RESUME)
    with monkeypatch.context() as patched:
        patched.setattr(repository, "mark_dispatched", _die)
        with pytest.raises(Died):
            stage.turn()
    sent = stage.waiting()
    assert sent
    stage.ask(RUN, PAUSE)
    stage.restart()
    stage.turn()
    for message in sent:
        stage.begin(stage.take(message))
    stage.pass_time(3)
    assert stage.run(RUN).state == "paused"
    assert {recall_key(message.step_id, message.attempt) for message in sent} <= stage.post.flags
    assert not [step for step in stage.steps(RUN) if step.state == "running"]


def _die(*_: object) -> None:
    raise Died


def test_a_step_that_was_stopped_though_nobody_asked_is_done_again(stage: Stage) -> None:
    """The broker remembers that this run was cancelled; the database, restored to the day before, does not."""
    expected = undisturbed(stage)
    running, about = one_at_work(stage)
    stage.post.cancel([cancel_key(RUN)])
    stage.post.report(StepCancelled(exchanges=(), seconds=1, cpu_s=1, **about))
    stage.turn()
    assert cancel_key(RUN) not in stage.post.flags
    assert (stage.step(running).attempt, stage.step(running).reason) == (
        2,
        {"code": "stopped_unasked", "params": {}},
    )
    stage.pass_time(3)
    stage.work_until_quiet()
    assert stage.run(RUN).state == "completed"
    assert artifacts(stage) == expected


def test_whoever_begins_to_coordinate_takes_down_flags_that_would_stop_what_goes_on(stage: Stage) -> None:
    running, _ = one_at_work(stage)
    stage.post.cancel([cancel_key(RUN), recall_key(running.step_id, 1), cancel_key("another")])
    stage.restart()
    stage.turn()
    assert stage.post.flags == {cancel_key("another")}
    stage.ask(RUN, CANCEL)
    stage.restart()
    stage.turn()
    assert cancel_key(RUN) in stage.post.flags
