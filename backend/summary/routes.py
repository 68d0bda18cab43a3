"""The pilot's summary: one sentence and the arms side by side."""

from fastapi import APIRouter, Depends

from backend.auth.guard import needs
from backend.problems import responses
from backend.summary import service
from backend.summary.schemas import PilotSummary
from backend.web import Id, ReadSession

router = APIRouter(tags=["summary"])


@router.get(
    "/pilots/{pilot_id}/summary",
    dependencies=[Depends(needs("pilots.read"))],
    responses=responses(401, 403, 404, 422),
)
def pilot_summary(pilot_id: Id, session: ReadSession) -> PilotSummary:
    """Who gains and who loses against training alone, from what was measured."""
    return service.pilot_summary(session, pilot_id)
