"""Since when somebody coordinates without a break, as a row, so that it outlives processes.

While nobody does, no sign of life is heard: that a server was off, or was restored from a backup, is not the silence of its sites.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from backend.coordinator import sites_repository
from backend.db.tables import HeartbeatRow
from backend.runs.waiting import COORDINATOR, listens_since


def since(session: Session, now: datetime, longest_break_s: float) -> datetime | None:
    """For whoever begins to coordinate, or has seen its clock jump: now, unless somebody did so until just now."""
    row = session.get(HeartbeatRow, COORDINATOR)
    if row is None or (now - row.at).total_seconds() > longest_break_s:
        return now
    known = listens_since(row.params)
    return known if known is None else min(known, now)  # a clock may have been ahead


def note(session: Session, now: datetime, since: datetime | None) -> None:
    """That somebody coordinates."""
    sites_repository.beat(session, COORDINATOR, now, {} if since is None else {"since": since.isoformat()})
