"""The time by which the coordinator waits: the time of day, which never goes back.

A clock that is set back would leave every pause and every lease in the future, and the runs at a standstill until it has
caught up. Between two questions at least as much time passes as the machine has really been up (suspension counts).
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from backend.db.tables import utc_now


def _uptime_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Forward:
    """Asked for the time, it gives one that is never before the last."""

    def __init__(
        self, wall: Callable[[], datetime] = utc_now, uptime_s: Callable[[], float] = _uptime_s
    ) -> None:
        self._wall, self._uptime_s = wall, uptime_s
        self._last, self._asked_at = wall(), uptime_s()

    def __call__(self) -> datetime:
        asked_at = self._uptime_s()
        self._last = max(self._wall(), self._last + timedelta(seconds=asked_at - self._asked_at))
        self._asked_at = asked_at
        return self._last
