"""Amendments as people ask for them. Here is the question, told to whoever asks when it cannot be; the coordinator decides
(`backend.coordinator.amending`), by the same rules (`deciding`)."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy.orm import Session

from backend.audit import service as audit
from backend.auth.principal import Principal
from backend.db.tables import AbsenceRow, AmendmentRow, RunRow
from backend.errors import Conflict, Invalid
from backend.pilots import service as pilots
from backend.pilots.amendments import InForce, for_run, rows_of, value_of
from backend.pilots.specs import stored_spec
from backend.runs import absences, effects, repository
from backend.runs.amendable import arms_now
from backend.runs.deciding import Decided, Refused, RunAt, decide
from backend.runs.effects import Effect
from backend.runs.schemas import (
    Amendable,
    AmendmentCreate,
    ComparisonEnd,
    LeftOut,
    PilotAmendment,
    PilotAmendmentPage,
)
from backend.runs.states import RUN_ENDS
from backend.text.schemas import Text
from dimat.amending import comparison_ends, concerns, first_free_round
from dimat.methods import CONTROL_METHOD
from dimat.plan import Amendment
from dimat.schedule import StepKey
from dimat.spec import PilotSpec

_OF_THE_STATE = frozenset({"amendment_runs_ended", "amendment_no_round_left"})
"""Reasons that lie in how far the runs are, not in what was asked for."""


def ask(session: Session, who: Principal, pilot_id: str, body: AmendmentCreate) -> PilotAmendment:
    """Raises: NotFound; Conflict, when the pilot is not at work; Invalid, for a change that cannot be or changes nothing."""
    pilot = pilots.locked_row(session, pilot_id)
    if pilot.state != "launched":
        raise Conflict("pilot_not_launched", {"name": pilot.name, "state": pilot.state})
    spec = stored_spec(pilot)
    _check_arm(spec, body)
    row = AmendmentRow(
        pilot_id=pilot_id, arm=body.arm, state="asked", asked_round=body.from_round,
        patch=body.patch.model_dump(mode="json", exclude_none=True), by=who.called, why=body.why, left_out=[],
    )  # fmt: skip
    runs = runs_at(session, pilot_id, spec)
    barred = repository.barred(session, pilot_id)
    known = _expected(spec, runs, rows_of(session, pilot_id), barred)
    found = decide(spec, list(known.values()), value_of(row, 1), runs, body.from_round, barred)
    if isinstance(found, Refused):
        refusal = Conflict if found.reason.code in _OF_THE_STATE else Invalid
        raise refusal(found.reason.code, found.reason.params, found.field)
    session.add(row)
    session.flush()
    audit.record(
        session, who, "pilot_amended", "pilot", pilot_id, name=pilot.name, round=found.amendment.from_round,
        why=body.why,
    )  # fmt: skip
    session.flush()
    rows = rows_of(session, pilot_id)
    told = _all(session, spec, rows, runs, _expected(spec, runs, rows, barred))
    return next(one for one in told if one.id == row.id)


def list_of_pilot(session: Session, pilot_id: str) -> PilotAmendmentPage:
    """In the order in which they were asked for. Raises: NotFound."""
    pilot = pilots.row_of(session, pilot_id)
    if pilot.state == "draft":
        return PilotAmendmentPage(items=[], next_cursor=None, total=0)
    spec, rows = stored_spec(pilot), rows_of(session, pilot_id)
    runs = runs_at(session, pilot_id, spec)
    expected = _expected(spec, runs, rows, repository.barred(session, pilot_id))
    items = _all(session, spec, rows, runs, expected)
    return PilotAmendmentPage(items=items, next_cursor=None, total=len(items))


def amendable(session: Session, pilot_id: str) -> Amendable:
    """Raises: NotFound."""
    pilot = pilots.row_of(session, pilot_id)
    if pilot.state != "launched":
        return Amendable(arms=[])
    spec = stored_spec(pilot)
    runs = runs_at(session, pilot_id, spec)
    barred = repository.barred(session, pilot_id)
    expected = _expected(spec, runs, rows_of(session, pilot_id), barred)
    return Amendable(arms=arms_now(spec, list(expected.values()), runs))


def runs_at(session: Session, pilot_id: str, spec: PilotSpec) -> list[RunAt]:
    """How far the pilot's runs are, and without whom."""
    rows = repository.of_pilot(session, pilot_id)
    ids = [row.id for row in rows]
    steps, gone = repository.last_steps(session, ids), absences.rows_of(session, ids)
    return [_run_at(row, spec, steps[row.id], gone) for row in rows]


def _run_at(
    run: RunRow, spec: PilotSpec, last: Sequence[StepKey], gone: Mapping[str, Sequence[AbsenceRow]]
) -> RunAt:
    steps = list(last)
    if run.from_round is not None:  # it goes on after a round of another, and may not be brought over yet
        steps.append(StepKey(run.from_round, "train" if run.from_round else "evaluate", 0))
    without = tuple(absences.value_of(one, spec) for one in absences.of_run(run, gone))
    # What a silent site owes is settled, also of a round that nobody has begun.
    steps += [StepKey(round, kind, 0) for absence in without for round, kind in absence.undone]
    return RunAt(run.id, run.arm, first_free_round(steps), _goes_on(run), _last_round(steps), without)


def _last_round(steps: Sequence[StepKey]) -> int:
    return max((step.round for step in steps), default=0)


