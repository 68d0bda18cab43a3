"""Restarting a run from one of its rounds: a new run of the same arm and seed that goes on after that round.

Here is the question and whether it can be: the coordinator brings over what was done up to then. From now on the new run
counts in the pilot's results, and the one it stands for stays readable.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from backend.audit import service as audit
from backend.auth.principal import Principal
from backend.db.tables import AbsenceRow, RunRow, StepRow, new_id
from backend.errors import Conflict, Invalid
from backend.pilots import service as pilots
from backend.pilots.amendments import amendments_of, leave_out_too
from backend.runs import absences, repository, service, states
from backend.runs.asks import reason_of
from backend.runs.launch import needed_key
from backend.runs.schemas import Restart, Run
from backend.sites import service as sites
from dimat import told
from dimat.schedule import Schedule, StepKey
from worker.artifacts import StoreUnavailable
from worker.messages.refs import ArtifactRef

Has = Callable[[ArtifactRef], bool]
"""Whether an artifact is in the store. Raises: StoreUnavailable."""
_STANDING = states.RUN_ENDS | {"paused"}


@dataclass(frozen=True, slots=True)
class Restarted:
    """`now` is False when the same key restarted the run before."""

    run: Run
    now: bool


def restart(
    session: Session, who: Principal, run_id: str, key: str | None, body: Restart, has: Has
) -> Restarted:
    """Queues a run that goes on after `body.from_round` of this one. A paused run that it stands for ends.

    Raises:
        HeaderNeeded: no key. NotFound. Invalid: a round that is not finished, or after which nothing is left to do; a site that takes part after it and is gone or revoked.
        Conflict: a run of this arm and seed is at work, or the models of the round are not to be had any more.
    """
    key = needed_key(key)
    parent = service.row_of(session, run_id)
    pilots.locked_row(session, parent.pilot_id)
    session.refresh(parent)
    if (made := repository.restarted_with(session, run_id, key)) is not None:
        return Restarted(service.get(session, made.id), now=False)
    current = repository.counting(session, parent.arm_id, parent.seed)
    for run in (parent, current):
        if run.state not in _STANDING:
            raise Conflict("restart_while_at_work", {"state": run.state})
    if not 0 <= body.from_round <= parent.rounds_done:
        known = {"round": body.from_round, "last": parent.rounds_done}
        raise Invalid(
            "restart_round" if parent.rounds_done >= 0 else "restart_too_early", known, "from_round"
        )
    if body.from_round == parent.rounds and parent.id == current.id and parent.state == "completed":
        # Of one that was restarted this makes its results count again.
        raise Invalid(
            "restart_does_nothing", {"round": parent.rounds, "before": parent.rounds - 1}, "from_round"
        )
    schedule = _schedule_after(session, parent, body.from_round)
    ahead = range(body.from_round + 1, parent.rounds + 1)
    needed = frozenset[int]().union(*(schedule.members_of(round) for round in ahead))
    spec = service.spec_of(session, parent)
    sites.check_usable(session, [spec.sites[site] for site in sorted(needed)], "run_id")
    _check_models(session, parent, schedule, body.from_round, has)
    child = RunRow(
        id=new_id(), pilot_id=parent.pilot_id, arm_id=parent.arm_id, arm=parent.arm, method=parent.method,
        seed=parent.seed, rounds=parent.rounds, num_sites=parent.num_sites, rounds_done=-1,
        parent_run_id=parent.id, from_round=body.from_round, restart_key=key,
        reason=reason_of("restarted", who, body.why, round=body.from_round),
    )  # fmt: skip
    _replace(session, who, current, child, body)
    session.add(child)
    leave_out_too(session, parent.pilot_id, like=parent.id, run_id=child.id)
    about: dict[str, Any] = {"arm": parent.arm, "seed": parent.seed, "round": body.from_round}
    about |= {"run_id": child.id, "why": (body.why or "").strip()}
    audit.record(session, who, "run_restarted", "run", parent.id, **about)
    session.flush()
    return Restarted(service.get(session, child.id), now=True)


def _replace(session: Session, who: Principal, current: RunRow, child: RunRow, body: Restart) -> None:
    """Marks the run that counted; a paused one ends, or two runs would stand for one arm and seed. Raises: Conflict."""
    reason = reason_of("replaced", who, body.why, round=body.from_round)
    ends = current.state == "paused"
    if ends and not repository.ask(session, [current.id], {"paused"}, "cancelling", reason):
        raise Conflict("restart_while_at_work", {"state": "resuming"})  # somebody was faster
    current.replaced_by = child.id
    session.flush()
    # Of others of the arm and seed other rounds may stand now than before, and what they fetched in the others is wasted.
    family = (RunRow.arm_id == current.arm_id, RunRow.seed == current.seed)
    session.execute(update(RunRow).where(*family).values(revision=RunRow.revision + 1))


def _schedule_after(session: Session, parent: RunRow, round: int) -> Schedule:
    """Of a run that goes on after the round."""
    spec = service.spec_of(session, parent)
    rows_gone = absences.rows_of(session, [parent.id])[parent.id]
    gone = [
        absences.value_of(AbsenceRow(**one), spec)
        for one in absences.as_after(rows_gone, round, parent.rounds)
    ]
    return Schedule.of(spec, parent.arm, amendments_of(session, parent.pilot_id, parent.id), gone)


def _check_models(session: Session, parent: RunRow, schedule: Schedule, round: int, has: Has) -> None:
    """Raises: Conflict, when what the steps after the round read is not there, or was never made."""
    needed = read_after(schedule, round)
    rows = repository.completed_in(session, parent, {key.round for key in needed})
    made = {repository.key_of(row): row for row in rows}
    # Who joins later and has not prepared, as it was silent, say, does so in the new run.
    unprepared = {key for key in needed if key.kind == "prepare" and key not in made}
    _check_may_prepare(session, parent, unprepared, round)
    needed -= unprepared
    if any(key not in made or not _has_what_is_read(schedule, key, made[key]) for key in needed):
        raise Conflict("restart_not_foreseen", {"round": round})
    refs = {ref.sha256: ref for key in needed for ref in refs_of(made[key])}
    if removed := repository.removed_of(session, refs):
        raise Conflict("restart_models_removed", {"round": round, "removed": len(removed), "of": len(refs)})
    try:
        missing = [sha256 for sha256, ref in refs.items() if not has(ref)]
    except StoreUnavailable as error:
        raise Conflict("restart_store_away", {"error": error.reason}) from error
    if missing:
        raise Conflict("restart_models_missing", {"round": round, "missing": len(missing), "of": len(refs)})


def _check_may_prepare(session: Session, parent: RunRow, unprepared: Iterable[StepKey], round: int) -> None:
    """Raises: Conflict, for a site that has tried as often as it may."""
    spec = service.spec_of(session, parent)
    barred = repository.barred(session, parent.pilot_id, spec, parent.seed)
    for key in sorted(unprepared):
        if (name := spec.site_names[key.site]) in barred:
            raise Conflict("restart_site_unprepared", {"site": name, "round": round})


def read_after(schedule: Schedule, round: int) -> set[StepKey]:
    """The steps up to `round` whose artifacts are read by steps after it."""
    read: set[StepKey] = set()
    for step in schedule.all_steps():
        if step.round > round:
            read.update(told.read_by(schedule, step))
    return {step for step in read if step.round <= round}


def _has_what_is_read(schedule: Schedule, key: StepKey, row: StepRow) -> bool:
    """An amendment may ask of the round after for what nobody knew of when this step was done."""
    extras = row.extras or {}
    has_told = told.tells(schedule, key) is None or "moments" in extras
    return (
        row.artifact_sha256 is not None
        and has_told
        and (told.wire_of(schedule, key).is_plain or "shared" in extras)
    )


def refs_of(row: StepRow) -> Sequence[ArtifactRef]:
    """All that a step left in the store."""
    beside = [
        ArtifactRef(sha256=ref["sha256"], num_bytes=ref["num_bytes"]) for ref in (row.extras or {}).values()
    ]
    if row.artifact_sha256 is None:
        return beside
    return [ArtifactRef(sha256=row.artifact_sha256, num_bytes=row.artifact_bytes or 0), *beside]
