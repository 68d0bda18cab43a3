"""The store as rows: which one it is, and what was put into it."""

from sqlalchemy import delete, exists, or_, select
from sqlalchemy.orm import Session

from backend.db.tables import ArtifactRow, StepRow, StoreRow
from worker.messages.refs import ArtifactRef

LOOKED_FOR = 3
"""Of so many models one says that a place is the store: others may be damaged."""
COPIED = 100
"""So many models must all be there before a place is taken for a copy of the store, which may be under way."""


def noted(session: Session) -> str | None:
    """The store's identity; None: none was ever seen."""
    return session.scalar(select(StoreRow.identity))


def note(session: Session, identity: str) -> None:
    """From now on it is this one."""
    session.execute(delete(StoreRow))
    session.add(StoreRow(identity=identity))


def artifacts_put_last(session: Session, most: int) -> list[ArtifactRef]:
    """Of those that are kept."""
    kept = select(ArtifactRow.sha256, ArtifactRow.num_bytes).where(ArtifactRow.removed_at.is_(None))
    rows = session.execute(kept.order_by(ArtifactRow.created_at.desc()).limit(most))
    return [ArtifactRef(sha256=sha256, num_bytes=num_bytes) for sha256, num_bytes in rows]


def has_sent(session: Session) -> bool:
    """Whether a step was ever sent: what it has put may be told by a report that is still on its way."""
    sent = or_(StepRow.state != "ready", StepRow.attempt > 1)
    return bool(session.scalar(select(exists().where(sent))))
