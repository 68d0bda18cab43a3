"""A worker that lives and hears of nothing: after a connection that was lost unseen its consumer waits for messages that the broker hands to
nobody, or for ever in one read. It beats, so that its sites look online, and their steps would wait for ever. It notices by itself and
begins anew.
"""

import logging
import os
import sys
from collections.abc import Collection

import psutil
import redis
from celery.platforms import EX_OK
from celery.worker import state

from worker.app import connect

log = logging.getLogger(__name__)
DEAF_AFTER = 20
"""So many looks in turn that find messages waiting though a process is free. Looks and not seconds: those of a process that
was stopped, or of a machine that slept, count for nothing."""


class Hearing:
    """Whether what waits is taken. Pure: it is told all that it knows."""

    def __init__(self) -> None:
        self._in_vain, self._turns = 0, 0

    def is_lost(self, is_full: bool, num_waiting: int, turns: int) -> bool:
        """After one more look.

        Args:
            is_full: whether each process of the worker has a step in hand, taken or running: what waits then waits for that.
            num_waiting: messages in the queues that it serves.
            turns: of Celery's loop so far. One that stands still takes nothing, and does not even learn that a step is done.
        """
        may_wait = num_waiting == 0 or (is_full and turns != self._turns)
        self._turns = turns
        self._in_vain = 0 if may_wait else self._in_vain + 1
        return self._in_vain >= DEAF_AFTER


class Listening:
    """Looks at the queues of this process; once nothing is heard it asks Celery to stop, and begins anew by itself if that comes to nothing."""

    def __init__(self, broker_url: str, num_processes: int) -> None:
        self._redis, self._hearing, self._num_processes = connect(broker_url), Hearing(), num_processes
        self._looks_since_lost, self._turns = 0, 0
        self.was_told_to_end = False

    @property
    def was_lost(self) -> bool:
        """Whether the worker ends for this."""
        return self._looks_since_lost > 0

    def turn(self) -> None:
        """Celery's loop goes on; from its thread."""
        self._turns += 1

    def look(self, queues: Collection[str]) -> None:
        """A broker that does not answer says nothing of the worker's own connection."""
        if self.was_lost:
            self._looks_since_lost += 1
            if self._looks_since_lost > DEAF_AFTER:
                log.error("the worker did not stop and begins anew without")
                begin_anew()
            return
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                for queue in queues:
                    pipe.llen(queue)
                num_waiting = sum(pipe.execute())
        except redis.RedisError:
            return
        is_full = len(state.reserved_requests) >= self._num_processes
        if self._hearing.is_lost(is_full, num_waiting, self._turns):
            log.error(
                "%d steps wait and none was taken at %d looks: the worker begins anew",
                num_waiting,
                DEAF_AFTER,
            )
            self._looks_since_lost = 1
            state.should_stop = EX_OK  # type: ignore[assignment]  # what its stubs know of it is how it begins


def begin_anew() -> None:
    """The same command takes the place of this process, from whichever thread. What its processes do is lost, and said to be."""
    left = psutil.Process().children(recursive=True)
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=10)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606
