"""What runs spent that a restarted run stands for. Pure.

Work up to the round from which a run was restarted stands for the new run, whose rows hold it: there it is booked, once. What
the earlier run did after that round led to nothing. It was paid for like every attempt in vain, so it is booked as such with
the run that counts, in the rounds in which it was done.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from backend.roi.facts import Usage

ByPlace = Mapping[tuple[int, int], Usage]
"""(round, site index) -> usage."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """A run and where it comes from. `from_round`: the last round of `parent` that stands for it; None where it began anew."""

    id: str
    parent: str | None
    from_round: int | None


def in_vain_after(counting: str, runs: Iterable[Lineage]) -> dict[str, int]:
    """For each of the other runs of the same arm and seed the round after which its own work stands for `counting` no more.

    Args:
        runs: all of the arm and seed, `counting` among them.
    """
    known = {run.id: run for run in runs}
    used: dict[str, int] = {}
    child, limit = known[counting], 0
    while child.parent is not None and child.from_round is not None and child.parent in known:
        limit = child.from_round if child.id == counting else min(limit, child.from_round)
        used[child.parent] = limit
        child = known[child.parent]
    own = {
        id: -1 if run.from_round is None else run.from_round for id, run in known.items() if id != counting
    }
    return {id: max(began, used.get(id, -1)) for id, began in own.items()}


def with_spent_in_vain(usage: ByPlace, others: Mapping[str, ByPlace], after: Mapping[str, int]) -> ByPlace:
    """`usage` of the run that counts, and what the others spent in rounds after those that stand for it."""
    total = dict(usage)
    for id, places in others.items():
        for (round, site), spent in places.items():
            if round > after[id]:
                total[round, site] = _with(total.get((round, site), Usage()), spent)
    return total


def _with(usage: Usage, vain: Usage) -> Usage:
    return Usage(
        cpu_s=usage.cpu_s + vain.cpu_s,
        gpu_s=usage.gpu_s + vain.gpu_s,
        num_bytes=usage.num_bytes + vain.num_bytes,
        wasted_cpu_s=usage.wasted_cpu_s + vain.cpu_s,
        wasted_gpu_s=usage.wasted_gpu_s + vain.gpu_s,
        wasted_bytes=usage.wasted_bytes + vain.num_bytes,
        unmeasured=usage.unmeasured + vain.unmeasured,
    )
