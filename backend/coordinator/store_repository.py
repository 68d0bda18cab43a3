"""The store as rows: which one it is, and what was put into it."""

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from backend.db.tables import ArtifactRow, StoreRow
from worker.messages.refs import ArtifactRef

LOOKED_FOR = 3
"""So many models say whether a place is the store: one alone may be damaged."""


def noted(session: Session) -> str | None:
    """The store's identity; None: none was ever seen."""
    return session.scalar(select(StoreRow.identity))


def note(session: Session, identity: str) -> None:
    """From now on it is this one."""
    session.execute(delete(StoreRow))
    session.add(StoreRow(identity=identity))


def artifacts_put_last(session: Session) -> list[ArtifactRef]:
    """Of those that are kept."""
    kept = select(ArtifactRow.sha256, ArtifactRow.num_bytes).where(ArtifactRow.removed_at.is_(None))
    rows = session.execute(kept.order_by(ArtifactRow.created_at.desc()).limit(LOOKED_FOR))
    return [ArtifactRef(sha256=sha256, num_bytes=num_bytes) for sha256, num_bytes in rows]


def has_put(session: Session) -> bool:
    """Whether anything was ever put, also what was removed since."""
    return bool(session.scalar(select(exists().select_from(ArtifactRow))))
