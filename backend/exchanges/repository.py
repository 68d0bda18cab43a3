"""SQL of exchanges: rows of the byte ledger, and sums over them.

What a run did in rounds that no longer stand, because it was restarted from an earlier one, was for nothing (`runs.standing`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, case, func, or_, select
from sqlalchemy.orm import Session

from backend.db.tables import ExchangeRow, RoundRow, RunRow
from backend.runs.standing import was_in_vain


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which exchanges; None = any."""

    round: int | None = None
    from_index: int | None = None
    to_index: int | None = None
    purpose: str | None = None


@dataclass(frozen=True, slots=True)
class Sums:
    """Of one purpose and link."""

    purpose: str
    fetched_for: str
    from_index: int
    to_index: int
    num_exchanges: int
    num_bytes: int
    unknown_bytes: int
    seconds: float


def runs_of(session: Session, pilot_id: str) -> Sequence[RunRow]:
    return session.scalars(select(RunRow).where(RunRow.pilot_id == pilot_id)).all()


def purpose(stands: Mapping[str, int]) -> ColumnElement[str]:
    """What the bytes of a row were good for. `stands`: see `runs.standing`."""
    return case(
        (was_in_vain(stands), "wasted"),
        (ExchangeRow.purpose == "moments", "merge"),
        else_=ExchangeRow.purpose,
    )


def of_run(run_id: str, wanted: Wanted, stands: Mapping[str, int]) -> Select[ExchangeRow]:
    query = select(ExchangeRow).where(ExchangeRow.run_id == run_id)
    columns = (ExchangeRow.round, ExchangeRow.from_index, ExchangeRow.to_index, purpose(stands))
    values = (wanted.round, wanted.from_index, wanted.to_index, wanted.purpose)
    for column, value in zip(columns, values, strict=True):
        if value is not None:
            query = query.where(column == value)
    return query


def sums_of_run(session: Session, run_id: str, stands: Mapping[str, int]) -> list[Sums]:
    return _sums(session, purpose(stands), ExchangeRow.run_id == run_id)


def sums_of_pilot(session: Session, pilot_id: str, stands: Mapping[str, int]) -> list[Sums]:
    """What a run took over from another one counts once, with that one."""
    own = or_(RunRow.from_round.is_(None), ExchangeRow.round > RunRow.from_round)
    return _sums(session, purpose(stands), RunRow.pilot_id == pilot_id, own)


def taken_over(session: Session, run: RunRow) -> int:
    """Bytes of the rounds that the run took over."""
    if run.from_round is None:
        return 0
    theirs = (ExchangeRow.run_id == run.id, ExchangeRow.round <= run.from_round)
    return session.scalar(select(func.coalesce(func.sum(ExchangeRow.num_bytes), 0)).where(*theirs)) or 0


def _sums(session: Session, by: ColumnElement[str], *chosen: ColumnElement[bool]) -> list[Sums]:
    link = (ExchangeRow.from_index, ExchangeRow.to_index)
    query = (
        select(
            by,
            ExchangeRow.purpose,
            *link,
            func.count(),
            func.sum(ExchangeRow.num_bytes),
            func.sum(ExchangeRow.unknown_bytes),
            func.sum(ExchangeRow.seconds),
        )
        .join(RunRow, RunRow.id == ExchangeRow.run_id)
        .where(*chosen)
        .group_by(by, ExchangeRow.purpose, *link)
        .order_by(*link)
    )
    return [
        Sums(good_for, meant, a, b, count, int(num), int(unknown), float(seconds))
        for good_for, meant, a, b, count, num, unknown, seconds in session.execute(query)
    ]


def matches(session: Session, run_id: str) -> list[tuple[int, float, float, float | None]]:
    """Of each round in which units were matched: round, mean correlation, mean share in place, cycle inconsistency."""
    means = (
        select(
            ExchangeRow.round,
            func.avg(ExchangeRow.matched_correlation).label("correlation"),
            func.avg(ExchangeRow.in_place_fraction).label("in_place"),
        )
        .where(
            ExchangeRow.run_id == run_id,
            ExchangeRow.result == "accepted",
            ExchangeRow.matched_correlation.is_not(None),
        )
        .group_by(ExchangeRow.round)
        .subquery()
    )
    is_same = (RoundRow.run_id == run_id) & (RoundRow.round == means.c.round)
    query = select(means, RoundRow.cycle_inconsistency).outerjoin(RoundRow, is_same).order_by(means.c.round)
    return [
        (round, float(alike), float(stayed), apart) for round, alike, stayed, apart in session.execute(query)
    ]
