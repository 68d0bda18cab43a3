"""What a step that trains leaves on its way, for the attempt that may have to follow, on this machine or another: read, written
and removed here.

Checkpoints save time and nothing depends on them: what is wrong with one is said in the log, and the step goes on without. They
stay with their site, so no exchange counts them, nor do the uploads of a run, which are what its steps made.
"""

import logging
import time
from collections.abc import Callable

from dimat import steps
from dimat.errors import ArtifactInvalid
from dimat.rows import SiteRows
from dimat.training.checkpoint import Underway
from dimat.wire.checkpoints import decode_underway, encode_underway
from worker.artifacts import ArtifactMissing, ArtifactStore, StoreUnavailable
from worker.messages.refs import ArtifactRef, CheckpointRef, EpochsDone
from worker.messages.steps import PrepareMessage, StepMessage, TrainMessage

log = logging.getLogger(__name__)
CHECKPOINT_EVERY_S = 10.0
LEAST_WORK = 20
"""So many times as long as it took to write the last checkpoint a step trains before it writes the next one."""
KEPT = 2
"""The latest, and the one before: that one is what the coordinator knows of until it has heard of the latest."""


class Checkpoints:
    """Those of one execution.

    Attributes:
        latest: left by this execution. resumed: where it went on; None: it began with the first epoch.
    """

    def __init__(
        self, message: StepMessage, owner: str, every_s: float, on_latest: Callable[[], None]
    ) -> None:
        self.latest: CheckpointRef | None = None
        self.resumed: EpochsDone | None = None
        self._message, self._owner, self._every_s, self._on_latest = message, owner, every_s, on_latest
        self._store: ArtifactStore | None = None
        self._kept: list[ArtifactRef] = []
        self._next_at = time.monotonic() + every_s

    def open(self, store: ArtifactStore, rows: SiteRows) -> Underway | None:
        """From now on they go to `store`; where to go on. None: the step begins with the first epoch.

        Raises: StoreUnavailable: a later attempt may yet go on there.
        """
        self._store, message = store, self._message
        if not isinstance(message, PrepareMessage | TrainMessage) or message.resume is None:
            return None
        ref = message.resume.artifact
        self._kept.append(ref)
        try:
            start = _read(message, store.get(ref), rows)
        except (ArtifactMissing, ArtifactInvalid) as error:
            log.warning(
                "step %s, attempt %d: the checkpoint after epoch %d is of no use, it trains anew: %s",
                message.step_id, message.attempt, message.resume.epochs.done, error,
            )  # fmt: skip
            return None
        self.resumed = EpochsDone(done=start.num_epochs, asked=_epochs(message))
        return start

    def offer(self, take: Callable[[], Underway]) -> None:
        """After an epoch: leaves a checkpoint when it is time for one."""
        began = time.monotonic()
        if began < self._next_at or self._store is None:
            return
        assert isinstance(self._message, PrepareMessage | TrainMessage), "others have no epochs"
        underway = take()
        try:
            ref = self._store.put(encode_underway(underway, self._owner))
        except StoreUnavailable as error:
            log.warning("step %s leaves no checkpoint: %s", self._message.step_id, error)
        else:
            epochs = EpochsDone(done=underway.num_epochs, asked=_epochs(self._message))
            self.latest = CheckpointRef(artifact=ref, epochs=epochs)
            self._on_latest()
            self._kept.append(ref)
            self._remove(self._kept[:-KEPT])
        now = time.monotonic()
        self._next_at = now + max(self._every_s, LEAST_WORK * (now - began))

    def clear(self, others_too: bool = True) -> None:
        """The step has ended; nobody will go on with it. `others_too`: also the one that an attempt before had left, from which this one went on."""
        found = getattr(self._message, "resume", None)
        left = None if others_too or found is None else found.artifact
        self._remove([ref for ref in self._kept if ref != left])

    def _remove(self, refs: list[ArtifactRef]) -> None:
        for ref in refs:
            assert self._store is not None
            try:
                self._store.remove(ref)
            except StoreUnavailable as error:
                log.warning("a checkpoint of step %s stays: %s", self._message.step_id, error)
            self._kept.remove(ref)


def _epochs(message: PrepareMessage | TrainMessage) -> int:
    """At most so many, of all models that the step trains."""
    if isinstance(message, PrepareMessage):
        return message.train.warmup_epochs
    return message.train.epochs * (1 if message.alone is None else 2)


def _read(message: PrepareMessage | TrainMessage, data: bytes, rows: SiteRows) -> Underway:
    """Raises: ArtifactInvalid."""
    train, trains_alone = message.train, isinstance(message, TrainMessage) and message.alone is not None
    of_each = _epochs(message) // (2 if trains_alone else 1)
    return decode_underway(
        data,
        steps.layout(message.model, rows),
        steps.momentum_layout(message.model, rows) if train.momentum else {},
        train.seeks_best(of_each),
        trains_alone,
        of_each,
    )
