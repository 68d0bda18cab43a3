"""Opens the rounds of pilots that have a timetable. The timers are rows, so that whoever coordinates next goes on with them.

A round is opened for all runs of the pilot at once, when its time has come and every run at work has done the round before; how many
times went by until then does not matter: the round begins late, once, and the next one at the first time after that.
"""

from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from backend.coordinator import apart, runs_repository
from backend.coordinator.advance import Advance
from backend.coordinator.changes import Changes
from backend.coordinator.memory import Plans
from backend.coordinator.rounds_due import may_open, set_timer
from backend.db.tables import RoundTimerRow, RunRow
from backend.events.service import record
from backend.pilots.timers import AT_WORK

AHEAD = timedelta(hours=1)
"""By how much a clock must have been ahead before what it set is not believed. A little less would have a round begin twice where a
clock is put right by minutes."""


class Timers:
    """Within the caller's transaction, each pilot apart from the others."""

    def __init__(self, plans: Plans, advance: Advance) -> None:
        self._plans, self._advance = plans, advance

    def look(self, session: Session, now: datetime, changes: Changes) -> None:
        """At every round that is due and not yet opened."""
        at_work = exists().where(RunRow.pilot_id == RoundTimerRow.pilot_id, RunRow.state.in_(AT_WORK))
        due = (RoundTimerRow.opened_at.is_(None), RoundTimerRow.due_at <= now, at_work)
        for timer in session.scalars(select(RoundTimerRow).where(*due)).all():
            work = partial(self._look_at, session, timer, now)
            pilot_id = timer.pilot_id
            error = apart.attempt(session, work, changes, f"the timer of pilot {pilot_id}")
            if error is not None:  # its runs would wait for this round for ever
                self._advance.give_up_pilot(session, pilot_id, error, now, changes)

    def bring_back_from_the_future(self, session: Session, now: datetime) -> None:
        """Timers that a clock set which was ahead: the pilot would stand still until it is then."""
        ahead = (RoundTimerRow.opened_at.is_(None), RoundTimerRow.set_at > now + AHEAD)
        for timer in session.scalars(select(RoundTimerRow).where(*ahead)).all():
            spec = self._plans.readable(session, timer.pilot_id)
            if spec is not None and spec.timetable is not None:
                timer.set_at, timer.due_at = now, spec.timetable.next_after(now)

    def _look_at(self, session: Session, timer: RoundTimerRow, now: datetime, changes: Changes) -> None:
        runs = runs_repository.live_runs_of(session, timer.pilot_id)
        if not may_open(timer.round, ((run.state, run.rounds_done) for run in runs)):
            return
        timer.opened_at = now
        record(session, "round_opened", pilot_id=timer.pilot_id, params={"round": timer.round})
        set_timer(session, self._plans, timer.pilot_id, timer.round + 1, now)
        session.flush()
        for run in runs:
            changes.touch(run.id)
            work = partial(self._advance.look_again, session, run, now)
            self._advance.apart(session, [run], work, now, changes)
