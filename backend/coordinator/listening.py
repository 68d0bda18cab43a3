"""Times in which nobody coordinated, as rows, so that they outlive processes (`runs.listening` says what follows from them)."""

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from backend.coordinator import sites_repository
from backend.db.tables import BreakRow, HeartbeatRow
from backend.runs.listening import Break, Listening, shortened
from backend.runs.repository import listening
from backend.runs.waiting import COORDINATOR

MOST = 500
"""So many breaks are told apart: those of a year of nights."""

EVER = datetime(1970, 1, 1, tzinfo=UTC)
_NO_BREAK_S = 3.0
"""Between two signs of life of one that coordinates without a break."""


def begin(session: Session, now: datetime) -> Listening:
    """For whoever begins to coordinate, or has seen its clock jump: until now there was a break, unless somebody coordinated a moment
    ago. In a new place, or a restored one, nobody ever did."""
    row = session.get(HeartbeatRow, COORDINATOR)
    until = EVER if row is None else row.at
    if (now - until).total_seconds() > _NO_BREAK_S:
        return add(session, until, now)
    return _keep(session, listening(session).breaks, now)


def add(session: Session, began: datetime, now: datetime) -> Listening:
    """A break that ends now."""
    return _keep(session, [*listening(session).breaks, (began, now)], now)


def note(session: Session, now: datetime) -> None:
    """That somebody coordinates."""
    sites_repository.beat(session, COORDINATOR, now, {})


def _keep(session: Session, breaks: Iterable[Break], now: datetime) -> Listening:
    """What lies ahead was told by a clock that was ahead."""
    kept = Listening(shortened([(began, min(ended, now)) for began, ended in breaks if began < now], MOST))
    session.execute(delete(BreakRow))
    session.add_all(BreakRow(began_at=began, ended_at=ended) for began, ended in kept.breaks)
    session.flush()
    return kept
