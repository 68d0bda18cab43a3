"""What a step may take of its site's machine: threads, and memory. A process that grows beyond its limit says so and dies at once, before
the system has to choose whom to kill; waiting until the step heeds a request could take the machine down."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

import psutil
import torch

from worker.messages.steps import StepLimits
from worker.reporting import Every

MEMORY_POLL_S = 0.25
MB = 1_000_000


@contextmanager
def within_threads(limits: StepLimits) -> Iterator[None]:
    """Only ever fewer than the process has otherwise: one thread is what makes the bits the same everywhere (decision 7)."""
    configured = torch.get_num_threads()
    torch.set_num_threads(min(configured, limits.threads or configured))
    try:
        yield
    finally:
        torch.set_num_threads(configured)


def die() -> None:
    """The process ends here and now; its memory is free again."""
    os.kill(os.getpid(), signal.SIGKILL)


class MemoryWatch:
    """While it is open, `tell(used_mb, limit_mb)` and then `end()` are called once, in a thread, when this process holds more memory than
    allowed (resident set, as the system counts it)."""

    def __init__(
        self, limits: StepLimits, tell: Callable[[int, int], None], end: Callable[[], None] = die
    ) -> None:
        self._limit_mb, self._tell, self._end = limits.memory_mb, tell, end
        self._process = psutil.Process()
        self._is_told = False
        self._every = Every(MEMORY_POLL_S, self._look, "step-memory")

    def __enter__(self) -> Self:
        if self._limit_mb is not None:
            self._every.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._every.__exit__()

    def _look(self) -> None:
        used_mb = self._process.memory_info().rss // MB
        if self._limit_mb is None or self._is_told or used_mb <= self._limit_mb:
            return
        self._is_told = True
        self._tell(used_mb, self._limit_mb)
        self._end()
