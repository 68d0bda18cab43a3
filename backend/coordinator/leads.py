"""Lets runs go on that waited for arms behind them, when those have come nearer (`runs.lead`): nobody would look at them again."""

from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session

from backend.coordinator.advance import MOVING, Advance
from backend.coordinator.changes import Changes
from backend.db.tables import RunRow
from backend.runs.lead import slowest_of_others


class Leads:
    """Within the caller's transaction."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance
        self._is_new = True

    def look(self, session: Session, now: datetime, changes: Changes) -> None:
        """At runs of which steps were held, once they may go further. Whoever coordinates anew does not know which those are."""
        held, slowest = self._advance.held, slowest_of_others(session)
        if self._is_new:
            held = dict.fromkeys(slowest, -1) | held
        self._is_new = False
        for id, last_round in list(held.items()):
            if id in slowest and slowest[id].last_round <= last_round:
                continue
            self._advance.held.pop(id, None)
            run = session.get(RunRow, id, populate_existing=True)
            if run is not None and run.state in MOVING:  # else it is looked at when it goes on
                work = partial(self._advance.look_again, session, run, now)
                self._advance.apart(session, [run], work, now, changes)
