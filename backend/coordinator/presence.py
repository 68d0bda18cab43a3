"""Sites that came or went, told to all: once for the server, and to each run that is at work with them, whose readers hear of nothing
else. Hundreds may go at once, with a network: a run is told of all of them in one event."""

from collections.abc import Collection, Sequence

from sqlalchemy.orm import Session

from backend.coordinator import runs_repository
from backend.coordinator.memory import Plans
from backend.db.tables import RunRow
from backend.events.service import line, record_all
from backend.runs import states
from backend.text.schemas import Params

_AT_WORK = states.RUN_LIVE - {"queued", "paused"}
_MOST_NAMED = 3


def tell(session: Session, plans: Plans, change: str, sites: Sequence[tuple[str, str]]) -> None:
    """Events `site_<change>`, one a site, and `run_site_<change>` or `run_sites_<change>`, one a run.

    `sites`: name of each, and what people call it. `change`: online | silent.
    """
    if not sites:
        return
    lines = [line(f"site_{change}", pilot_id=None, run_id=None, params={"site": shown}) for _, shown in sites]
    for run in runs_repository.runs_in(session, _AT_WORK):
        members = _taking_part(session, plans, run)
        if its := [shown for name, shown in sites if name in members]:
            code, params = _of_run(change, its)
            about: Params = {**params, "arm": run.arm}
            lines.append(line(code, pilot_id=run.pilot_id, run_id=run.id, params=about))
    session.flush()
    record_all(session, lines)


def _taking_part(session: Session, plans: Plans, run: RunRow) -> Collection[str]:
    """In the round at work, or in the last one: a site that has left for good is no news, one that is to join is waited for."""
    if plans.readable(session, run.pilot_id) is None:
        return ()
    plan_of = plans.run(session, run).schedule.plan_of
    at_work = min(max(run.rounds_done, 0) + 1, run.rounds)
    return {*plan_of(at_work).members, *plan_of(run.rounds).members}


def _of_run(change: str, shown: Sequence[str]) -> tuple[str, Params]:
    if len(shown) == 1:
        return f"run_site_{change}", {"site": shown[0]}
    rest = ("…",) if len(shown) > _MOST_NAMED else ()
    return f"run_sites_{change}", {
        "sites": len(shown),
        "names": ", ".join((*shown[:_MOST_NAMED], *rest)),
    }
