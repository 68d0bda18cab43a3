"""Which runs are compared with which, and why some are not. Pure: no words, no rounding.

A run is compared with the control arm's run of the same seed only; a control run that failed or was
cancelled compares with nothing, since what doing nothing would have given is then unknown. Where the whole pilot was cancelled, all
its runs are compared up to the last round that all have finished.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from backend.pilots.assumptions import Blend, ValueBasis
from backend.roi import calculator
from backend.roi.calculator import Result
from backend.roi.facts import PilotFacts, RunFacts, Usage, how_ended
from backend.roi.schemas import Basis
from backend.text.schemas import Text


@dataclass(frozen=True, slots=True)
class Compared:
    """One arm against the control arm under one basis.

    Attributes:
        per_seed: one result per seed. total: their mean. num_completed: pairs of runs that completed.
        spent: by the arm's runs of these seeds at all sites up to the last round, control runs not taken off.
        stands: False when the arm failed or was cancelled; what it reached is shown, not recommended.
        ends: the round from which on an amendment lets it train otherwise than the control arm; None: in none.
        seeds: all with which the arm was begun. lost: those of which its run or the control arm's failed or was cancelled.
    """

    arm: str
    per_seed: tuple[Result, ...]
    total: Result
    num_completed: int
    stands: bool
    ends: int | None
    seeds: tuple[int, ...]
    lost: tuple[int, ...]
    spent: Usage


def why_not(facts: PilotFacts, run: RunFacts | None = None) -> Text | None:
    """Why there is no ROI at all, or None."""
    if facts.assumptions is None:
        return Text(code="no_assumptions", params={})
    if facts.control_arm is None:
        # What is launched takes no further arm: then another thing is to be done.
        return Text(code="no_control_arm" if facts.runs else "no_control_arm_yet", params={})
    if run is not None and run.arm == facts.control_arm:
        return Text(code="run_is_control", params={"control": run.arm})
    controls = [facts.control_of(run)] if run else list(facts.runs_of(facts.control_arm))
    present = [control for control in controls if control is not None]
    if not any(len(control.after_train("own_site")) > 1 or control.ended_early for control in present):
        return Text(code="control_not_run", params={"control": facts.control_arm})
    if all(facts.is_lost(control) for control in present):
        return Text(code=f"control_{how_ended(present)}", params={"control": facts.control_arm})
    if run is not None and run.ended_early and len(run.after_train("own_site")) < 2:
        return Text(code="run_ended_early", params={})
    return None


def compared_bases(
    facts: PilotFacts, wanted: ValueBasis | None, run: RunFacts | None = None, up_to: int | None = None
) -> list[tuple[Basis, list[Compared]]]:
    """Every basis with the arms that can be compared under it, in the order of the spec.

    Args:
        up_to: a round after which nothing is looked at.
    """
    values: dict[Basis, ValueBasis] = {"own_site": "own_site", "all_site": "all_site"}
    if isinstance(wanted, Blend):
        values["blend"] = wanted
    found: list[tuple[Basis, list[Compared]]] = []
    for name, basis in values.items():
        arms = []
        for label in facts.arms:
            alone = (run,) if run and run.arm == label.name else ()
            runs = facts.counted_of(label.name) if run is None else alone
            seeds = facts.seeds_of(label.name) if run is None else (run.seed,)
            arm = _compare_arm(facts, label.name, runs, seeds, basis, up_to)
            if arm is not None and label.name != facts.control_arm:
                arms.append(arm)
        found.append((name, arms))
    return found


def shared_round(bases: Sequence[tuple[Basis, list[Compared]]]) -> int | None:
    """The last round in which all arms that still stand can be compared: more training than the others had is no
    merit of an arm."""
    return min((arm.total.last.round for _, arms in bases for arm in arms if arm.stands), default=None)


def missing_arms(facts: PilotFacts, bases: Sequence[tuple[Basis, list[Compared]]]) -> list[str]:
    """Arms at work that no round can be compared of yet, while others can."""
    known = {arm.arm for _, arms in bases for arm in arms}
    if not known:
        return []
    return [
        label.name
        for label in facts.arms
        if label.name not in known and facts.is_comparable(label.name) and facts.is_at_work(label.name)
    ]


def _compare_arm(
    facts: PilotFacts, arm: str, runs: Sequence[RunFacts], seeds: tuple[int, ...],
    basis: ValueBasis, up_to: int | None,
) -> Compared | None:  # fmt: skip
    assert facts.assumptions is not None
    pairs = []
    for run in runs:
        control = facts.control_of(run)
        if control is None or facts.is_lost(control):
            continue
        rounds = len(calculator.gains(run, control, basis))
        if rounds > 1:
            pairs.append((run, control, rounds))
    if not pairs:
        return None
    if facts.cancelled_after is None:
        # A seed that is through is not thrown back by the next one, which has just begun.
        pairs = [pair for pair in pairs if pair[2] > facts.rounds] or pairs
    last = min(rounds for _, _, rounds in pairs) - 1
    if up_to is not None:
        last = min(last, up_to)
    found = [calculator.compare(run, control, basis, facts.assumptions, last) for run, control, _ in pairs]
    results = tuple(result for result in found if result is not None)
    completed = sum(run.state == control.state == "completed" for run, control, _ in pairs)
    return Compared(
        arm=arm,
        per_seed=results,
        total=calculator.mean(results),
        num_completed=completed,
        stands=not facts.is_lost(runs[0]),
        ends=min((run.comparison_ends for run, _, _ in pairs if run.comparison_ends), default=None),
        seeds=seeds,
        lost=tuple(seed for seed in facts.lost_seeds_of(arm) if seed in seeds),
        spent=_sum([used for run, _, _ in pairs for (at, _), used in run.usage.items() if at <= last]),
    )


def _sum(spent: Sequence[Usage]) -> Usage:
    return Usage(*(sum(column) for column in zip(*map(astuple, spent), strict=True)))
