"""SQL of exchanges."""

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from backend.db.tables import ExchangeRow, RoundRow


def of_run(run_id: str, round: int | None) -> Select[ExchangeRow]:
    query = select(ExchangeRow).where(ExchangeRow.run_id == run_id)
    return query if round is None else query.where(ExchangeRow.round == round)


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
