"""Launching a pilot: the one transaction that freezes a spec and queues its runs."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from backend.audit import service as audit
from backend.auth.principal import Principal
from backend.db.tables import ArmRow, PilotRow, RunRow
from backend.errors import Conflict, HeaderNeeded
from backend.pilots import service as pilots
from backend.pilots.schemas import Pilot
from backend.pilots.specs import stored_spec
from backend.runs import states
from backend.sites import service as sites
from backend.web import check_match
from dimat.spec import PilotSpec


@dataclass(frozen=True, slots=True)
class Launched:
    """`now` is False when the same key launched the pilot before."""

    pilot: Pilot
    now: bool


def launch(
    session: Session, who: Principal, pilot_id: str, key: str | None, if_match: str | None = None
) -> Launched:
    """Freezes the spec and queues one run per arm and seed. The same `key` again gives the same answer, whatever
    revision its caller read: the launch itself made that one old.

    Raises:
        HeaderNeeded: no key. NotFound. Conflict: launched with another key, or no longer a draft.
        Stale: the draft is not as the caller read it.
        Invalid: a site is gone, revoked or holds other data than the spec says.
    """
    key = needed_key(key)
    row = pilots.locked_row(session, pilot_id)
    if not states.may("pilot", row.state, "launched"):
        if row.launch_key != key:
            raise Conflict("pilot_already_launched", {"name": row.name, "state": row.state})
        return Launched(pilots.get(session, pilot_id), now=False)
    check_match(if_match, row.revision)
    spec = stored_spec(row)
    sites.check_usable(session, spec.sites, "spec.sites")
    spec = spec.model_copy(update={"sites": sites.with_limits(session, spec.sites)})
    pilots.mark_launched(session, row, key, spec)
    _queue_runs(session, row, spec)
    audit.record(session, who, "pilot_launched", "pilot", pilot_id, name=row.name, key=key[:100])
    session.flush()
    return Launched(pilots.get(session, pilot_id), now=True)


def needed_key(key: str | None) -> str:
    """Raises: HeaderNeeded, for a command that must not be given twice and has no key."""
    if not key or not key.strip() or "\x00" in key:
        raise HeaderNeeded("Idempotency-Key")
    return key


def _queue_runs(session: Session, pilot: PilotRow, spec: PilotSpec) -> None:
    arms = [
        ArmRow(pilot_id=pilot.id, position=position, name=arm.name, method=arm.method)
        for position, arm in enumerate(spec.arms)
    ]
    session.add_all(arms)
    session.flush()
    for arm in arms:
        for seed in spec.seeds:
            session.add(
                RunRow(
                    pilot_id=pilot.id,
                    arm_id=arm.id,
                    arm=arm.name,
                    method=arm.method,
                    seed=seed,
                    rounds=spec.rounds,
                    num_sites=len(spec.sites),
                    rounds_done=-1,
                )
            )
            session.flush()
