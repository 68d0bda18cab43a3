"""HTTP of the byte ledger: exchanges of a run, sums of a run and of a pilot."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from backend.auth.guard import needs
from backend.auth.principal import Principal
from backend.exchanges import service
from backend.exchanges.repository import Wanted
from backend.exchanges.schemas import ExchangePage, Ledger, Matches, Purpose
from backend.problems import responses
from backend.web import AppDatabase, Id, Paging, ReadSession

router = APIRouter(prefix="/runs", tags=["runs"])
pilot_router = APIRouter(prefix="/pilots", tags=["pilots"])
Reads = Annotated[Principal, Depends(needs("runs.read"))]
ReadsPilots = Annotated[Principal, Depends(needs("pilots.read"))]
Site = Annotated[int | None, Query(ge=0, le=100_000, description="Index of a site in the pilot.")]


def wanted(
    round: Annotated[int | None, Query(ge=0, le=100_000)] = None,
    from_index: Site = None,
    to_index: Site = None,
    purpose: Purpose | None = None,
) -> Wanted:
    return Wanted(round, from_index, to_index, purpose)


Filter = Annotated[Wanted, Depends(wanted)]


class Csv(StreamingResponse):
    media_type = "text/csv"


@router.get("/{run_id}/exchanges", responses=responses(401, 403, 404, 422))
def list_exchanges(
    run_id: Id, _: Reads, session: ReadSession, paging: Paging, wanted: Filter
) -> ExchangePage:  # fmt: skip
    """By round, then in no order that means anything."""
    return service.list_exchanges(session, run_id, paging, wanted)


@router.get("/{run_id}/exchanges.csv", response_class=Csv, responses=responses(401, 403, 404, 422))
def export_exchanges(
    run_id: Id, _: Reads, session: ReadSession, database: AppDatabase, wanted: Filter
) -> Csv:
    """The same list whole, as a table for a spreadsheet."""
    service.check(session, run_id)
    named = {"Content-Disposition": f'attachment; filename="exchanges-{run_id}.csv"'}
    return Csv(service.as_csv(database, run_id, wanted), headers=named)


@router.get("/{run_id}/ledger", responses=responses(401, 403, 404, 422))
def get_run_ledger(run_id: Id, _: Reads, session: ReadSession) -> Ledger:
    """Bytes over the run's links, by purpose and by link."""
    return service.of_run(session, run_id)


@router.get("/{run_id}/matches", responses=responses(401, 403, 404, 422))
def list_matches(run_id: Id, _: Reads, session: ReadSession) -> Matches:
    """How well the units of neighbours' models were matched, round by round."""
    return service.list_matches(session, run_id)


@pilot_router.get("/{pilot_id}/ledger", responses=responses(401, 403, 404, 422))
def get_pilot_ledger(pilot_id: Id, _: ReadsPilots, session: ReadSession) -> Ledger:
    """Bytes over links of all the pilot's runs, by purpose and by link."""
    return service.of_pilot(session, pilot_id)
