"""Calls in processes of their own that end when the caller does, whatever its end. Knows nothing of pilots; must not import torch."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, connection, get_context, parent_process
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")
WAIT_S = 2.0


class ProcessEnded(Exception):
    """One of the processes was ended from outside."""


def in_processes(
    jobs: int, function: Callable[..., T], calls: Sequence[tuple[Any, ...]]
) -> Iterator[tuple[int, T]]:
    """The position of each call and what it gave, as they are done. To be called in the main thread.

    Raises:
        ProcessEnded: the system ended a process, as it does when memory runs out. What a call raises.
    """
    # A fork of a process that has computed with torch may hang: every process starts afresh.
    pool = ProcessPoolExecutor(min(jobs, len(calls)), get_context("spawn"), initializer=_end_with_parent)
    try:
        under_way = _submitted(pool, function, calls)
        for done in as_completed(list(under_way)):
            yield under_way.pop(done), done.result()
        pool.shutdown()
    except BrokenProcessPool as error:
        raise ProcessEnded(
            "the system ended one of the processes, as it does when memory runs out. Choose fewer --jobs."
        ) from error
    finally:
        # After an error or Ctrl-C; at the ordinary end there are none left.
        pool.shutdown(wait=False, cancel_futures=True)
        children = active_children()
        for child in children:
            child.terminate()
        for child in children:
            child.join(WAIT_S)


def _submitted(
    pool: ProcessPoolExecutor, function: Callable[..., T], calls: Sequence[tuple[Any, ...]]
) -> dict[Future[T], int]:
    """Ctrl-C in a terminal reaches every process in it; only this one is to answer, so that the others, which inherit the mask,
    print no tracebacks. They are ended by it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return {pool.submit(function, *given): position for position, given in enumerate(calls)}
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end_with_parent() -> None:
    """A process that waits for work would outlive a parent that was killed."""
    parent = parent_process()
    assert parent is not None, "a child has a parent"

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    Thread(target=watch, daemon=True).start()
