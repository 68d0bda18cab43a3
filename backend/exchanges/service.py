"""What crossed a run's or a pilot's links, for reading: rows, sums, and a table for a spreadsheet."""

import csv
import io
from collections.abc import Iterator, Mapping

from sqlalchemy.orm import Session

from backend.db.paging import Order, page
from backend.db.session import Database
from backend.db.tables import ExchangeRow, RunRow
from backend.exchanges import ledger, repository
from backend.exchanges.raw_data import raw_data_bytes
from backend.exchanges.repository import Wanted
from backend.exchanges.schemas import Exchange, ExchangePage, Ledger, Match, Matches
from backend.pilots import service as pilots
from backend.pilots.specs import stored_spec
from backend.runs import service as runs
from backend.runs.standing import standing
from backend.web import ListQuery
from dimat.spec import PilotSpec

_ORDER = (Order(ExchangeRow.round), Order(ExchangeRow.id))
_AT_ONCE = 1000
COLUMNS = (
    "round", "from_site", "to_site", "purpose", "fetched_for", "result", "rejected", "attempt", "wire_format", "num_bytes",
    "unknown_bytes", "raw_data_bytes", "seconds", "taken_over", "matched_correlation", "in_place_fraction", "id",
)  # fmt: skip
"""Of the table for a spreadsheet, in this order: fields of `Exchange`."""


def list_exchanges(session: Session, run_id: str, paging: ListQuery, wanted: Wanted) -> ExchangePage:
    """Raises: NotFound."""
    run = runs.row_of(session, run_id)
    spec, stands = runs.spec_of(session, run), standing(session, [run])
    query = repository.of_run(run.id, wanted, stands)
    found = page(session, query, _ORDER, paging.cursor, paging.limit)
    items = [_exchange(row, run, spec, stands) for row in found.rows]
    return ExchangePage(items=items, next_cursor=found.next_cursor, total=found.total)


def as_csv(database: Database, run_id: str, wanted: Wanted) -> Iterator[str]:
    """The table in parts, from rows of one moment; nothing is read before the first part is asked for."""
    with database.read() as session:
        run = runs.row_of(session, run_id)
        spec, stands = runs.spec_of(session, run), standing(session, [run])
        yield _lines([COLUMNS])
        query = repository.of_run(run.id, wanted, stands).order_by(ExchangeRow.round, ExchangeRow.id)
        for rows in session.scalars(query.execution_options(yield_per=_AT_ONCE)).partitions():
            told = [_exchange(row, run, spec, stands).model_dump() for row in rows]
            yield _lines([["" if one[name] is None else one[name] for name in COLUMNS] for one in told])


def check(session: Session, run_id: str) -> None:
    """Raises: NotFound, while that can still be answered."""
    runs.row_of(session, run_id)


def of_run(session: Session, run_id: str) -> Ledger:
    """Raises: NotFound."""
    run = runs.row_of(session, run_id)
    sums = repository.sums_of_run(session, run.id, standing(session, [run]))
    return ledger.ledger(sums, runs.spec_of(session, run), repository.taken_over(session, run))


def of_pilot(session: Session, pilot_id: str) -> Ledger:
    """Raises: NotFound."""
    pilot = pilots.row_of(session, pilot_id)
    stands = standing(session, repository.runs_of(session, pilot.id))
    return ledger.ledger(repository.sums_of_pilot(session, pilot.id, stands), stored_spec(pilot), 0)


def list_matches(session: Session, run_id: str) -> Matches:
    """Raises: NotFound."""
    runs.row_of(session, run_id)
    return Matches(
        rounds=[
            Match(round=round, correlation=alike, in_place=stayed, cycle_inconsistency=apart)
            for round, alike, stayed, apart in repository.matches(session, run_id)
        ]
    )


def _exchange(row: ExchangeRow, run: RunRow, spec: PilotSpec, stands: Mapping[str, int]) -> Exchange:
    names = spec.site_names
    return Exchange.model_validate(
        {
            "id": row.id, "round": row.round, "attempt": row.attempt, "from_index": row.from_index,
            "from_site": names[row.from_index], "to_index": row.to_index, "to_site": names[row.to_index],
            "purpose": _purpose(row, stands), "fetched_for": row.purpose, "result": row.result, "num_bytes": row.num_bytes,
            "unknown_bytes": row.unknown_bytes, "raw_data_bytes": raw_data_bytes(row.purpose, row.num_bytes),
            "seconds": row.seconds, "wire_format": row.wire_format,
            "taken_over": run.from_round is not None and row.round <= run.from_round,
            "matched_correlation": row.matched_correlation, "in_place_fraction": row.in_place_fraction,
            "rejected": row.rejected,
        }
    )  # fmt: skip


def _purpose(row: ExchangeRow, stands: Mapping[str, int]) -> str:
    """As `repository.purpose`, of a row at hand."""
    if row.result != "accepted" or row.round > stands.get(row.run_id, row.round):
        return "wasted"
    return "merge" if row.purpose == "moments" else row.purpose


def _lines(rows: object) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)  # type: ignore[arg-type]
    return text.getvalue()
