"""For how long something could have been heard: time without the breaks in which nobody coordinated. Pure.

That a server was off, was stopped, slept, or was restored from a backup is not the silence of its sites, however often it comes again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from backend.sites.window import Window

Break = tuple[datetime, datetime]
"""When it began and ended (UTC)."""


@dataclass(frozen=True)
class Listening:
    """`breaks`: in the order in which they ended."""

    breaks: Sequence[Break] = ()

    def heard_s(self, since: datetime, until: datetime, window: Window | None = None) -> float:
        """Seconds of the time from `since` to `until` in which somebody coordinated; of a site that takes work at certain times only,
        those within its window."""
        spans = ((begin, until if end is None else min(end, until)) for begin, end in self._heard(since))
        return sum(_seconds(begin, end, window) for begin, end in spans if begin < end)

    def when_heard(self, since: datetime, seconds: float, window: Window | None = None) -> datetime:
        """When so many seconds have been heard since then, if no further break comes: the inverse of `heard_s`."""
        left, at = seconds, since
        for begin, end in self._heard(since):
            at, open_s = begin, left if end is None else _seconds(begin, end, window)
            if left <= open_s:
                break
            left -= open_s
        return at + timedelta(seconds=left) if window is None else window.when_open_for(at, left)

    def may_judge_at(self, at: datetime, after_s: float) -> datetime:
        """`at`, or later: after a break that was longer than that everybody has the time `after_s` to say something before they are
        judged. Shorter ones, as of a broker that is away for moments, only do not count: else one every few seconds would put off all."""
        last = self.resumed_at(after_s)
        return at if last is None else max(at, last + timedelta(seconds=after_s))

    def resumed_at(self, longer_than_s: float) -> datetime | None:
        """When the last of the breaks ended that were longer than that; None: there was none."""
        long = (ended for began, ended in self.breaks if (ended - began).total_seconds() > longer_than_s)
        return max(long, default=None)

    def _heard(self, since: datetime) -> Iterator[tuple[datetime, datetime | None]]:
        """The times from `since` on in which somebody coordinated, in order; the last has no end."""
        at = since
        for began, ended in sorted(self.breaks):
            if ended > at:
                if began > at:
                    yield at, began
                at = ended
        yield at, None


def shortened(breaks: Sequence[Break], most: int) -> Sequence[Break]:
    """The first, which may be all time before, and the last ones; those between stand as one before these, as long as they were
    together, so that a wait that is older than them is as long as before.

    Args:
        most: how many are left at the most, at least 2.
    """
    num_old = len(breaks) - most + 1
    if num_old <= 1:
        return breaks
    old = breaks[1 : num_old + 1]
    together = sum((ended - began for began, ended in old), timedelta())
    end = old[-1][1]
    return [breaks[0], (end - together, end), *breaks[num_old + 1 :]]


def _seconds(begin: datetime, end: datetime, window: Window | None) -> float:
    return (end - begin).total_seconds() if window is None else window.seconds_open(begin, end)
