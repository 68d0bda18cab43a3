"""SQL of explanations: what a run's sites are doing, and who shares their workers."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from backend.db.tables import EventRow, HeartbeatRow, RunRow, SiteRow, StepRow
from backend.runs.coordinating import WITHOUT_BROKER
from backend.runs.waiting import COORDINATOR


def steps(session: Session, run: RunRow, since_round: int) -> Sequence[StepRow]:
    """The run's own from this round on, and all that prepare its start models."""
    own = and_(StepRow.run_id == run.id, StepRow.round >= since_round)
    shared = and_(StepRow.run_key == "", StepRow.pilot_id == run.pilot_id, StepRow.seed == run.seed)
    return session.scalars(select(StepRow).where(or_(own, shared)).order_by(StepRow.id)).all()


def sites(session: Session, names: Collection[str]) -> dict[str, SiteRow]:
    rows = session.scalars(select(SiteRow).where(SiteRow.name.in_(names)))
    return {row.name: row for row in rows}


def last_event(session: Session, run_id: str, code: str) -> datetime | None:
    """When this was last told of the run."""
    found = select(EventRow.at).where(EventRow.run_id == run_id, EventRow.code == code)
    return session.scalar(found.order_by(EventRow.id.desc()).limit(1))


def signs_of_life(session: Session) -> Sequence[HeartbeatRow]:
    """The coordinator's."""
    wanted = HeartbeatRow.part.in_((COORDINATOR, WITHOUT_BROKER))
    return session.scalars(select(HeartbeatRow).where(wanted)).all()
