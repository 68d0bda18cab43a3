"""HTTP of a run's accuracies."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from backend.auth.guard import needs
from backend.auth.principal import Principal
from backend.metrics import service
from backend.metrics.schemas import MetricPage
from backend.problems import responses
from backend.web import Id, Paging, ReadSession

router = APIRouter(prefix="/runs", tags=["runs"])


@router.get("/{run_id}/metrics", responses=responses(401, 403, 404, 422))
def list_metrics(
    run_id: Id, _: Annotated[Principal, Depends(needs("runs.read"))], session: ReadSession, paging: Paging,
    since: Annotated[int, Query(ge=0, le=100_000, description="First round wanted.")] = 0,
) -> MetricPage:  # fmt: skip
    """By round, then phase, then site."""
    return service.list_metrics(session, run_id, paging, since)
