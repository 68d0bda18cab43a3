"""HTTP of pilots. What reads a pilot's runs lies in `backend/runs/pilot_routes.py`, one level up."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from backend.auth.guard import needs
from backend.auth.principal import Principal
from backend.pilots import service, stages
from backend.pilots.repository import PilotFilter
from backend.pilots.schemas import (
    NextStage,
    Pilot,
    PilotClone,
    PilotCreate,
    PilotPage,
    PilotPatch,
    PilotState,
)
from backend.problems import responses
from backend.web import PLAIN, Id, IfMatch, Paging, ReadSession, SearchText, WriteSession, set_etag

router = APIRouter(prefix="/pilots", tags=["pilots"])
SiteName = Annotated[str | None, Query(max_length=64, pattern=PLAIN)]
Reads = Annotated[Principal, Depends(needs("pilots.read"))]
Writes = Annotated[Principal, Depends(needs("pilots.write"))]


@router.get("", responses=responses(401, 403, 422))
def list_pilots(
    _: Reads, session: ReadSession, paging: Paging, q: SearchText = None, state: PilotState | None = None,
    with_result: bool = False, paused: bool = False, site: SiteName = None,
) -> PilotPage:  # fmt: skip
    """Pilots, newest first. `with_result`: only those whose arms have finished a round that can be compared; `paused`: only those with a
    run that is; `site`: only those launched that this site, told by its name, belongs to."""
    return service.list_pilots(session, paging, PilotFilter(q, state, with_result, paused, site))


@router.post("", status_code=201, responses=responses(401, 403, 409, 422))
def create_pilot(body: PilotCreate, who: Writes, session: WriteSession, response: Response) -> Pilot:
    """A draft. Its sites must exist, with the same data."""
    pilot = service.create(session, who, body)
    set_etag(response, pilot.revision)
    return pilot


@router.get("/{pilot_id}", responses=responses(401, 403, 404, 422))
def get_pilot(pilot_id: Id, _: Reads, session: ReadSession, response: Response) -> Pilot:
    pilot = service.get(session, pilot_id)
    set_etag(response, pilot.revision)
    return pilot


@router.patch("/{pilot_id}", responses=responses(401, 403, 404, 409, 412, 422))
def update_pilot(
    pilot_id: Id,
    body: PilotPatch,
    who: Writes,
    session: WriteSession,
    response: Response,
    if_match: IfMatch = None,
) -> Pilot:
    pilot = service.update(session, who, pilot_id, body, if_match)
    set_etag(response, pilot.revision)
    return pilot


@router.post("/{pilot_id}/clone", status_code=201, responses=responses(401, 403, 404, 409, 422))
def clone_pilot(
    pilot_id: Id, body: PilotClone, who: Writes, session: WriteSession, response: Response
) -> Pilot:
    """A new draft with the same spec and assumptions under another name."""
    pilot = service.clone(session, who, pilot_id, body)
    set_etag(response, pilot.revision)
    return pilot


@router.post("/{pilot_id}/next-stage", status_code=201, responses=responses(401, 403, 404, 409, 422))
def begin_next_stage(
    pilot_id: Id, body: NextStage, who: Writes, session: WriteSession, response: Response
) -> Pilot:
    """Of a pilot that has ended: a draft with the same spec, as its amendments left it, the same assumptions and more sites. Links that were drawn by hand are replaced, where
    sites join, by links of every site with every other."""
    pilot = stages.begin_next(session, who, pilot_id, body)
    set_etag(response, pilot.revision)
    return pilot
