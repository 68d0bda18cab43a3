"""Reading the audit."""

from typing import Annotated

from fastapi import APIRouter, Depends

from backend.audit import service
from backend.audit.schemas import AuditPage
from backend.auth.guard import needs
from backend.auth.principal import Principal
from backend.problems import responses
from backend.web import Paging, ReadSession

router = APIRouter(tags=["people"])


@router.get("/audit", responses=responses(401, 403, 422))
def list_audit(
    _: Annotated[Principal, Depends(needs("audit.read"))], session: ReadSession, paging: Paging
) -> AuditPage:
    """What was done, newest first."""
    return service.entries(session, paging)
