"""Amendments of a pilot that runs: from which round on one may count, what it changes, and whether it can. Pure.

Sites run ahead of each other, and what a step sends depends on who reads it: a train step already rounds its model, and tells second
moments, as the merge of the next round wants them. So an amendment may count from a round on only if every step that is there keeps the
message it has, also in a new attempt. From `first_free_round` on that is so whatever an amendment sets. Of the round before it,
the first that has no step, `leaves_as_told` says whether it is so of this amendment: mostly it is, as what is sent depends on little.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from dimat import told
from dimat.errors import (
    DeltasNeedNeighbours,
    DimatError,
    FinalMergeMissed,
    HubTakesNoPart,
    MergesNoMore,
    RidgeHeadNeedsBasis,
    RidgeHeadNeedsRounds,
    RidgeHeadTooLate,
    SkipNeedsNeighbours,
    TargetsAreNumbers,
    TooFewMembers,
    UnknownMember,
)
from dimat.members import among
from dimat.methods import CONTROL_METHOD, SUMMED_METHODS
from dimat.parts import MergeSpec, TrainPatch
from dimat.plan import Amendment, ArmPlan, amended_plan, effective_spec
from dimat.schedule import Schedule, StepKey
from dimat.spec import PilotSpec
from dimat.topology_spec import TopologySpec
from dimat.validation import place_of


@dataclass(frozen=True, slots=True)
class Clash:
    """Why an arm cannot run as it was amended: an error's code and params, the dotted place in the patch, and the error's sentence."""

    code: str
    params: Mapping[str, str | int | float]
    place: str
    message: str

    @classmethod
    def of(cls, error: DimatError, place: str) -> "Clash":
        return cls(error.code, error.params, place, str(error))


def last_round_read(step: StepKey) -> int:
    """The last round whose plan the message of `step` depends on; 0: on none.

    `prepare` is the same for all arms. Whether there is an `align` before round 0, and so which model `evaluate` judges, is up to
    round 1. What a train step sends is up to the merge of the next round, if there is one.
    """
    if step.kind == "prepare":
        return 0
    return step.round + 1 if step.kind == "train" else max(step.round, 1)


def first_free_round(steps: Iterable[StepKey]) -> int:
    """The first round from which an amendment changes no message of `steps`, those of a run that are there (in any state).
    Behind the last round: none is left."""
    return 1 + max(map(last_round_read, steps), default=0)


def leaves_as_told(before: Schedule, after: Schedule, round: int) -> bool:
    """Whether all steps of `round`, the last of which any is there, are told the same in `after` as in `before`, which differ by
    amendments from the round after it on. Steps of earlier rounds always are."""
    steps = before.steps_in(round)
    return steps == after.steps_in(round) and all(
        told.all_of(before, step) == told.all_of(after, step)
        for step in steps
        if last_round_read(step) > round
    )


def concerns(spec: PilotSpec, arm: str, amendment: Amendment, before: Iterable[Amendment]) -> bool:
    """Whether `amendment` can change how `arm` runs. Of an arm that never merges only how it trains, and where.

    Args:
        before: what is in force; an arm that never merged may have been turned into one that does.
    """
    if amendment.arm not in (None, arm):
        return False
    of_all = amendment.patch.train is not None or amendment.patch.members is not None
    turned = any(one.arm == arm and one.patch.method is not None for one in (*before, amendment))
    return of_all or turned or spec.arm(arm).method != CONTROL_METHOD


def changes(spec: PilotSpec, arm: str, before: Sequence[Amendment], after: Sequence[Amendment]) -> bool:
    """Whether `arm` runs otherwise in some round under the amendments `after` than under `before`."""
    return any(
        _what_counts(effective_spec(spec, arm, before, round))
        != _what_counts(effective_spec(spec, arm, after, round))
        for round in turning_points(spec, [*before, *after])
    )


def turning_points(spec: PilotSpec, amendments: Sequence[Amendment]) -> list[int]:
    """The rounds in which an arm may run otherwise than in the round before, ascending; round 1 is one of them."""
    edges = {1, spec.rounds - 1, spec.rounds, *(amendment.from_round for amendment in amendments)}
    return sorted(round for round in edges if 1 <= round <= spec.rounds)


def clash(
    spec: PilotSpec, arm: str, amendments: Sequence[Amendment], new: Amendment | None = None
) -> Clash | None:
    """Why `arm` cannot run under `amendments` in all rounds; None: it can.

    Args:
        new: the one among them that is being made; only of it is it asked whether the arm still merges afterwards.
    """
    try:
        for round in turning_points(spec, amendments):
            _check_round(spec, arm, amendments, round)
        if new is not None and _asks_for_differences_in_vain(spec, arm, amendments, new):
            return Clash.of(DeltasNeedNeighbours(arm=arm), "merge.wire.deltas")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        context = {k: v for k, v in (first.get("ctx") or {}).items() if k not in ("place", "message")}
        return Clash(first["type"], context, place_of(first, None), first["msg"])
    except _At as found:
        return Clash.of(found.error, found.place)
    except (UnknownMember, TooFewMembers) as error:
        return Clash.of(error, "members")
    if new is not None and _stops_merging(spec, arm, amendments, new):
        every = amended_plan(spec, arm, amendments, spec.rounds).merge.merge_every
        no_more = MergesNoMore(arm=arm, merge_every=every, from_round=new.from_round, rounds=spec.rounds)
        return Clash.of(no_more, "merge.merge_every")
    return None


def training_changes(
    spec: PilotSpec, arm: str, amendments: Sequence[Amendment], round: int
) -> Mapping[str, Any]:
    """How the amendments let `arm` train otherwise in `round` than it was launched: field of `TrainSpec` -> value. That a last round
    which ends with its merge does not train belongs to how an arm merges."""
    own = spec.arm(arm).train or TrainPatch()
    launched = spec.train.model_dump() | own.model_dump(exclude_none=True)
    now = dict(launched)
    for amendment in amendments:
        if amendment.from_round <= round and amendment.arm in (None, arm) and amendment.patch.train:
            now |= amendment.patch.train.model_dump(exclude_none=True)
    return {field: value for field, value in now.items() if value != launched[field]}


def comparison_ends(
    spec: PilotSpec, arm: str, ours: Sequence[Amendment], control: str, theirs: Sequence[Amendment]
) -> int | None:
    """The first round from which a run of `arm` under the amendments `ours` was trained otherwise, by an amendment, than the run of
    the control arm under `theirs`: more or other training is no merit of merging. None: there is no such round."""
    for round in turning_points(spec, [*ours, *theirs]):
        if training_changes(spec, arm, ours, round) != training_changes(spec, control, theirs, round):
            return round
    return None


class _At(Exception):
    """An error with its place in the patch."""

    def __init__(self, error: DimatError, place: str) -> None:
        super().__init__(str(error))
        self.error, self.place = error, place


def _check_round(spec: PilotSpec, arm: str, amendments: Sequence[Amendment], round: int) -> None:
    """Raises: ValidationError, where settings exclude each other; _At."""
    plan = amended_plan(spec, arm, amendments, round)
    if spec.train.loss == "mse" and plan.train.loss != "mse":
        raise _At(TargetsAreNumbers(data=spec.name, loss=plan.train.loss), "train.loss")
    try:
        among(plan.topology, spec.site_names, plan.members).check(plan.members)
    except HubTakesNoPart as error:
        raise _At(error, "members") from None
    except DimatError as error:
        raise _At(error, "topology") from None
    if plan.method == CONTROL_METHOD:
        return
    if plan.over != "neighbours" and spec.silent.policy == "skip":
        raise _At(SkipNeedsNeighbours(arm=arm), "merge.over" if plan.merge.over == "tree" else "method")
    if plan.merge.ridge_head and plan.method not in SUMMED_METHODS:
        raise _At(RidgeHeadNeedsBasis(arm=arm, method=plan.method), "merge.ridge_head")
    if round == spec.rounds:
        _check_end(spec, arm, amendments, plan)


def _check_end(spec: PilotSpec, arm: str, amendments: Sequence[Amendment], last: ArmPlan) -> None:
    every = last.merge.merge_every
    if last.merge.ridge_head and spec.rounds < 2:
        raise _At(RidgeHeadNeedsRounds(arm=arm, rounds=spec.rounds), "merge.ridge_head")
    before = amended_plan(spec, arm, amendments, max(spec.rounds - 1, 1))
    if last.merge.ridge_head != (before.merge.ridge_head and before.method != CONTROL_METHOD):
        raise _At(RidgeHeadTooLate(arm=arm, round=spec.rounds - 1), "merge.ridge_head")
    if last.merge.final_merge and not last.merge.ridge_head and spec.rounds % every:
        missed = FinalMergeMissed(arm=arm, merge_every=every, rounds=spec.rounds)
        raise _At(missed, "merge.merge_every")


def _asks_for_differences_in_vain(
    spec: PilotSpec, arm: str, amendments: Sequence[Amendment], new: Amendment
) -> bool:
    """Whether no arm that the new amendment is for ever merges over neighbours from its round on. Of several one is enough: the others
    are there to be compared."""
    wire = None if new.patch.merge is None else new.patch.merge.wire
    if wire is None or not wire.deltas:
        return False
    arms = [arm] if new.arm is not None else [arm, *(one.name for one in spec.arms)]
    plans = (
        amended_plan(spec, one, amendments, round)
        for one in arms
        for round in turning_points(spec, amendments)
        if round >= new.from_round
    )
    return all(plan.method == CONTROL_METHOD or plan.over != "neighbours" for plan in plans)


def _stops_merging(spec: PilotSpec, arm: str, amendments: Sequence[Amendment], new: Amendment) -> bool:
    """Whether the arm merged from the new amendment's round on, and does no longer, although its method does."""
    if amended_plan(spec, arm, amendments, spec.rounds).method == CONTROL_METHOD:
        return False
    before = [amendment for amendment in amendments if amendment is not new]
    begun = new.from_round
    return _merges_from(spec, arm, before, begun) and not _merges_from(spec, arm, amendments, begun)


def _merges_from(spec: PilotSpec, arm: str, amendments: Sequence[Amendment], begun: int) -> bool:
    points = sorted({begun, *(p for p in turning_points(spec, amendments) if p > begun)})
    for first, following in zip(points, [*points[1:], spec.rounds + 1], strict=True):
        plan = effective_spec(spec, arm, amendments, first)
        every = plan.merge.merge_every
        if plan.method != CONTROL_METHOD and -(-first // every) * every < following:
            return True
    return False


def _what_counts(plan: ArmPlan) -> ArmPlan:
    """Of an arm that does not merge only how it trains, and where."""
    if plan.method != CONTROL_METHOD:
        return plan
    return plan.model_copy(update={"topology": TopologySpec(), "merge": MergeSpec()})
