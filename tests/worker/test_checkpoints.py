"""What a step that trains leaves on its way, and what the next attempt makes of it."""

import logging
from pathlib import Path
from typing import Any

import pytest

from dimat.parts import TrainSpec
from tests.worker.test_execution import Heard, prepare
from worker.artifacts import ArtifactStore, DirectoryStore, StoreUnavailable
from worker.execution import Execution
from worker.messages.refs import ArtifactRef, CheckpointRef, EpochsDone
from worker.messages.reports import Report, StepBeat, StepFailed, StepFinished
from worker.messages.steps import StepMessage, TrainMessage

EPOCHS = 6


class Killed(BaseException):
    """Nothing of a process outlives it; no handler of the step may see this."""


class UntilKilled(Heard):
    """The process is killed as soon as it has told of a checkpoint."""

    def send(self, report: Report, until_taken: bool = True) -> None:
        super().send(report, until_taken)
        if isinstance(report, StepBeat) and report.checkpoint is not None:
            raise Killed


def execute(message: StepMessage, store: ArtifactStore, heard: Heard, every_s: float = 0.0) -> Report:
    Execution(message, "w", heard, 4.0, every_s).run(lambda: store, "cpu")
    return heard.reports[-1]


def lost(message: StepMessage, store: ArtifactStore) -> CheckpointRef:
    """An attempt that is killed; how far it had come."""
    heard = UntilKilled()
    with pytest.raises(Killed):
        execute(message, store, heard)
    beat = heard.reports[-1]
    assert isinstance(beat, StepBeat)
    assert beat.checkpoint is not None
    return beat.checkpoint


def after(message: StepMessage, checkpoint: CheckpointRef) -> StepMessage:
    return message.model_copy(update={"attempt": 2, "resume": checkpoint})


def made(end: Report) -> dict[str, Any]:
    assert isinstance(end, StepFinished), end
    named = ("artifact", "momentum", "alone", "alone_momentum", "accuracies", "num_epochs", "uploaded_bytes")
    return {name: getattr(end, name) for name in named}


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "store")


def names(store: DirectoryStore) -> set[str]:
    return {path.name for path in store.root.rglob("*") if path.is_file()}


def messages(store: ArtifactStore) -> dict[str, StepMessage]:
    first = prepare(warmup_epochs=EPOCHS)
    end = execute(prepare("before", warmup_epochs=1), store, Heard())
    assert isinstance(end, StepFinished)
    assert end.artifact is not None
    train = TrainMessage(
        step_id="t", attempt=1, pilot_id="p", run_id="r", context=first.context, model=first.model, round=1, rounds=3,
        train=TrainSpec(epochs=EPOCHS, patience=EPOCHS, keep_momentum=True), own=end.artifact,
    )  # fmt: skip
    return {"prepare": first, "train": train, "own_model": train.model_copy(update={"alone": end.artifact})}


@pytest.mark.parametrize("kind", ["prepare", "train", "own_model"])
def test_the_next_attempt_goes_on_where_a_killed_one_was_and_makes_the_same(
    kind: str, store: DirectoryStore
) -> None:
    message = messages(store)[kind]
    whole = execute(message, store, Heard())
    stored = names(store)
    checkpoint = lost(message, store)
    assert checkpoint.epochs == EpochsDone(done=1, asked=EPOCHS * (2 if kind == "own_model" else 1))
    assert names(store) == stored | {checkpoint.artifact.sha256}
    heard = Heard()
    end = execute(after(message, checkpoint), store, heard, every_s=3600.0)
    assert made(end) == made(whole)
    assert isinstance(end, StepFinished)
    assert end.resumed == checkpoint.epochs
    assert all(beat.resumed == checkpoint.epochs for beat in heard.reports if isinstance(beat, StepBeat))
    assert names(store) == stored  # nobody needs it any more


