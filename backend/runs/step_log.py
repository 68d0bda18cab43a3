"""What a step's attempts logged at its site."""

from sqlalchemy.orm import Session

from backend.db.tables import StepRow
from backend.errors import NotFound
from backend.runs import repository, service
from backend.runs.schemas import StepLogs
from worker.messages.reports import StepLog


def read(session: Session, run_id: str, step_id: str, attempt: int | None) -> StepLogs:
    """Of one attempt, the last that has a log where none is named. Raises: NotFound, for a step that the run does not have."""
    run = service.row_of(session, run_id)
    step = session.scalar(repository.steps_of(run).where(StepRow.id == step_id))
    if step is None:
        raise NotFound("step", step_id)
    known = repository.logged_attempts(session, step_id)
    chosen = attempt if attempt is not None else max(known, default=step.attempt)
    body = repository.log_of(session, step_id, chosen)
    log = StepLog(first=()) if body is None else StepLog.model_validate(body)
    return StepLogs.model_validate(
        {
            "step_id": step_id, "state": step.state, "attempt": chosen, "attempts": step.attempt, "logged": known,
            "is_known": body is not None, **log.model_dump(),
        }
    )  # fmt: skip
