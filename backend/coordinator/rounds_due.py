"""Whether a round that is due may begin, and when the next one is."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from backend.coordinator.memory import Plans
from backend.db.tables import RoundTimerRow
from backend.pilots.timers import AT_WORK


def may_open(round: int, runs: Iterable[tuple[str, int]]) -> bool:
    """Whether a round that is due may begin: somebody is at work, and who is has done the round before.

    Args:
        runs: of each live run of the pilot its state and the last round that it has done (-1: not even the start state).
    """
    at_work = [rounds_done for state, rounds_done in runs if state in AT_WORK]
    return bool(at_work) and min(at_work) >= round - 1


def set_timer(session: Session, plans: Plans, pilot_id: str, round: int, now: datetime) -> None:
    """The round is due at the next time of the pilot's timetable. Nothing is set for a pilot without one, or after its last round."""
    spec = plans.spec(session, pilot_id)
    if spec.timetable is None or round > spec.rounds:
        return
    due_at = spec.timetable.next_after(now)
    session.add(RoundTimerRow(pilot_id=pilot_id, round=round, set_at=now, due_at=due_at))


def set_first_timer(session: Session, plans: Plans, pilot_id: str, now: datetime) -> None:
    """As the first run of the pilot starts; afterwards it changes nothing."""
    if session.get(RoundTimerRow, (pilot_id, 1)) is None:
        set_timer(session, plans, pilot_id, 1, now)
