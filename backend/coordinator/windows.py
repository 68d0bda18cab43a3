"""Sites that take work at certain times only: outside of its window nothing is sent to a site, and what was sent and has not begun is
taken back. What has begun goes to its end."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy.orm import Session

from backend.coordinator import endings, repository
from backend.coordinator.changes import Changes
from backend.sites import windows

WINDOW_CLOSED = {"code": "window_closed", "params": {}}


class Windows:
    """`closed`: names of the sites whose window was closed at the last look."""

    def __init__(self) -> None:
        self.closed: Collection[str] = frozenset()

    def look(self, session: Session, now: datetime, is_behind: bool, changes: Changes) -> None:
        """`is_behind`: reports that a step has begun may not be taken yet."""
        self.closed = frozenset(windows.closed(session, now))
        if is_behind or not self.closed:
            return
        for step in repository.dispatched_to(session, self.closed):
            endings.take_back(step, now, changes, WINDOW_CLOSED)
