"""Lets runs go on that waited for arms behind them, when those have come nearer (`runs.lead`): nobody would look at them again."""

from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session

from backend.coordinator import runs_repository
from backend.coordinator.advance import MOVING, Advance
from backend.coordinator.changes import Changes
from backend.coordinator.memory import Plans
from backend.db.tables import RunRow
from backend.runs.lead import slowest_of_others, trains_alone


class Leads:
    """Within the caller's transaction."""

    def __init__(self, plans: Plans, advance: Advance) -> None:
        self._plans, self._advance = plans, advance
        self._is_new = True

    def look(self, session: Session, now: datetime, changes: Changes) -> None:
        """At runs of which steps were held, once they may go further. Whoever coordinates anew does not know which those are, nor
        whether what held them is still there."""
        held = self._advance.held
        if self._is_new:
            held |= dict.fromkeys(runs_repository.ids_in(session, MOVING), -1)
        self._is_new = False
        slowest = slowest_of_others(session)
        for id, last_round in list(held.items()):
            if id in slowest and slowest[id].last_round <= last_round:
                continue
            held.pop(id)
            run = session.get(RunRow, id, populate_existing=True)
            if run is not None and run.state in MOVING:  # else it is looked at when it goes on
                self._advance.apart(session, [run], partial(self._look, session, run, now), now, changes)

    def _look(self, session: Session, run: RunRow, now: datetime, changes: Changes) -> None:
        schedule = self._plans.run(session, run).schedule
        if any(trains_alone(schedule, round) for round in range(run.rounds_done + 1, run.rounds + 1)):
            self._advance.look_again(session, run, now, changes)
