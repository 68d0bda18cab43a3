"""The models that crossed a run's links, for reading."""

from sqlalchemy.orm import Session

from backend.db.paging import Order, page
from backend.db.tables import ExchangeRow
from backend.exchanges import repository
from backend.exchanges.schemas import Exchange, ExchangePage, Match, Matches
from backend.runs import service as runs
from backend.web import ListQuery

_ORDER = (Order(ExchangeRow.round), Order(ExchangeRow.id))


def list_exchanges(session: Session, run_id: str, paging: ListQuery, round: int | None) -> ExchangePage:
    """Raises: NotFound."""
    names = runs.spec_of(session, runs.row_of(session, run_id)).site_names
    found = page(session, repository.of_run(run_id, round), _ORDER, paging.cursor, paging.limit)
    items = [
        Exchange.model_validate(
            {
                "id": row.id, "round": row.round, "attempt": row.attempt, "from_index": row.from_index,
                "from_site": names[row.from_index], "to_index": row.to_index, "to_site": names[row.to_index],
                "purpose": row.purpose, "result": row.result, "num_bytes": row.num_bytes,
                "seconds": row.seconds, "matched_correlation": row.matched_correlation,
                "in_place_fraction": row.in_place_fraction, "rejected": row.rejected,
            }
        )
        for row in found.rows
    ]  # fmt: skip
    return ExchangePage(items=items, next_cursor=found.next_cursor, total=found.total)


def list_matches(session: Session, run_id: str) -> Matches:
    """Raises: NotFound."""
    runs.row_of(session, run_id)
    return Matches(
        rounds=[
            Match(round=round, correlation=alike, in_place=stayed, cycle_inconsistency=apart)
            for round, alike, stayed, apart in repository.matches(session, run_id)
        ]
    )
