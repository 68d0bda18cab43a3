"""Asking runs to pause, to go on or to end: of one run, or of all of a pilot.

The coordinator does it; here is only the question, which becomes the run's reason: who asked, when and why. The same
question again changes nothing.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.orm import Session

from backend.audit import service as audit
from backend.auth.principal import Principal
from backend.db.tables import utc_now
from backend.errors import Conflict
from backend.pilots import service as pilots
from backend.runs import repository, service, states
from backend.runs.schemas import Run, RunsAsked


@dataclass(frozen=True, slots=True)
class Ask:
    """
    Attributes:
        following: the state that is asked for.
        granted: states in which nothing is left to ask for.
        code: of the reason, and with `run_` or `pilot_` before it of the audit.
    """

    following: str
    granted: frozenset[str]
    code: str


PAUSE: Final = Ask("pausing", frozenset({"pausing", "paused"}), "paused")
RESUME: Final = Ask("resuming", frozenset({"queued", "running", "resuming"}), "resumed")
CANCEL: Final = Ask("cancelling", frozenset({"cancelling"}), "cancelled")


def of_run(session: Session, who: Principal, run_id: str, ask: Ask, why: str | None = None) -> Run:
    """Raises: NotFound; Conflict, when the run has ended or is being cancelled."""
    row = service.row_of(session, run_id)
    if _ask(session, [run_id], ask, who, why):
        audit.record(session, who, f"run_{ask.code}", "run", run_id, arm=row.arm, seed=row.seed, **_said(why))
        session.flush()
        return service.get(session, run_id)
    row = service.row_of(session, run_id)
    if row.state not in ask.granted:
        if row.state in states.RUN_ENDS:
            raise Conflict("run_has_ended", {"state": row.state})
        raise Conflict("run_is_cancelling")
    return service.get(session, run_id)


def of_pilot(session: Session, who: Principal, pilot_id: str, ask: Ask, why: str | None = None) -> RunsAsked:
    """Asks all of the pilot's runs that can do so. Raises: NotFound; Conflict, when no run lives."""
    pilot = pilots.row_of(session, pilot_id)
    live = [run.id for run in repository.of_pilot(session, pilot_id) if run.state in states.RUN_LIVE]
    if not live:
        raise Conflict("no_live_runs", {"name": pilot.name})
    asked = _ask(session, live, ask, who, why)
    if asked:
        about: dict[str, Any] = {"name": pilot.name, "num_runs": asked}
        audit.record(session, who, f"pilot_{ask.code}", "pilot", pilot_id, **about, **_said(why))
        session.flush()
    return RunsAsked(num_runs=asked)


def _ask(session: Session, run_ids: Collection[str], ask: Ask, who: Principal, why: str | None) -> int:
    """How many of the runs it moved."""
    sources = states.sources("run", ask.following)
    return repository.ask(session, run_ids, sources, ask.following, reason_of(ask.code, who, why))


def reason_of(code: str, who: Principal, why: str | None, **more: int) -> dict[str, Any]:
    """The reason `code`, of the catalogue with `_why` where somebody said why."""
    params: dict[str, Any] = {"who": who.called, "at": utc_now().isoformat(), **more}
    said = _said(why)
    return {"code": f"{code}_why" if said else code, "params": params | said}


def _said(why: str | None) -> dict[str, str]:
    """Why somebody asks, where they say so."""
    return {"why": why} if (why := (why or "").strip()) else {}
