"""SQL of events."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.db.tables import EventRow


def after(
    session: Session, id: int, limit: int, run: str | None = None, pilot: str | None = None
) -> list[EventRow]:
    """Events later than `id`, oldest first, of a run or pilot when one is given."""
    query = select(EventRow).where(EventRow.id > id)
    if run is not None:
        query = query.where(EventRow.run_id == run)
    if pilot is not None:
        query = query.where(EventRow.pilot_id == pilot)
    return list(session.scalars(query.order_by(EventRow.id).limit(limit)))


def params_of(session: Session, pilot_id: str, code: str) -> Sequence[dict[str, Any]]:
    """Of the pilot's events of that code."""
    told = select(EventRow.params).where(EventRow.pilot_id == pilot_id, EventRow.code == code)
    return session.scalars(told).all()


def exists(session: Session, id: int, at: datetime) -> bool:
    return session.scalar(select(EventRow.at).where(EventRow.id == id)) == at


def last_id(session: Session) -> int:
    return session.scalar(select(func.max(EventRow.id))) or 0
