"""Which sites take part in a run, and which are away at some point of it, so that nobody waits there for a number of theirs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from dimat.absence import Absence
from dimat.plan import Amendment
from dimat.schedule import Schedule
from dimat.spec import PilotSpec

Phase = Literal["after_merge", "after_train"]
AwayAt = Callable[[int, Phase], frozenset[int]]
"""Of a round and phase: indices of the sites."""
_NUMBER_OF: dict[str, Phase] = {"evaluate": "after_train", "merge": "after_merge", "train": "after_train"}


def away_in(
    spec: PilotSpec, arm: str, amendments: Sequence[Amendment], absences: Sequence[Absence]
) -> AwayAt:
    """Of a run of `arm` under its amendments, and without the sites that fell silent in it."""
    if not spec.waiting and not absences and all(one.patch.members is None for one in amendments):
        return lambda _round, _phase: frozenset()
    schedule = Schedule.of(spec, arm, amendments, absences)
    sites = frozenset(range(len(spec.sites)))

    def away(round: int, phase: Phase) -> frozenset[int]:
        owed = {
            step.site for step in schedule.undone if step.round == round and _NUMBER_OF[step.kind] == phase
        }
        return (sites - schedule.members_of(round)) | owed

    return away


@dataclass(frozen=True, slots=True)
class Span:
    """Rounds `first` to `last` of 0..R in which the same sites take part, by index: `members`."""

    first: int
    last: int
    members: frozenset[int]


def spans(schedule: Schedule, absences: Iterable[Absence]) -> list[Span]:
    """All rounds of a run: its members change in few of them, so that nobody need look at each round for each site."""
    leaving = {one.from_round for one in absences if one.from_round <= schedule.rounds}
    begins = sorted({0, *schedule.turns, *leaving})
    ends = [*begins, schedule.rounds + 1]
    return [Span(first, next - 1, schedule.members_of(first)) for first, next in pairwise(ends)]
