"""Which rounds of a pilot with a timetable may begin, and when the next one is due. The coordinator writes the timers
(`coordinator.timers`); who shows a pilot or a run reads them here."""

from collections.abc import Collection
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.db.tables import RoundTimerRow, RunRow

AT_WORK: Final = frozenset({"queued", "running", "resuming"})
"""States of runs that a round waits for, and that wait for it. Those that are paused catch up later with the rounds that were opened
meanwhile; while all are, none is."""


class NextRound(NamedTuple):
    """The round of a pilot that may begin next, and when it is due (UTC), which may be over: then it waits for runs at work that have not
    done the round before (`is_behind`), or is about to be opened."""

    round: int
    due_at: datetime
    is_behind: bool

    def may_begin(self, round: int) -> bool:
        """Whether steps of `round` may be done now."""
        return round < self.round


def next_round(session: Session, pilot_id: str) -> NextRound | None:
    """None: every round may begin as soon as the one before is done, as there is no timetable or the last round has been opened."""
    return next_rounds(session, [pilot_id]).get(pilot_id)


def next_rounds(session: Session, pilot_ids: Collection[str]) -> dict[str, NextRound]:
    """By pilot, as `next_round`; pilots for which it is None are left out."""
    done = (
        select(func.min(RunRow.rounds_done))
        .where(RunRow.pilot_id == RoundTimerRow.pilot_id, RunRow.state.in_(AT_WORK))
        .scalar_subquery()
    )
    rows = session.execute(
        select(RoundTimerRow.pilot_id, RoundTimerRow.round, RoundTimerRow.due_at, done).where(
            RoundTimerRow.pilot_id.in_(pilot_ids), RoundTimerRow.opened_at.is_(None)
        )
    )
    return {
        id: NextRound(round, due_at, done is not None and done < round - 1)
        for id, round, due_at, done in rows
    }
