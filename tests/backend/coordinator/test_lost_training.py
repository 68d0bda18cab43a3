"""How far a step that trains has come outlives its attempt, and nothing else does."""

from typing import Any

import pytest

from backend.runs import asks
from tests.backend.coordinator.stage import Stage, finished, spec
from worker.messages.refs import ArtifactRef, CheckpointRef, EpochsDone
from worker.messages.reports import StepBeat, StepFinished
from worker.messages.steps import PrepareMessage, StepMessage

RUN = "p/dimat"


def checkpoint(done: int) -> CheckpointRef:
    return CheckpointRef(
        artifact=ArtifactRef(sha256=f"{done:064x}", num_bytes=7), epochs=EpochsDone(done=done, asked=15)
    )


def tell(stage: Stage, about: dict[str, Any], done: int, resumed: int | None = None) -> None:
    went_on = EpochsDone(done=resumed, asked=15) if resumed is not None else None
    stage.post.report(StepBeat(progress=0.1, checkpoint=checkpoint(done), resumed=went_on, **about))
    about["seq"] += 1


def resumed_with(message: StepMessage) -> CheckpointRef | None:
    assert isinstance(message, PrepareMessage)
    return message.resume


@pytest.fixture
def first(stage: Stage) -> StepMessage:
    """The first message of a pilot, on its way to its site."""
    stage.launch(spec())
    stage.turn()
    return stage.waiting()[0]


def next_attempt(stage: Stage, first: StepMessage) -> StepMessage:
    stage.pass_time(5)
    (again,) = [message for message in stage.waiting() if message.step_id == first.step_id]
    assert again.attempt == stage.step(first).attempt
    return stage.take(again)


def test_the_next_attempt_is_told_how_far_the_lost_one_had_come(stage: Stage, first: StepMessage) -> None:
    assert resumed_with(first) is None
    about = stage.begin(stage.take(first))
    tell(stage, about, 3)
    tell(stage, about, 7)
    stage.turn()
    stage.lose_worker()
    again = next_attempt(stage, first)
    assert (again.attempt, resumed_with(again)) == (2, checkpoint(7))
    about = stage.begin(again)
    tell(stage, about, 9, resumed=7)
    stage.turn()
    assert stage.step(first).resumed == {"done": 7, "asked": 15}
    stage.fail(about, "store_unreachable", retryable=True)
    stage.turn()
    assert stage.step(first).resumed is None  # that attempt is over
    again = next_attempt(stage, first)
    assert (again.attempt, resumed_with(again)) == (3, checkpoint(9))
    report = finished(again, stage.begin(again))
    assert isinstance(report, StepFinished)
    told = report.model_copy(update={"resumed": EpochsDone(done=9, asked=15), "num_epochs": 15})
    stage.post.report(told)
    stage.work_until_quiet()
    step = stage.step(first)
    assert (step.resumed, step.num_epochs) == ({"done": 9, "asked": 15}, 15)
    assert step.checkpoint is None
    assert stage.run(RUN).state == "completed"


def test_what_an_execution_that_does_not_count_leaves_is_not_taken(stage: Stage, first: StepMessage) -> None:
    bound = stage.begin(stage.take(first))
    tell(stage, bound, 2)
    tell(stage, {**bound, "execution_id": "another"}, 11)
    tell(stage, {**bound, "attempt": 2}, 12)
    stage.turn()
    known = stage.step(first).checkpoint
    assert known is not None
    assert known["epochs"]["done"] == 2
    stage.lose_worker()
    stage.turn()
    tell(stage, bound, 5)  # it still lives, and its attempt is over
    assert resumed_with(next_attempt(stage, first)) == checkpoint(2)


def test_what_comes_late_or_twice_takes_nothing_back(stage: Stage, first: StepMessage) -> None:
    about = stage.begin(stage.take(first))
    for done in (4, 8, 8, 4):
        tell(stage, about, done)
    stage.turn()
    stage.lose_worker()
    assert resumed_with(next_attempt(stage, first)) == checkpoint(8)


def test_an_attempt_that_had_to_train_anew_is_followed_from_where_it_was(
    stage: Stage, first: StepMessage
) -> None:
    """Its checkpoint is of an earlier epoch than that of the attempt before, which was of no use."""
    about = stage.begin(stage.take(first))
    tell(stage, about, 8)
    stage.turn()
    stage.lose_worker()
    about = stage.begin(next_attempt(stage, first))
    tell(stage, about, 2)
    stage.turn()
    stage.lose_worker()
    assert resumed_with(next_attempt(stage, first)) == checkpoint(2)


def test_a_cancelled_step_keeps_no_checkpoint(stage: Stage, first: StepMessage) -> None:
    about = stage.begin(stage.take(first))
    tell(stage, about, 8)
    stage.turn()
    stage.ask(RUN, asks.CANCEL)
    stage.pass_time(30)
    step = stage.step(first)
    assert (step.state, step.checkpoint) == ("cancelled", None)


def after_nights(stage: Stage, first: StepMessage, nights: int) -> StepMessage:
    """Each night the site is switched off, an epoch further; the message of the morning after."""
    message = stage.take(first)
    for night in range(1, nights + 1):
        tell(stage, stage.begin(message), night)
        stage.turn()
        stage.lose_worker()
        stage.pass_time(60)
        message = next_attempt(stage, first)
    return message


def test_an_attempt_that_got_further_is_followed_by_another_however_often(
    stage: Stage, first: StepMessage
) -> None:
    """A site that is switched off every night, and trains for weeks."""
    message = after_nights(stage, first, 12)
    for _ in range(4):  # and then gets no further
        tell(stage, stage.begin(message), 3)
        stage.turn()
        stage.lose_worker()
        stage.pass_time(60)
        if stage.run(RUN).state == "failed":
            break
        message = next_attempt(stage, first)
    assert (stage.run(RUN).reason or {})["code"] == "attempts_used_up_at_start"


def test_a_model_that_is_missing_once_ends_no_step_that_was_often_interrupted(
    stage: Stage, first: StepMessage
) -> None:
    message = after_nights(stage, first, 14)
    stage.fail(stage.begin(message), "artifact_missing", retryable=True)
    stage.turn()
    assert stage.step(first).state == "ready"
    assert next_attempt(stage, first).attempt == 16
