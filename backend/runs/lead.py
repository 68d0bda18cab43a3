"""How far an arm in which every site trains alone may be ahead of the other arms of its pilot.

It waits for nobody, so that it would run away from arms that merge. Then a change of training or of the sites, which must begin in the
same round in all arms, would begin when the others come there; and no page could compare them at what was done last.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from backend.db.tables import RunRow
from backend.pilots.timers import AT_WORK
from backend.runs import repository
from dimat.methods import CONTROL_METHOD
from dimat.schedule import Schedule

LEAD = 2
"""Rounds after the one at which the slowest run of another arm is: so much evens out who is sent work first."""


class Slowest(NamedTuple):
    """The run of another arm at work that has finished the fewest rounds."""

    arm: str
    rounds_done: int

    @property
    def at(self) -> int:
        """The round at which it is."""
        return self.rounds_done + 1

    @property
    def last_round(self) -> int:
        """That may begin where sites train alone."""
        return self.at + LEAD

    def holds(self, schedule: Schedule, round: int) -> bool:
        """Whether steps of `round` of another run have to wait for it."""
        return round > self.last_round and trains_alone(schedule, round)


def trains_alone(schedule: Schedule, round: int) -> bool:
    """Whether no site merges in that round as its arm is one that never does; amendments may turn it."""
    return schedule.plan_of(max(round, 1)).method == CONTROL_METHOD


def slowest_of_others(session: Session, pilot_ids: Collection[str] | None = None) -> dict[str, Slowest]:
    """By run at work of these pilots (None: of all) the slowest of another arm; runs without one are left out."""
    # One that was restarted and has not begun yet will take over the rounds before its first.
    taken_over = func.coalesce(RunRow.from_round, RunRow.rounds_done)
    done = case((RunRow.rounds_done < 0, taken_over), else_=RunRow.rounds_done)
    chosen = select(RunRow.pilot_id, RunRow.id, RunRow.arm, done).where(RunRow.state.in_(sorted(AT_WORK)))
    if pilot_ids is not None:
        chosen = chosen.where(RunRow.pilot_id.in_(sorted(pilot_ids)))
    of_pilot: dict[str, list[tuple[str, str, int]]] = {}
    for pilot_id, id, arm, rounds_done in session.execute(chosen.order_by(RunRow.id)):
        of_pilot.setdefault(pilot_id, []).append((id, arm, rounds_done))
    return {id: slowest for runs in of_pilot.values() for id, slowest in _of_pilot(runs)}


def round_open_since(session: Session, run: RunRow, schedule: Schedule) -> datetime | None:
    """As `runs.repository.round_open_since`, and since no arm behind the run held the round any more; None also where one does."""
    since, round = repository.round_open_since(session, run), run.rounds_done + 1
    if since is None or round > run.rounds:
        return since
    slowest = slowest_of_others(session, [run.pilot_id]).get(run.id)
    if slowest is not None and slowest.holds(schedule, round):
        return None
    # A hold ends as the others come near. However else it ends (they are paused, or fail, or the method is another), what was held is
    # made then; steps that were made before it began say nothing.
    is_alone = trains_alone(schedule, round)
    near_at = repository.others_finished_at(session, run, round - LEAD - 1) if is_alone else None
    asked_at = repository.sites_asked_at(session, run, round)
    return max(at for at in (since, near_at, asked_at) if at is not None)


def _of_pilot(runs: Sequence[tuple[str, str, int]]) -> Iterator[tuple[str, Slowest]]:
    slowest: dict[str, Slowest] = {}
    for _, arm, done in runs:
        if arm not in slowest or done < slowest[arm].rounds_done:
            slowest[arm] = Slowest(arm, done)
    for id, arm, _ in runs:
        others = [one for one in slowest.values() if one.arm != arm]
        if others:
            yield id, min(others, key=lambda one: one.rounds_done)
