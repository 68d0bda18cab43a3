"""Asking for the end of a run. The coordinator stops its steps and ends it; here is only the question, which
becomes the run's reason: who asked, and when."""

from sqlalchemy.orm import Session

from backend.audit import service as audit
from backend.auth.principal import Principal
from backend.db.tables import utc_now
from backend.errors import Conflict
from backend.runs import repository, service, states
from backend.runs.schemas import Run


def cancel(session: Session, who: Principal, run_id: str) -> Run:
    """Raises: NotFound; Conflict, when the run has ended. Asking twice changes nothing."""
    row = service.row_of(session, run_id)
    at = utc_now().strftime("%Y-%m-%d %H:%M UTC")
    reason = {"code": "cancelled", "params": {"who": who.user_name, "at": at}}
    if repository.ask_to_cancel(session, run_id, states.sources("run", "cancelling"), reason):
        audit.record(session, who, "run_cancelled", "run", run_id, arm=row.arm, seed=row.seed)
        session.flush()
        return service.get(session, run_id)
    row = service.row_of(session, run_id)
    if row.state in states.RUN_ENDS and row.state != "cancelled":
        raise Conflict("run_has_ended", {"state": row.state})
    return service.get(session, run_id)
