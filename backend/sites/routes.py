"""HTTP of sites."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from backend.auth.guard import needs
from backend.auth.principal import Principal
from backend.problems import responses
from backend.sites import service
from backend.sites.schemas import Site, SiteCreate, SitePage, SitePatch, SiteState
from backend.web import Id, IfMatch, Paging, ReadSession, SearchText, WriteSession, set_etag

router = APIRouter(prefix="/sites", tags=["sites"])
Reads = Annotated[Principal, Depends(needs("sites.read"))]
Writes = Annotated[Principal, Depends(needs("sites.write"))]


@router.get("", responses=responses(401, 403, 422))
def list_sites(
    _: Reads, session: ReadSession, paging: Paging, q: SearchText = None, state: SiteState | None = None
) -> SitePage:
    """Sites by name."""
    return service.list_sites(session, paging, q, state)


@router.post("", status_code=201, responses=responses(401, 403, 409, 422))
def create_site(body: SiteCreate, who: Writes, session: WriteSession, response: Response) -> Site:
    site = service.create(session, who, body)
    set_etag(response, site.revision)
    return site


@router.get("/{site_id}", responses=responses(401, 403, 404, 422))
def get_site(site_id: Id, _: Reads, session: ReadSession, response: Response) -> Site:
    site = service.get(session, site_id)
    set_etag(response, site.revision)
    return site


@router.patch("/{site_id}", responses=responses(401, 403, 404, 409, 412, 422))
def update_site(
    site_id: Id,
    body: SitePatch,
    who: Writes,
    session: WriteSession,
    response: Response,
    if_match: IfMatch = None,
) -> Site:
    site = service.update(session, who, site_id, body, if_match)
    set_etag(response, site.revision)
    return site
