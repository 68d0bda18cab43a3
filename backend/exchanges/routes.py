"""HTTP of a run's exchanges."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from backend.auth.guard import needs
from backend.auth.principal import Principal
from backend.exchanges import service
from backend.exchanges.schemas import ExchangePage, Matches
from backend.problems import responses
from backend.web import Id, Paging, ReadSession

router = APIRouter(prefix="/runs", tags=["runs"])


@router.get("/{run_id}/exchanges", responses=responses(401, 403, 404, 422))
def list_exchanges(
    run_id: Id, _: Annotated[Principal, Depends(needs("runs.read"))], session: ReadSession, paging: Paging,
    round: Annotated[int | None, Query(ge=0, le=100_000)] = None,
) -> ExchangePage:  # fmt: skip
    """By round, then in the order of arrival."""
    return service.list_exchanges(session, run_id, paging, round)


@router.get("/{run_id}/matches", responses=responses(401, 403, 404, 422))
def list_matches(
    run_id: Id, _: Annotated[Principal, Depends(needs("runs.read"))], session: ReadSession
) -> Matches:  # fmt: skip
    """How well the units of neighbours' models were matched, round by round."""
    return service.list_matches(session, run_id)
