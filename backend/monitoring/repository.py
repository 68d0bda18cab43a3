"""SQL of what is counted for Prometheus: sums over all rows, nothing of a single run, site or person."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from backend.db.tables import ExchangeRow, HeartbeatRow, RunRow, SiteRow, StepRow


def by_state(session: Session, table: type[RunRow] | type[SiteRow]) -> dict[str, int]:
    chosen = select(table.state, func.count()).group_by(table.state)
    return {row[0]: row[1] for row in session.execute(chosen)}


def steps(session: Session) -> dict[tuple[str, str], int]:
    """(kind, state) -> number. Those that a restarted run took over are its parent's."""
    chosen = (
        select(StepRow.kind, StepRow.state, func.count())
        .outerjoin(RunRow, RunRow.id == StepRow.run_id)
        .where(_own(StepRow.round))
        .group_by(StepRow.kind, StepRow.state)
    )
    return {(kind, state): num for kind, state, num in session.execute(chosen)}


def attempts_lost(session: Session) -> int:
    """Attempts after which another one was made."""
    chosen = select(func.coalesce(func.sum(StepRow.attempt - 1 - StepRow.taken_back), 0)).outerjoin(
        RunRow, RunRow.id == StepRow.run_id
    )
    return int(session.scalar(chosen.where(_own(StepRow.round))) or 0)


def exchanged_bytes(session: Session) -> dict[str, int]:
    """By result."""
    chosen = (
        select(ExchangeRow.result, func.sum(ExchangeRow.num_bytes))
        .join(RunRow, RunRow.id == ExchangeRow.run_id)
        .where(_own(ExchangeRow.round))
        .group_by(ExchangeRow.result)
    )
    return {result: int(num_bytes) for result, num_bytes in session.execute(chosen)}


def heartbeats(session: Session) -> Mapping[str, tuple[datetime, Mapping[str, Any]]]:
    """Part -> when it was last alive, and what it says of itself."""
    return {row.part: (row.at, row.params) for row in session.scalars(select(HeartbeatRow))}


def site_names(session: Session) -> list[str]:
    return list(session.scalars(select(SiteRow.name).where(SiteRow.state != "revoked")))


def _own(round: Any) -> ColumnElement[bool]:
    """Rows of rounds that a run took over from its parent count once, with the parent."""
    return or_(RunRow.from_round.is_(None), round > RunRow.from_round)
