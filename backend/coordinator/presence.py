"""Sites that came or went, told to all: once for the server, and to each run that is at work with them, whose readers hear of nothing
else."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from backend.coordinator import repository
from backend.coordinator.memory import Plans
from backend.events.service import line, record, record_all
from backend.runs import states

_AT_WORK = states.RUN_LIVE - {"queued", "paused"}


def tell(session: Session, plans: Plans, code: str, sites: Sequence[tuple[str, str]]) -> None:
    """Events `<code>` and `run_<code>`. `sites`: name of each, and what people call it."""
    if not sites:
        return
    for _, shown in sites:
        record(session, code, params={"site": shown})
    session.flush()
    record_all(
        session,
        [
            line(f"run_{code}", pilot_id=run.pilot_id, run_id=run.id, params={"site": shown, "arm": run.arm})
            for run in repository.runs_in(session, _AT_WORK)
            for name, shown in sites
            if name in plans.spec(session, run.pilot_id).site_names
        ],
    )