def _goes_on(run: RunRow) -> bool:
    return run.state not in RUN_ENDS and run.state != "cancelling"


def ends_of_comparison(
    spec: PilotSpec, known: Sequence[InForce], runs: Sequence[tuple[str, str, int]]
) -> dict[str, int]:
    """By run the round from which on it was trained otherwise than the control arm's run with its seed, where there is one.

    Args:
        runs: id, arm and seed of each.
    """
    control = spec.control_arm
    if control is None:
        return {}
    controls = {seed: id for id, arm, seed in runs if arm == control.name}
    found = {}
    for id, arm, seed in runs:
        if arm == control.name or seed not in controls:
            continue
        theirs = for_run(known, controls[seed])
        end = comparison_ends(spec, arm, for_run(known, id), control.name, theirs)
        if end is not None:
            found[id] = end
    return found


def _check_arm(spec: PilotSpec, body: AmendmentCreate) -> None:
    names = [arm.name for arm in spec.arms]
    if body.arm is not None and body.arm not in names:
        raise Invalid("unknown_arm", {"name": body.arm, "known": ", ".join(names)}, "arm")
    control = spec.control_arm
    merges = body.patch.method not in (None, CONTROL_METHOD)
    if control is not None and body.arm == control.name and merges:
        raise Invalid("control_arm_would_merge", {"arm": control.name}, "patch.method")


def _expected(
    spec: PilotSpec, runs: Sequence[RunAt], rows: Sequence[AmendmentRow], barred: Collection[str]
) -> Mapping[str, InForce]:
    """By id what is in force, and what would be if it were decided now."""
    found: dict[str, InForce] = {}
    for row in rows:
        if row.state == "refused":
            continue
        if row.state == "in_force":
            one = InForce(row.id, value_of(row, row.from_round or 1), frozenset(row.left_out))
            found[row.id] = one
            continue
        decided = decide(spec, list(found.values()), value_of(row, 1), runs, row.asked_round, barred)
        if isinstance(decided, Decided):
            found[row.id] = InForce(row.id, decided.amendment, frozenset(decided.left_out))
    return found


def _all(
    session: Session, spec: PilotSpec, rows: Sequence[AmendmentRow], at: Sequence[RunAt],
    expected: Mapping[str, InForce],
) -> list[PilotAmendment]:  # fmt: skip
    if not rows:
        return []
    runs = repository.of_pilot(session, rows[0].pilot_id)
    counting = [(run.id, run.arm) for run in runs if run.replaced_by is None]
    found = effects.of_all(spec, list(expected.values()), counting)
    counts = {id for id, _ in counting}
    reached = [run for run in at if run.id in counts]
    return [_told(spec, runs, row, rows, expected, found, reached) for row in rows]


def _told(
    spec: PilotSpec, runs: Sequence[RunRow], row: AmendmentRow, rows: Sequence[AmendmentRow],
    expected: Mapping[str, InForce], found: Mapping[str, Effect], reached: Sequence[RunAt],
) -> PilotAmendment:  # fmt: skip
    before = [expected[other.id] for other in rows if other.id < row.id and other.id in expected]
    earlier = [one.amendment for one in before]
    mine = expected.get(row.id)
    amendment = mine.amendment if mine else value_of(row, row.asked_round or 1)
    left_out = mine.left_out if mine else frozenset()
    effect = found[row.id] if mine else Effect(effects.alone(spec, earlier, amendment))
    return PilotAmendment(
        id=row.id,
        arm=row.arm,
        state=row.state,
        asked_round=row.asked_round,
        from_round=mine.amendment.from_round if mine else None,
        patch=amendment.patch,
        changes=effect.changes,
        overruled=effect.overruled,
        comparison_ends=_ends(spec, runs, before, mine, list(expected.values())) if mine else [],
        left_out=[
            LeftOut(run_id=run.id, arm=run.arm, seed=run.seed)
            for run in runs
            if run.id in left_out and run.replaced_by is None
        ],
        begun=row.state == "in_force" and mine is not None and _has_begun(spec, earlier, mine, reached),
        reason=None if row.reason is None else Text.model_validate(row.reason),
        by=row.by,
        why=row.why,
        at=row.at,
        decided_at=row.decided_at,
    )


def _has_begun(spec: PilotSpec, before: Sequence[Amendment], one: InForce, runs: Sequence[RunAt]) -> bool:
    """Whether one of the runs has got to its first round."""
    return any(
        run.last_round >= one.amendment.from_round
        for run in runs
        if run.id not in one.left_out and concerns(spec, run.arm, one.amendment, before)
    )


def _ends(
    spec: PilotSpec,
    runs: Sequence[RunRow],
    before: Sequence[InForce],
    mine: InForce,
    known: Sequence[InForce],
) -> list[ComparisonEnd]:
    """Where this amendment ends the comparison of an arm, and those made after it leave that so."""
    about = [(run.id, run.arm, run.seed) for run in runs if run.replaced_by is None]
    were, ends, stand = (ends_of_comparison(spec, some, about) for some in (before, [*before, mine], known))
    found: dict[str, int] = {}
    for id, arm, _ in about:
        if id in stand and ends.get(id) == stand[id] != were.get(id):
            found[arm] = min(stand[id], found.get(arm, stand[id]))
    return [ComparisonEnd(arm=arm, round=round) for arm, round in found.items()]
