"""ROI of a pilot and of a run."""

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from backend.auth.guard import needs
from backend.pilots.assumptions import Blend, ValueBasis
from backend.problems import responses
from backend.roi import service
from backend.roi.schemas import RoiReport
from backend.web import Id, ReadSession

router = APIRouter(tags=["roi"])
BasisQuery = Annotated[
    str | None,
    Query(
        pattern=r"^(own_site|all_site|blend:(0(\.[0-9]{1,4})?|1(\.0{1,4})?))$",
        description="Which accuracy counts: own_site, all_site or blend:SHARE (own-site's share). "
        "Default: as the pilot's assumptions say.",
    ),
]


@router.get(
    "/pilots/{pilot_id}/roi",
    dependencies=[Depends(needs("pilots.read"))],
    responses=responses(401, 403, 404, 422),
)
def pilot_roi(pilot_id: Id, session: ReadSession, value_basis: BasisQuery = None) -> RoiReport:
    """Every arm against the control arm, valued by own-site and by all-site accuracy."""
    return service.pilot_roi(session, pilot_id, _basis(value_basis))


@router.get(
    "/runs/{run_id}/roi", dependencies=[Depends(needs("runs.read"))], responses=responses(401, 403, 404, 422)
)
def run_roi(run_id: Id, session: ReadSession, value_basis: BasisQuery = None) -> RoiReport:
    """One run against the control arm's run with the same seed."""
    return service.run_roi(session, run_id, _basis(value_basis))


def _basis(text: str | None) -> ValueBasis | None:
    if text is None:
        return None
    if text == "own_site":
        return "own_site"
    if text == "all_site":
        return "all_site"
    return Blend(blend=Decimal(text.removeprefix("blend:")))
