"""SQL of what reports are about: many rows of one table at once, by what names them."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from backend.db.parts import in_parts
from backend.db.tables import ArtifactRow


def rows_of(session: Session, key: InstrumentedAttribute[str], wanted: Collection[str]) -> list[Any]:
    """Rows of the table of `key` that have one of these values there."""
    found: list[Any] = []
    for some in in_parts(wanted):
        found += session.scalars(select(key.class_).where(key.in_(some)))
    return found


def those_known(session: Session, key: InstrumentedAttribute[str], wanted: Collection[str]) -> set[str]:
    """Those of the values that a row has as its `key`."""
    return {value for some in in_parts(wanted) for value in session.scalars(select(key).where(key.in_(some)))}


def artifacts_known(session: Session, wanted: Collection[str]) -> dict[str, bool]:
    """Those that have their row, and whether they are kept (`backend.retention`)."""
    rows = select(ArtifactRow.sha256, ArtifactRow.removed_at)
    return {
        sha256: removed_at is None
        for some in in_parts(wanted)
        for sha256, removed_at in session.execute(rows.where(ArtifactRow.sha256.in_(some)))
    }


def keep_again(session: Session, sha256: str) -> None:
    """A step has made it anew."""
    session.execute(update(ArtifactRow).where(ArtifactRow.sha256 == sha256).values(removed_at=None))
