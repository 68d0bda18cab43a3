"""HTTP of runs and their steps."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Body, Depends, Query, Response
from sqlalchemy.orm import Session

from backend.auth.guard import needs
from backend.auth.principal import Principal
from backend.problems import responses
from backend.runs import asks, restart, results, service, step_log, steps
from backend.runs.broker import AppBroker, Broker
from backend.runs.repository import RunFilter
from backend.runs.schemas import Restart, Run, RunPage, RunResult, RunSort, RunState, StepLogs, StepPage, Why
from backend.web import (
    PLAIN,
    AppStore,
    Id,
    IdempotencyKey,
    Paging,
    ReadSession,
    SearchText,
    WriteSession,
    set_etag,
)
from dimat.methods import Method

router = APIRouter(prefix="/runs", tags=["runs"])
Reads = Annotated[Principal, Depends(needs("runs.read"))]
Cancels = Annotated[Principal, Depends(needs("runs.cancel"))]
Restarts = Annotated[Principal, Depends(needs("runs.restart"))]
Pauses = Annotated[Principal, Depends(needs("runs.pause"))]
WhyBody = Annotated[Why, Body(default_factory=Why)]
RoundOf = Annotated[
    int | None, Query(ge=0, le=100_000, description="Only this round, with what still waits.")
]


def run_filter(
    state: RunState | None = None,
    pilot: Annotated[
        str | None, Query(max_length=64, pattern=PLAIN, description="Id or name of the pilot.")
    ] = None,
    arm: Annotated[str | None, Query(max_length=64, pattern=PLAIN)] = None,
    method: Method | None = None,
    q: SearchText = None,
) -> RunFilter:
    return RunFilter(state, pilot, arm, method, q)


@router.get("", responses=responses(401, 403, 422))
def list_runs(
    _: Reads, session: ReadSession, paging: Paging, wanted: Annotated[RunFilter, Depends(run_filter)],
    sort: RunSort = "-created_at",
) -> RunPage:  # fmt: skip
    return service.list_runs(session, paging, wanted, sort)


@router.get("/{run_id}", responses=responses(401, 403, 404, 422))
def get_run(run_id: Id, _: Reads, session: ReadSession, response: Response) -> Run:
    run = service.get(session, run_id)
    set_etag(response, run.revision)
    return run


@router.get("/{run_id}/steps", responses=responses(401, 403, 404, 422))
def list_steps(run_id: Id, _: Reads, session: ReadSession, paging: Paging, round: RoundOf = None) -> StepPage:
    """Steps in the order in which they began. With `round`: by kind, in the order of work, and site, also those that still
    wait and for whom."""
    return steps.list_steps(session, run_id, paging, round)


@router.get("/{run_id}/steps/{step_id}/log", responses=responses(401, 403, 404, 422))
def get_step_log(
    run_id: Id, step_id: Id, _: Reads, session: ReadSession,
    attempt: Annotated[int | None, Query(ge=1, le=100_000, description="Default: the last that has a log.")] = None,
) -> StepLogs:  # fmt: skip
    """What the site's worker logged of a step: at most 200 lines and 32 kB of an attempt, no values of the data."""
    return step_log.read(session, run_id, step_id, attempt)


@router.get("/{run_id}/result", responses=responses(401, 403, 404, 422))
def get_run_result(run_id: Id, _: Reads, session: ReadSession) -> RunResult:
    """The run's entry of the pilot's result."""
    return results.of_run(session, run_id)


@router.post("/{run_id}/pause", status_code=202, responses=responses(401, 403, 404, 409, 422))
def pause_run(
    run_id: Id, who: Pauses, session: WriteSession, broker: AppBroker, after: BackgroundTasks, body: WhyBody
) -> Run:  # fmt: skip
    """No further step of the run is sent. Those that run go to their end and count: until then the run is `pausing`. A pause
    loses nothing; asking twice changes nothing."""
    return _asked(asks.PAUSE, run_id, who, session, broker, after, body)


@router.post("/{run_id}/resume", status_code=202, responses=responses(401, 403, 404, 409, 422))
def resume_run(
    run_id: Id, who: Pauses, session: WriteSession, broker: AppBroker, after: BackgroundTasks, body: WhyBody
) -> Run:  # fmt: skip
    """A run that is paused, or about to be, goes on as if it had never been."""
    return _asked(asks.RESUME, run_id, who, session, broker, after, body)


@router.post("/{run_id}/cancel", status_code=202, responses=responses(401, 403, 404, 409, 422))
def cancel_run(
    run_id: Id, who: Cancels, session: WriteSession, broker: AppBroker, after: BackgroundTasks, body: WhyBody
) -> Run:  # fmt: skip
    """Asks for the end of a run. Its steps stop within seconds, one that does not is killed; asking twice changes
    nothing. The run's `reason` says who asked first, and when."""
    return _asked(asks.CANCEL, run_id, who, session, broker, after, body)


@router.post(
    "/{run_id}/restart",
    status_code=201,
    responses={200: {"model": Run}, **responses(400, 401, 403, 404, 409, 422)},
)
def restart_run(
    run_id: Id, who: Restarts, body: Restart, session: WriteSession, store: AppStore, broker: AppBroker,
    after: BackgroundTasks, response: Response, idempotency_key: IdempotencyKey = None,
) -> Run:  # fmt: skip
    """A new run of the same arm and seed that goes on after a finished round of this one, which must have ended or be paused.
    Nothing up to that round is computed again. From now on the new run counts in the pilot's results; this one stays
    readable, and ends if it was paused. 200 when this key restarted it before."""
    restarted = restart.restart(session, who, run_id, idempotency_key, body, store.has)
    after.add_task(broker.wake)
    response.status_code = 201 if restarted.now else 200
    return restarted.run


def _asked(
    ask: asks.Ask, run_id: str, who: Principal, session: Session, broker: Broker, after: BackgroundTasks,
    body: Why,
) -> Run:  # fmt: skip
    run = asks.of_run(session, who, run_id, ask, body.why)
    after.add_task(broker.wake)  # runs when the answer is out, hence after the commit
    return run
