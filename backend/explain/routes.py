"""HTTP of explanations."""

from fastapi import APIRouter, Depends

from backend.auth.guard import needs
from backend.db.tables import utc_now
from backend.explain import service
from backend.explain.schemas import RunExplained
from backend.problems import responses
from backend.web import AppSettings, Id, LangQuery, Language, ReadSession

router = APIRouter(prefix="/runs", tags=["runs"])


@router.get(
    "/{run_id}/explain", dependencies=[Depends(needs("runs.read"))], responses=responses(401, 403, 404, 422)
)
def explain_run(
    run_id: Id, session: ReadSession, settings: AppSettings, language: Language, lang: LangQuery = None
) -> RunExplained:
    """What the run and each of its sites does at this moment, since when, what it waits for, and what follows when: as codes, and
    in words."""
    return service.explain(session, run_id, settings, language, utc_now())
