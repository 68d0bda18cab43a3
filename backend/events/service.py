"""Events: one way to write them, one form in which they are read.

Only the coordinator may call `record`: a second writer could commit a lower id after a higher one was
read, and a reader of `id > last` would miss it for ever.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from backend.db.tables import EventRow, PilotRow, RunRow
from backend.errors import NotFound
from backend.events import repository
from backend.events.schemas import Event
from backend.text.schemas import Params

Line = dict[str, Any]


def record(
    session: Session,
    code: str,
    *,
    pilot_id: str | None = None,
    run_id: str | None = None,
    params: Params | None = None,
) -> EventRow:
    """Adds an event to the transaction; its sentence is `events.<code>` of the catalogue."""
    row = EventRow(code=code, pilot_id=pilot_id, run_id=run_id, params=dict(params or {}))
    session.add(row)
    return row


def has_told(session: Session, pilot_id: str, code: str, params: Params) -> bool:
    """Whether the pilot has this very event."""
    return params in repository.params_of(session, pilot_id, code)


def line(code: str, *, pilot_id: str | None, run_id: str | None, params: Params) -> Line:
    """An event for `record_all`."""
    return {"code": code, "pilot_id": pilot_id, "run_id": run_id, "params": dict(params)}


def record_all(session: Session, lines: Sequence[Line]) -> None:
    """As `record`, in their order and in one statement, which SQLite does not do for rows that are added."""
    if lines:
        session.execute(insert(EventRow), list(lines))


def must_exist(session: Session, run: str | None, pilot: str | None) -> None:
    """A stream of nothing would be silent for ever. Raises: NotFound."""
    if run is not None and session.get(RunRow, run) is None:
        raise NotFound("run", run)
    if pilot is not None and session.get(PilotRow, pilot) is None:
        raise NotFound("pilot", pilot)


def event(row: EventRow) -> Event:
    return Event(
        id=row.id, at=row.at, run_id=row.run_id, pilot_id=row.pilot_id, code=row.code, params=row.params
    )


def is_known(session: Session, id: int, at: datetime) -> bool:
    """Whether there is this event. An id alone may be another's by now: a database restored from an older copy counts
    again from there."""
    return repository.exists(session, id, at)
