"""The time by which the coordinator waits: the time of day, without small steps back.

A clock that is put back a little would leave pauses and leases in the future, so that this one is not put back, and from then on is ahead of it
by so much, at most `JUMP_S`. One that is set anew (by hand, by the network after a start with a wrong time) or stood still while the machine
slept is followed, wherever it goes: else every timetable would be wrong for as long as the process lives.
`Jumps` tells whoever waits by it: what was measured across a jump is no length of time.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from backend.db.tables import utc_now

JUMP_S = 5.0
"""More than clocks are corrected by in passing."""


class Forward:
    """Asked for the time, it gives one that is never a little before the last."""

    def __init__(
        self, wall: Callable[[], datetime] = utc_now, uptime_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall, self._uptime_s = wall, uptime_s
        self._last, self._asked_at = wall(), uptime_s()

    def __call__(self) -> datetime:
        asked_at = self._uptime_s()
        expected = self._last + timedelta(seconds=asked_at - self._asked_at)
        wall = self._wall()
        is_set_back = (expected - wall).total_seconds() > JUMP_S
        self._last, self._asked_at = wall if is_set_back else max(wall, expected), asked_at
        return self._last


class Jumps:
    """Whether the time of day went another way than time passes."""

    def __init__(self, now: datetime, uptime_s: float) -> None:
        self._now, self._uptime_s = now, uptime_s

    def between(self, now: datetime, uptime_s: float) -> bool:
        """Since it was last asked."""
        passed_s = uptime_s - self._uptime_s
        ahead_s = (now - self._now).total_seconds() - passed_s
        self._now, self._uptime_s = now, uptime_s
        return abs(ahead_s) > JUMP_S
