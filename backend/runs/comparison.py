"""From which round on amendments let an arm train otherwise than the control arm, and which of them does. Pure."""

from bisect import insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from backend.pilots.amendments import InForce, for_run
from backend.runs.amended import Amended
from backend.runs.schemas import ComparisonEnd
from dimat.amending import comparison_ends, concerns
from dimat.spec import PilotSpec


def ends_of_comparison(
    spec: PilotSpec, known: Sequence[InForce], runs: Sequence[tuple[str, str, int]]
) -> dict[str, int]:
    """By run the round from which on it was trained otherwise than the control arm's run with its seed, where there is one.

    Args:
        runs: id, arm and seed of each.
    """
    found = {}
    for id, arm, control_id, control in _pairs(spec, runs):
        end = comparison_ends(spec, arm, for_run(known, id), control, for_run(known, control_id))
        if end is not None:
            found[id] = end
    return found


def ended_by(
    spec: PilotSpec,
    known: Sequence[InForce],
    runs: Sequence[tuple[str, str, int]],
    arms: Mapping[str, Amended],
) -> dict[str, list[ComparisonEnd]]:
    """By id of the amendment where it ends the comparison of an arm, and those made after it leave that so.

    Args:
        known: all that count, in the order in which they apply. runs: as in `ends_of_comparison`. arms: by name, not amended.
    """

    @cache  # runs of an arm under the same amendments share it
    def ends(arm: str, without: frozenset[str], control: str, not_theirs: frozenset[str]) -> list[int | None]:
        return _ends_after_each(spec, known, _Side(arms[arm], without), _Side(arms[control], not_theirs))

    found: dict[str, dict[str, int]] = {one.id: {} for one in known}
    for id, arm, control_id, control in _pairs(spec, runs):
        after_each = ends(arm, _too_late_for(id, known), control, _too_late_for(control_id, known))
        for one, before, end in zip(known, [None, *after_each], after_each, strict=False):
            if end is not None and end == after_each[-1] != before:
                found[one.id][arm] = min(end, found[one.id].get(arm, end))
    return {
        id: [ComparisonEnd(arm=arm, round=round) for arm, round in by_arm.items()]
        for id, by_arm in found.items()
    }


def _pairs(spec: PilotSpec, runs: Sequence[tuple[str, str, int]]) -> Iterator[tuple[str, str, str, str]]:
    """Id and arm of each run that is compared, and of the control arm's run with its seed."""
    control = spec.control_arm
    if control is None:
        return
    controls = {seed: id for id, arm, seed in runs if arm == control.name}
    for id, arm, seed in runs:
        if arm != control.name and seed in controls:
            yield id, arm, controls[seed], control.name


def _too_late_for(run_id: str, known: Sequence[InForce]) -> frozenset[str]:
    return frozenset(one.id for one in known if run_id in one.left_out)


@dataclass(frozen=True, slots=True)
class _Side:
    """One of two runs that are compared, and its amendments so far."""

    arm: Amended
    without: frozenset[str]
    mine: list[InForce] = field(default_factory=list)

    def takes(self, spec: PilotSpec, one: InForce) -> bool:
        before = (other.amendment for other in self.mine)
        is_mine = one.id not in self.without and concerns(spec, self.arm.arm, one.amendment, before)
        if is_mine:
            self.mine.append(one)
        return is_mine

    def training_in(self, round: int) -> dict[str, Any]:
        return self.arm.in_round(self.mine, round).training_changes()


def _ends_after_each(
    spec: PilotSpec, known: Sequence[InForce], ours: _Side, theirs: _Side
) -> list[int | None]:
    """What `comparison_ends` is under the first of `known`, under the first two, and so on: one more changes nothing before its round."""
    ends: list[int | None] = []
    end: int | None = None
    turns: list[int] = []
    for one in known:
        is_about = [side.takes(spec, one) for side in (ours, theirs)]
        first = one.amendment.from_round
        if any(is_about) and one.amendment.patch.train is not None and first <= spec.rounds:
            insort(turns, first)
            if end is None or first <= end:
                later = (round for round in turns if round >= first)
                differ = (r for r in later if ours.training_in(r) != theirs.training_in(r))
                end = next(differ, None)
        ends.append(end)
    return ends