@pytest.mark.parametrize("trouble", ["removed", "damaged", "of other training"])
def test_a_checkpoint_of_no_use_costs_its_epochs_and_nothing_else(
    trouble: str, store: DirectoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    message = prepare(warmup_epochs=EPOCHS)
    whole = execute(message, store, Heard())
    checkpoint = lost(message, store)
    file = next(store.root.rglob(checkpoint.artifact.sha256))
    if trouble == "removed":
        file.unlink()
    elif trouble == "damaged":
        file.write_bytes(b"x" + file.read_bytes()[1:])
    else:
        other = message.model_copy(update={"train": TrainSpec(warmup_epochs=EPOCHS, patience=1)})
        checkpoint = lost(other, store)
    with caplog.at_level(logging.WARNING):
        end = execute(after(message, checkpoint), store, Heard())
    assert made(end) == made(whole)
    assert isinstance(end, StepFinished)
    assert end.resumed is None
    assert "the checkpoint after epoch 1 is of no use, it trains anew" in caplog.text


def test_a_store_that_is_away_for_a_moment_costs_no_epochs(store: DirectoryStore) -> None:
    """It is another attempt that goes on, a little later; what it needs stays."""
    message = prepare(warmup_epochs=EPOCHS)
    checkpoint = lost(message, store)

    class Away(DirectoryStore):
        def get(self, ref: ArtifactRef) -> bytes:
            raise StoreUnavailable("be read", "away")

    failed = execute(after(message, checkpoint), Away(store.root), Heard())
    assert isinstance(failed, StepFailed)
    assert (failed.code, failed.retryable) == ("store_unreachable", True)
    assert store.has(checkpoint.artifact)


def test_a_store_that_takes_no_checkpoint_keeps_no_step_from_its_end(tmp_path: Path) -> None:
    class Full(DirectoryStore):
        def __init__(self, root: Path) -> None:
            super().__init__(root)
            self.refused = 0

        def put(self, content: bytes) -> ArtifactRef:
            if b"now/params" in content:
                self.refused += 1
                raise StoreUnavailable("write", "no space left")
            return super().put(content)

    store = Full(tmp_path)
    heard = Heard()
    assert isinstance(execute(prepare(warmup_epochs=EPOCHS), store, heard), StepFinished)
    assert store.refused > 0
    assert all(beat.checkpoint is None for beat in heard.reports if isinstance(beat, StepBeat))


def test_short_training_leaves_nothing_on_its_way(store: DirectoryStore) -> None:
    heard = Heard()
    end = execute(prepare(warmup_epochs=EPOCHS), store, heard, every_s=3600.0)
    assert isinstance(end, StepFinished)
    assert all(beat.checkpoint is None for beat in heard.reports if isinstance(beat, StepBeat))


def test_of_many_checkpoints_two_are_kept_and_none_when_the_step_has_ended(store: DirectoryStore) -> None:
    """A model of gigabytes every few seconds would fill any disk."""

    class Patient(Heard):
        """Cancels the step when there were many."""

        def __init__(self) -> None:
            super().__init__()
            self.told: set[str] = set()
            self.most = 0

        def send(self, report: Report, until_taken: bool = True) -> None:
            super().send(report, until_taken)
            if isinstance(report, StepBeat) and report.checkpoint is not None:
                self.told.add(report.checkpoint.artifact.sha256)
                self.most = max(self.most, len(names(store)))

        def is_cancelled(self, message: StepMessage, execution_id: str) -> bool:
            return len(self.told) > 3

    heard = Patient()
    assert execute(prepare(warmup_epochs=10_000), store, heard).kind == "cancelled"
    assert heard.most == 3  # the third is the one that is being told of
    assert names(store) == set()


def test_who_is_stopped_leaves_the_checkpoint_of_the_attempt_before(store: DirectoryStore) -> None:
    """Another execution of the same attempt goes on from it, too."""

    class Stopped(Heard):
        def is_cancelled(self, message: StepMessage, execution_id: str) -> bool:
            return True

    message = messages(store)["prepare"]
    checkpoint = lost(message, store)
    before = names(store)
    assert checkpoint.artifact.sha256 in before
    assert execute(after(message, checkpoint), store, Stopped()).kind == "cancelled"
    assert checkpoint.artifact.sha256 in names(store)
