"""Lets arms that train alone go on when the others have come nearer (`runs.lead`): nobody would look at them again."""

from datetime import datetime
from functools import partial

from sqlalchemy.orm import Session

from backend.coordinator.advance import MOVING, Advance
from backend.coordinator.changes import Changes
from backend.coordinator.memory import Plans
from backend.db.tables import RunRow
from backend.runs.lead import slowest_of_others, trains_alone


class Leads:
    """Within the caller's transaction. What is remembered saves looks: whoever remembers nothing looks once at every run."""

    def __init__(self, plans: Plans, advance: Advance) -> None:
        self._plans, self._advance = plans, advance
        self._known: dict[str, int] = {}
        """By run the last round that could begin when it was looked at."""

    def look(self, session: Session, now: datetime, changes: Changes) -> None:
        slowest = slowest_of_others(session)
        for id in self._known.keys() - slowest.keys():  # it waits for nobody any more
            self._go_on(session, id, now, changes)
            del self._known[id]
        for id, one in slowest.items():
            if one.last_round > self._known.get(id, -1):
                self._go_on(session, id, now, changes)
            self._known[id] = one.last_round

    def _go_on(self, session: Session, id: str, now: datetime, changes: Changes) -> None:
        run = session.get(RunRow, id, populate_existing=True)
        if run is None or run.state not in MOVING:
            return
        work = partial(self._look_at, session, run, now)
        self._advance.apart(session, [run], work, now, changes)

    def _look_at(self, session: Session, run: RunRow, now: datetime, changes: Changes) -> None:
        if trains_alone(self._plans.run(session, run).schedule, min(run.rounds_done + 1, run.rounds)):
            self._advance.look_again(session, run, now, changes)
