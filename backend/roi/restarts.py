"""What runs spent that a restarted run stands for. Pure.

All that the runs of an arm and seed spent is booked with the one that counts, in the rounds in which it was done, and once: with the run
that did it, whatever others have taken over from that one. Work up to the round from which a run was restarted stands; what the
earlier run did after that round led to nothing, and was paid for like every attempt in vain. The ledger of a pilot goes by the same
rule (`backend.exchanges.repository`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace

from backend.roi.facts import Usage
from backend.runs.standing import Lineage, in_vain_after

ByPlace = Mapping[tuple[int, int], Usage]
"""(round, site index) -> usage."""


def spent_by_all(counting: str, runs: Iterable[Lineage], usage: Mapping[str, ByPlace]) -> ByPlace:
    """What the runs of an arm and seed spent, of which `counting` counts.

    Args:
        usage: of each run what its rows tell, those that it has taken over among them.
    """
    every = list(runs)
    after = in_vain_after(counting, every)
    total: dict[tuple[int, int], Usage] = {}
    for run in every:
        for (round, site), spent in usage[run.id].items():
            if run.from_round is not None and round <= run.from_round:
                continue
            is_vain = run.id != counting and round > after[run.id]
            known = total.get((round, site), Usage())
            total[round, site] = _sum(known, _in_vain(spent) if is_vain else spent)
    return total


def _in_vain(usage: Usage) -> Usage:
    return replace(usage, wasted_cpu_s=usage.cpu_s, wasted_gpu_s=usage.gpu_s, wasted_bytes=usage.num_bytes)


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(
        **{field.name: getattr(one, field.name) + getattr(other, field.name) for field in fields(Usage)}
    )
