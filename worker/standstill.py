"""Steps that hang: on a store that never answers, on a disk that is gone. Their process lives and beats, so that nobody else would notice.

A step that computes uses the processor, one that fetches gets on from model to model; whoever does neither for long is ended, and the
step is tried again.
"""

import time
from collections.abc import Callable, Hashable, Iterator
from typing import Self

from worker.artifacts import ArtifactStore, Stored
from worker.limits import die
from worker.messages.refs import ArtifactRef
from worker.reporting import Every

LOOK_EVERY_S = 1.0
IDLE_SHARE, IDLE_CPU_S = 0.01, 1.0
"""Of the processor's time, and seconds of it at any rate: the thread that tells that the step lives needs some, too."""


class Standstill:
    """Since when nothing moves. Pure: it is told all that it knows.

    Args:
        at_s, cpu_s: seconds of any clock, and of the processor's time that the process has used. mark: changes when the step gets on.
    """

    def __init__(self, at_s: float, cpu_s: float, mark: Hashable) -> None:
        self._at_s, self._cpu_s, self._mark = at_s, cpu_s, mark

    def seconds(self, at_s: float, cpu_s: float, mark: Hashable) -> float:
        """For how long the step has stood still."""
        passed_s = at_s - self._at_s
        if mark != self._mark or cpu_s - self._cpu_s > max(IDLE_SHARE * passed_s, IDLE_CPU_S):
            self._at_s, self._cpu_s, self._mark = at_s, cpu_s, mark
            return 0.0
        return passed_s


class Watched:
    """A store that tells when a file has come or gone, in whatever step."""

    def __init__(self, store: ArtifactStore, moved: Callable[[], None]) -> None:
        self._store, self._moved = store, moved

    def put(self, content: bytes) -> ArtifactRef:
        ref = self._store.put(content)
        self._moved()
        return ref

    def get(self, ref: ArtifactRef) -> bytes:
        content = self._store.get(ref)
        self._moved()
        return content

    def has(self, ref: ArtifactRef) -> bool:
        return self._store.has(ref)

    def remove(self, ref: ArtifactRef) -> None:
        self._store.remove(ref)

    def stored(self) -> Iterator[Stored]:
        return self._store.stored()

    def discard(self, file: Stored) -> bool:
        return self._store.discard(file)

    def identity(self) -> str | None:
        return self._store.identity()

    def identify(self) -> str:
        return self._store.identify()


class StandstillWatch:
    """While it is open, `tell(seconds)` and then `end()` are called once, in a thread, when the step has stood still for `after_s`."""

    def __init__(
        self,
        after_s: float,
        mark: Callable[[], Hashable],
        tell: Callable[[float], None],
        end: Callable[[], None] = die,
    ) -> None:
        self._after_s, self._mark, self._tell, self._end = after_s, mark, tell, end
        self._still = Standstill(time.monotonic(), time.process_time(), mark())
        self._is_told = False
        self._every = Every(min(LOOK_EVERY_S, after_s), self._look, "step-standstill")

    def __enter__(self) -> Self:
        self._every.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._every.__exit__()

    def _look(self) -> None:
        seconds = self._still.seconds(time.monotonic(), time.process_time(), self._mark())
        if self._is_told or seconds < self._after_s:
            return
        self._is_told = True
        self._tell(seconds)
        self._end()
