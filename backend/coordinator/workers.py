"""Which workers are heard of, by this process's own clock. Pure.

It outlasts one that coordinates anew in the same process, after trouble with broker or database: where that comes again and again, nothing that
takes some time would ever be judged.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from backend.coordinator.ports import Execution
from backend.coordinator.reaper import FORGET_WORKER_AFTER_S
from worker.messages.reports import Report, WorkerBeat

WARMED_UP_AFTER_S = 20.0
"""A worker that has just started takes messages before its processes can begin them."""


@dataclass(frozen=True, slots=True)
class _Heard:
    """A worker: its last sign of life, when that came, and when the first did (monotonic seconds)."""

    beat: WorkerBeat
    at: float
    since: float


class Workers:
    """`at`, `now`: monotonic seconds."""

    def __init__(self) -> None:
        self._heard: dict[str, _Heard] = {}

    def hear(self, taken: Report, at: float) -> None:
        if isinstance(taken, WorkerBeat):
            known = self._heard.get(taken.worker_id)
            # A beat that came late is no new start: else messages lost by a worker of a bad connection would never be sent again.
            is_same = known is not None and known.beat.pid == taken.pid
            self._heard[taken.worker_id] = _Heard(taken, at, known.since if known and is_same else at)
        elif taken.kind == "worker_lost":
            self._heard.pop(taken.worker_id, None)

    def present(self, now: float, silent_after_s: float) -> Sequence[WorkerBeat]:
        """The last beats of those of which something was heard just now."""
        return [heard.beat for heard in self._present(now, silent_after_s)]

    def warm_queues(self, now: float, silent_after_s: float) -> set[str]:
        """Queues that some worker has served for long enough to begin what it takes."""
        return {
            queue
            for heard in self._present(now, silent_after_s)
            if now - heard.since >= WARMED_UP_AFTER_S
            for queue in heard.beat.queues
        }

    def forget_old(self, now: float) -> None:
        self._heard = {
            id: heard for id, heard in self._heard.items() if now - heard.at < FORGET_WORKER_AFTER_S
        }

    def _present(self, now: float, silent_after_s: float) -> list[_Heard]:
        return [heard for heard in self._heard.values() if now - heard.at < silent_after_s]


@dataclass(slots=True)
class Remembered:
    """What is handed on to it.

    Attributes:
        cancelling_since: by run when it was seen first that it is to be cancelled (monotonic seconds).
        stuck: executions that are to be killed, and of which the broker does not know yet.
    """

    workers: Workers = field(default_factory=Workers)
    cancelling_since: dict[str, float] = field(default_factory=dict)
    stuck: set[Execution] = field(default_factory=set)
