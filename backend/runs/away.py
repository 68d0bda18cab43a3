"""Which sites take no part at some point of a run, so that nobody waits there for a number of theirs."""

from collections.abc import Callable, Sequence
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
    index = {name: i for i, name in enumerate(spec.site_names)}
    sites = frozenset(range(len(spec.sites)))
    undone = {
        (round, _NUMBER_OF[kind], index[absence.site])
        for absence in absences
        for round, kind in absence.undone
    }

    def away(round: int, phase: Phase) -> frozenset[int]:
        owed = {site for at, what, site in undone if (at, what) == (round, phase)}
        return (sites - schedule.members_of(round)) | owed

    return away
