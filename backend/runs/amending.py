"""Amendments as people ask for them. Here is the question, told to whoever asks when it cannot be; the coordinator decides
(`backend.coordinator.amending`), by the same rules (`deciding`)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from backend.audit import service as audit
from backend.auth.principal import Principal
from backend.db.tables import AbsenceRow, AmendmentRow, RunRow
from backend.errors import Conflict, Invalid
from backend.pilots import service as pilots
from backend.pilots.amendments import InForce, rows_of, value_of
from backend.pilots.specs import stored_spec
from backend.runs import absences, repository
from backend.runs.amendable import arms_now
from backend.runs.comparison import ended_by
from backend.runs.deciding import Decided, Refused, RunAt, decide
from backend.runs.effects import Effect, Effects
from backend.runs.schemas import (
    Amendable,
    AmendmentCreate,
    ComparisonEnd,
    PilotAmendment,
    PilotAmendmentPage,
    RunOfArm,
)
from backend.runs.settings_changed import Scalar
from backend.runs.states import RUN_ENDS
from backend.text.schemas import Text
from dimat.amending import concerns, first_free_round
from dimat.methods import CONTROL_METHOD
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
    barred = repository.barred(session, pilot_id, spec)
    rows = rows_of(session, pilot_id)
    known = _expected(spec, runs, rows, barred)
    found = decide(spec, list(known.values()), value_of(row, 1), runs, body.from_round, barred)
    if isinstance(found, Refused):
        refusal = Conflict if found.reason.code in _OF_THE_STATE else Invalid
        raise refusal(found.reason.code, found.reason.params, found.field)
    session.add(row)
    session.flush()
    mine = InForce(row.id, found.amendment, frozenset(found.left_out))
    told = _told(_look(session, pilot_id, spec, [*rows, row], runs, {**known, row.id: mine}), row)
    audit.record(
        session, who, "pilot_amended", "pilot", pilot_id, name=pilot.name, round=found.amendment.from_round,
        arm=body.arm, why=body.why, **_for_audit(told),
    )  # fmt: skip
    session.flush()
    return told


def _for_audit(told: PilotAmendment) -> dict[str, Scalar]:
    """`new.<field>` of each setting that changes, in the first round in which it does, and `old.<field>` where that is one value in all
    arms. Of what only keeps a setting as it is, when another amendment would change it, nothing, unless there is nothing else."""
    all = [(change.round, setting) for change in told.changes for setting in change.settings]
    turns = [(round, setting) for round, setting in all if not setting.stays] or all
    first: dict[str, int] = {}
    for round, setting in turns:
        first.setdefault(setting.field, round)
    begins = [setting for round, setting in turns if round == first[setting.field]]
    new = {f"new.{one.field}": one.new for one in begins}
    olds = {field: {one.old for one in begins if one.field == field} for field in first}
    return new | {f"old.{field}": old for field, (old, *more) in olds.items() if old is not None and not more}


def list_of_pilot(session: Session, pilot_id: str) -> PilotAmendmentPage:
    """In the order in which they were asked for. Raises: NotFound."""
    pilot = pilots.row_of(session, pilot_id)
    if pilot.state == "draft":
        return PilotAmendmentPage(items=[], next_cursor=None, total=0)
    spec, rows = stored_spec(pilot), rows_of(session, pilot_id)
    runs = runs_at(session, pilot_id, spec)
    expected = _expected(spec, runs, rows, repository.barred(session, pilot_id, spec))
    look = _look(session, pilot_id, spec, rows, runs, expected)
    items = [_told(look, row) for row in rows]
    return PilotAmendmentPage(items=items, next_cursor=None, total=len(items))


def amendable(session: Session, pilot_id: str) -> Amendable:
    """Raises: NotFound."""
    pilot = pilots.row_of(session, pilot_id)
    if pilot.state != "launched":
        return Amendable(arms=[])
    spec = stored_spec(pilot)
    runs = runs_at(session, pilot_id, spec)
    barred = repository.barred(session, pilot_id, spec)
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


@dataclass(frozen=True, slots=True)
class _Look:
    """At a pilot. `rows`: all amendments; `expected`: see there. `counting`: the runs that count, and in `reached` how far they are."""

    spec: PilotSpec
    rows: Sequence[AmendmentRow]
    expected: Mapping[str, InForce]
    counting: Sequence[RunRow]
    reached: Sequence[RunAt]
    effects: Effects
    ended: Mapping[str, list[ComparisonEnd]]


def _look(
    session: Session, pilot_id: str, spec: PilotSpec, rows: Sequence[AmendmentRow], at: Sequence[RunAt],
    expected: Mapping[str, InForce],
) -> _Look:  # fmt: skip
    counting = [run for run in repository.of_pilot(session, pilot_id) if run.replaced_by is None]
    counts, known = {run.id for run in counting}, list(expected.values())
    effects = Effects(spec, known, [(run.id, run.arm) for run in counting])
    ended = ended_by(spec, known, [(run.id, run.arm, run.seed) for run in counting], effects.arms)
    reached = [run for run in at if run.id in counts]
    return _Look(spec, rows, expected, counting, reached, effects, ended)


def _told(look: _Look, row: AmendmentRow) -> PilotAmendment:
    mine = look.expected.get(row.id)
    before = [look.expected[one.id] for one in look.rows if one.id < row.id and one.id in look.expected]
    if mine is None:
        new = InForce(row.id, value_of(row, row.asked_round or 1), frozenset())
        effect, left_out, patch = Effect(look.effects.alone(before, new)), new.left_out, new.amendment.patch
    else:
        effect, left_out, patch = look.effects.of(mine), mine.left_out, mine.amendment.patch
    course = _course(look, before, mine) if row.state == "in_force" and mine is not None else _Course()
    return PilotAmendment(
        id=row.id,
        arm=row.arm,
        state=row.state,
        asked_round=row.asked_round,
        from_round=mine.amendment.from_round if mine else None,
        patch=patch,
        changes=effect.changes,
        overruled=effect.overruled,
        comparison_ends=look.ended[row.id] if mine else [],
        left_out=_named(look, left_out),
        begun=bool(course.begun),
        ahead=_named(look, course.ahead),
        missed=_named(look, course.missed),
        reason=None if row.reason is None else Text.model_validate(row.reason),
        by=row.by,
        why=row.why,
        at=row.at,
        decided_at=row.decided_at,
    )


def _named(look: _Look, ids: Collection[str]) -> list[RunOfArm]:
    return [RunOfArm(run_id=run.id, arm=run.arm, seed=run.seed) for run in look.counting if run.id in ids]


@dataclass(frozen=True, slots=True)
class _Course:
    """Ids of runs that have got to an amendment's first round, that go on and will, and that ended before it."""

    begun: list[str] = field(default_factory=list)
    ahead: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)


def _course(look: _Look, before: Sequence[InForce], one: InForce) -> _Course:
    made, found = [other.amendment for other in before], _Course()
    for run in look.reached:
        if run.id in one.left_out or not concerns(look.spec, run.arm, one.amendment, made):
            continue
        if run.last_round >= one.amendment.from_round:
            found.begun.append(run.id)
        else:
            (found.ahead if run.goes_on else found.missed).append(run.id)
    return found
