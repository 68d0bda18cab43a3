"""HTTP of topologies."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from backend.auth.guard import needs
from backend.auth.principal import Principal
from backend.problems import responses
from backend.topologies import service
from backend.topologies.facts import preview
from backend.topologies.schemas import (
    Preview,
    PreviewRequest,
    Topology,
    TopologyCreate,
    TopologyPage,
    TopologyPatch,
)
from backend.web import Id, IfMatch, Paging, ReadSession, SearchText, WriteSession, set_etag

router = APIRouter(prefix="/topologies", tags=["topologies"])
Reads = Annotated[Principal, Depends(needs("topologies.read"))]
Writes = Annotated[Principal, Depends(needs("topologies.write"))]


@router.get("", responses=responses(401, 403, 422))
def list_topologies(_: Reads, session: ReadSession, paging: Paging, q: SearchText = None) -> TopologyPage:
    """Topologies by name."""
    return service.list_topologies(session, paging, q)


@router.post("", status_code=201, responses=responses(401, 403, 409, 422))
def create_topology(body: TopologyCreate, who: Writes, session: WriteSession, response: Response) -> Topology:
    topology = service.create(session, who, body)
    set_etag(response, topology.revision)
    return topology


@router.post("/preview", responses=responses(401, 403, 422))
def preview_topology(body: PreviewRequest, _: Reads) -> Preview:
    """Links and facts of a topology that is being edited. Stores nothing; a disconnected graph is an answer."""
    return preview(body.site_names, body.spec)


@router.get("/{topology_id}", responses=responses(401, 403, 404, 422))
def get_topology(topology_id: Id, _: Reads, session: ReadSession, response: Response) -> Topology:
    topology = service.get(session, topology_id)
    set_etag(response, topology.revision)
    return topology


@router.patch("/{topology_id}", responses=responses(401, 403, 404, 409, 412, 422))
def update_topology(
    topology_id: Id, body: TopologyPatch, who: Writes, session: WriteSession, response: Response,
    if_match: IfMatch = None,
) -> Topology:  # fmt: skip
    topology = service.update(session, who, topology_id, body, if_match)
    set_etag(response, topology.revision)
    return topology
