"""SQL of runs. They change by compare-and-set, because the API writes them, too."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import CursorResult, func, select, update
from sqlalchemy.orm import Session

from backend.coordinator import repository
from backend.db.tables import EventRow, RunRow
from backend.runs import states


def move_run(session: Session, run_id: str, following: str, **values: Any) -> bool:
    """Compare-and-set of a run's state; whether it was this call that moved it."""
    done = session.execute(
        update(RunRow)
        .where(RunRow.id == run_id, RunRow.state.in_(states.sources("run", following)))
        .values(state=following, revision=RunRow.revision + 1, **values)
    )
    assert isinstance(done, CursorResult)
    if following in states.RUN_ENDS:
        repository.forget_matched(session, run_id)
    return done.rowcount == 1


def runs_in(session: Session, wanted: Collection[str], at_most: int | None = None) -> Sequence[RunRow]:
    return session.scalars(
        select(RunRow)
        .where(RunRow.state.in_(wanted))
        .order_by(RunRow.id)
        .limit(at_most)
        .execution_options(populate_existing=True)
    ).all()


def ids_in(session: Session, wanted: Collection[str]) -> Sequence[str]:
    """Of the runs in these states."""
    return session.scalars(select(RunRow.id).where(RunRow.state.in_(wanted)).order_by(RunRow.id)).all()


def runs_sharing(session: Session, pilot_id: str, seed: int) -> Sequence[RunRow]:
    """Live runs that start from the same prepared models."""
    return session.scalars(
        select(RunRow)
        .where(RunRow.pilot_id == pilot_id, RunRow.seed == seed, RunRow.state.in_(states.RUN_LIVE))
        .order_by(RunRow.id)
        .execution_options(populate_existing=True)
    ).all()


def live_runs_of(session: Session, pilot_id: str) -> Sequence[RunRow]:
    return session.scalars(
        select(RunRow)
        .where(RunRow.pilot_id == pilot_id, RunRow.state.in_(states.RUN_LIVE))
        .order_by(RunRow.id)
        .execution_options(populate_existing=True)
    ).all()


def num_runs(session: Session, pilot_id: str) -> int:
    return session.scalar(select(func.count()).where(RunRow.pilot_id == pilot_id)) or 0


def is_announced(session: Session, pilot_id: str) -> bool:
    """Whether the pilot has an event already."""
    return session.scalar(select(EventRow.id).where(EventRow.pilot_id == pilot_id).limit(1)) is not None


def add_to_run(session: Session, run_id: str, amounts: dict[str, float]) -> None:
    """Adds to the counters of a run; with no amounts it only says that the run changed."""
    values = {name: getattr(RunRow, name) + amount for name, amount in amounts.items()}
    session.execute(update(RunRow).where(RunRow.id == run_id).values(revision=RunRow.revision + 1, **values))
