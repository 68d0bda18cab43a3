"""HTTP of what a pilot has because it was launched: the launch itself, its runs and what all of them are asked, its amendments, its
result."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Body, Depends, Response
from sqlalchemy.orm import Session

from backend.auth.guard import needs
from backend.auth.principal import Principal
from backend.pilots.schemas import Pilot
from backend.problems import responses
from backend.runs import amending, asks, launch, results, service
from backend.runs.broker import AppBroker, Broker
from backend.runs.schemas import (
    Amendable,
    AmendmentCreate,
    PilotAmendment,
    PilotAmendmentPage,
    Result,
    RunPage,
    RunsAsked,
    Why,
)
from backend.web import Id, IdempotencyKey, IfMatch, Paging, ReadSession, WriteSession, set_etag

router = APIRouter(prefix="/pilots", tags=["pilots"])
Reads = Annotated[Principal, Depends(needs("pilots.read"))]
Launches = Annotated[Principal, Depends(needs("pilots.launch"))]
Amends = Annotated[Principal, Depends(needs("pilots.amend"))]
Cancels = Annotated[Principal, Depends(needs("runs.cancel"))]
Pauses = Annotated[Principal, Depends(needs("runs.pause"))]
WhyBody = Annotated[Why, Body(default_factory=Why)]


@router.post(
    "/{pilot_id}/launch",
    status_code=201,
    responses={200: {"model": Pilot}, **responses(400, 401, 403, 404, 409, 412, 422)},
)
def launch_pilot(
    pilot_id: Id, who: Launches, session: WriteSession, broker: AppBroker, after: BackgroundTasks,
    response: Response, idempotency_key: IdempotencyKey = None, if_match: IfMatch = None,
) -> Pilot:  # fmt: skip
    """Freezes the spec and queues one run per arm and seed. 200 when this key launched it before. With If-Match only
    the revision that was read is launched."""
    launched = launch.launch(session, who, pilot_id, idempotency_key, if_match)
    after.add_task(broker.wake)  # runs when the answer is out, hence after the commit
    response.status_code = 201 if launched.now else 200
    set_etag(response, launched.pilot.revision)
    return launched.pilot


@router.get("/{pilot_id}/runs", responses=responses(401, 403, 404, 422))
def list_pilot_runs(pilot_id: Id, _: Reads, session: ReadSession, paging: Paging) -> RunPage:
    """The pilot's runs in the order of its arms and seeds."""
    return service.list_of_pilot(session, pilot_id, paging)


@router.get("/{pilot_id}/amendments", responses=responses(401, 403, 404, 422))
def list_pilot_amendments(pilot_id: Id, _: Reads, session: ReadSession) -> PilotAmendmentPage:
    """Changes to the launched pilot in the order in which they were asked for, and in which they apply."""
    return amending.list_of_pilot(session, pilot_id)


@router.get("/{pilot_id}/amendable", responses=responses(401, 403, 404, 422))
def get_amendable(pilot_id: Id, _: Reads, session: ReadSession) -> Amendable:
    """By arm from which round on a change may count as things stand, and how the arm runs from there if nobody asks for more."""
    return amending.amendable(session, pilot_id)


@router.post("/{pilot_id}/amendments", status_code=201, responses=responses(401, 403, 404, 409, 422))
def amend_pilot(
    pilot_id: Id, body: AmendmentCreate, who: Amends, session: WriteSession, broker: AppBroker, after: BackgroundTasks
) -> PilotAmendment:  # fmt: skip
    """Asks for a change from a round on. It is in force, or refused with a reason, a moment later: the coordinator decides, as
    runs go on meanwhile."""
    asked = amending.ask(session, who, pilot_id, body)
    after.add_task(broker.wake)  # runs when the answer is out, hence after the commit
    return asked


@router.get("/{pilot_id}/result", responses=responses(401, 403, 404, 422))
def get_pilot_result(pilot_id: Id, _: Reads, session: ReadSession) -> Result:
    """Everything measured, in the shape that `demo --json` writes."""
    return results.of_pilot(session, pilot_id)


@router.post("/{pilot_id}/pause", status_code=202, responses=responses(401, 403, 404, 409, 422))
def pause_pilot(
    pilot_id: Id, who: Pauses, session: WriteSession, broker: AppBroker, after: BackgroundTasks, body: WhyBody
) -> RunsAsked:  # fmt: skip
    """Asks all live runs of the pilot to pause, those that have not begun, too."""
    return _asked(asks.PAUSE, pilot_id, who, session, broker, after, body)


@router.post("/{pilot_id}/resume", status_code=202, responses=responses(401, 403, 404, 409, 422))
def resume_pilot(
    pilot_id: Id, who: Pauses, session: WriteSession, broker: AppBroker, after: BackgroundTasks, body: WhyBody
) -> RunsAsked:  # fmt: skip
    """All paused runs of the pilot go on."""
    return _asked(asks.RESUME, pilot_id, who, session, broker, after, body)


@router.post("/{pilot_id}/cancel", status_code=202, responses=responses(401, 403, 404, 409, 422))
def cancel_pilot(
    pilot_id: Id, who: Cancels, session: WriteSession, broker: AppBroker, after: BackgroundTasks, body: WhyBody
) -> RunsAsked:  # fmt: skip
    """Asks for the end of all live runs of the pilot."""
    return _asked(asks.CANCEL, pilot_id, who, session, broker, after, body)


def _asked(
    ask: asks.Ask, pilot_id: str, who: Principal, session: Session, broker: Broker, after: BackgroundTasks,
    body: Why,
) -> RunsAsked:  # fmt: skip
    asked = asks.of_pilot(session, who, pilot_id, ask, body.why)
    after.add_task(broker.wake)  # runs when the answer is out, hence after the commit
    return asked
