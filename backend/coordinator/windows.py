"""Sites that take work at certain times only: outside of its window nothing is sent to a site, and what was sent and has not begun is
taken back. What has begun goes to its end. While such a site is silent nothing is sent to it either: with every window one more message
that was taken back would lie in its queue.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy.orm import Session

from backend.coordinator import endings, repository
from backend.coordinator.changes import Changes
from backend.sites import windows

WINDOW_CLOSED = {"code": "window_closed", "params": {}}


class Windows:
    """`shut`: names of the sites to which nothing is sent since the last look."""

    def __init__(self) -> None:
        self.shut: Collection[str] = frozenset()

    def look(self, session: Session, now: datetime, is_behind: bool, changes: Changes) -> None:
        """`is_behind`: reports that a step has begun may not be taken yet."""
        closed = windows.closed(session, now)
        self.shut = frozenset(closed) | windows.away(session)
        if is_behind or not closed:
            return
        for step in repository.dispatched_to(session, closed):
            endings.take_back(step, now, changes, WINDOW_CLOSED)
