"""Which rounds of restarted runs still stand, and what was fetched in those that do not.

Work up to the round from which a run was restarted stands; what it did after that round led to nothing, and is wasted like what an
attempt in vain fetched. The run's row counts what came of each fetch by itself, and is not written again when its rounds fall away.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from backend.db.tables import ExchangeRow, RunRow


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


def standing(session: Session, runs: Iterable[RunRow]) -> dict[str, int]:
    """By id of those of the runs that were restarted, and of the others of their arm and seed: the round after which what they did
    was for nothing."""
    wanted = {(run.arm_id, run.seed) for run in runs if run.replaced_by is not None}
    if not wanted:
        return {}
    families: defaultdict[tuple[str, int], list[RunRow]] = defaultdict(list)
    for run in session.scalars(select(RunRow).where(RunRow.arm_id.in_({arm for arm, _ in wanted}))):
        families[run.arm_id, run.seed].append(run)
    found: dict[str, int] = {}
    for key in wanted:
        counting = next(run.id for run in families[key] if run.replaced_by is None)
        found |= in_vain_after(
            counting, [Lineage(one.id, one.parent_run_id, one.from_round) for one in families[key]]
        )
    return found


def was_in_vain(stands: Mapping[str, int]) -> ColumnElement[bool]:
    """Whether what an exchange fetched was for nothing. `stands`: see `standing`."""
    return or_(ExchangeRow.result != "accepted", *_later(stands))


def set_aside(session: Session, runs: Iterable[RunRow]) -> Mapping[str, int]:
    """By id of those of the runs of which some were: the bytes that had been of use, of rounds that do not stand."""
    rows = list(runs)
    stands, ids = standing(session, rows), {run.id for run in rows}
    later = _later({id: after for id, after in stands.items() if id in ids})
    if not later:
        return {}
    sums = (
        select(ExchangeRow.run_id, func.sum(ExchangeRow.num_bytes))
        .where(ExchangeRow.result == "accepted", or_(*later))
        .group_by(ExchangeRow.run_id)
    )
    return {str(id): int(num_bytes) for id, num_bytes in session.execute(sums)}


def _later(stands: Mapping[str, int]) -> list[ColumnElement[bool]]:
    return [and_(ExchangeRow.run_id == id, ExchangeRow.round > after) for id, after in stands.items()]
