"""Takes in the amendments that people have asked for. Only the coordinator makes steps, so that only here, within its transaction,
it is certain how far the runs are: no step is made between the look at them and the decision."""

from collections.abc import Callable
from datetime import datetime
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.coordinator import apart
from backend.coordinator.changes import Changes
from backend.coordinator.memory import Plans
from backend.db.tables import AmendmentRow, PilotRow, RunRow
from backend.events.service import record
from backend.pilots.amendments import asked, in_force, value_of
from backend.runs import repository
from backend.runs.amending import runs_at
from backend.runs.deciding import Decided, Refused, decide
from backend.text.schemas import Params, Text

GoOn = Callable[[Session, RunRow, datetime, Changes], None]


def take_in(session: Session, plans: Plans, go_on: GoOn, now: datetime, changes: Changes) -> None:
    """Each amendment that was asked for is in force afterwards, or refused with a reason.

    Args:
        go_on: is told of every run that goes on under another plan, once all are decided: it makes steps, and whoever asked for
            several at once was told of each what holds without them.
    """
    changed: dict[str, None] = {}
    rows = asked(session)
    # Of each pilot once: one that is let go meanwhile would have its later amendments decided without the earlier ones.
    free = {id for id in dict.fromkeys(row.pilot_id for row in rows) if _is_free(session, id)}
    for row in rows:
        if row.pilot_id not in free:
            continue
        what, found = f"amendment {row.id} of pilot {row.pilot_id}", list[str]()
        error = apart.attempt(session, partial(_decide, session, plans, row, now, found), changes, what)
        if error is None:
            changed |= dict.fromkeys(found)
            continue
        reason = Text(code="unexpected_error", params={"kind": type(error).__name__})
        _refuse(session, row, reason, now)
    for run_id in changed:
        go_on(session, session.get_one(RunRow, run_id), now, changes)


def _is_free(session: Session, pilot_id: str) -> bool:
    """Keeps others from restarting a run, or asking for more, until this transaction ends: they copy what is decided here. False:
    somebody is about it, who may wait for rows of this transaction; there is another turn."""
    found = select(PilotRow.id).where(PilotRow.id == pilot_id)
    free = found.with_for_update(key_share=True, skip_locked=True)  # as `db.races.locked`
    return session.scalar(free) is not None


def _decide(
    session: Session, plans: Plans, row: AmendmentRow, now: datetime, changed: list[str], changes: Changes
) -> None:
    """Adds to `changed` the runs that go on under another plan."""
    spec, known = plans.spec(session, row.pilot_id), in_force(session, row.pilot_id)
    runs, barred = runs_at(session, row.pilot_id, spec), repository.barred(session, row.pilot_id, spec)
    found = decide(spec, known, value_of(row, 1), runs, row.asked_round, barred)
    if isinstance(found, Refused):
        _refuse(session, row, found.reason, now)
        return
    _begin(session, row, found, now)
    session.flush()
    changed += found.changed


def _begin(session: Session, row: AmendmentRow, found: Decided, now: datetime) -> None:
    row.state, row.from_round, row.decided_at = "in_force", found.amendment.from_round, max(now, row.at)
    row.left_out = list(found.left_out)
    params: Params = {"round": found.amendment.from_round, "who": row.by}
    if row.arm is None:
        record(session, "amendment_in_force", pilot_id=row.pilot_id, params=params)
    else:
        params["arm"] = row.arm
        record(session, "amendment_in_force_arm", pilot_id=row.pilot_id, params=params)


def _refuse(session: Session, row: AmendmentRow, reason: Text, now: datetime) -> None:
    row.state, row.decided_at, row.reason = "refused", max(now, row.at), reason.model_dump()
    record(session, "amendment_refused", pilot_id=row.pilot_id, params={"who": row.by})
