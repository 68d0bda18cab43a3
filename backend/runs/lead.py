"""How far an arm in which every site trains alone may be ahead of the other arms of its pilot.

It waits for nobody, so that it would run away from arms that merge. Then a change of training or of the sites, which must begin in the
same round in all arms, would begin when the others come there; and no page could compare them at what was done last. No site is the
busier for it: whoever is ahead would have been done sooner, and the pilot not.
"""

from typing import NamedTuple

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session, aliased

from backend.db.tables import RunRow, StepRow
from backend.pilots.timers import AT_WORK
from dimat.methods import CONTROL_METHOD

LEAD = 2
"""Rounds after the one at which the slowest run of another arm is: so much evens out who is sent work first."""


class Slowest(NamedTuple):
    """The run of another arm that has finished the fewest rounds."""

    arm: str
    rounds_done: int

    @property
    def round(self) -> int:
        """At which it is."""
        return self.rounds_done + 1

    @property
    def last_round(self) -> int:
        """That may be begun by an arm that trains alone."""
        return self.round + LEAD


def is_within_lead() -> ColumnElement[bool]:
    """Of a step (`StepRow`) and its run (`RunRow`): whether it may be done now, as far as other arms go."""
    other = aliased(RunRow)
    slowest = (
        select(func.min(other.rounds_done))
        .where(
            other.pilot_id == RunRow.pilot_id, other.arm_id != RunRow.arm_id, other.state.in_(sorted(AT_WORK))
        )
        .correlate(RunRow)
        .scalar_subquery()
    )  # fmt: skip
    return or_(RunRow.method != CONTROL_METHOD, slowest.is_(None), StepRow.round <= slowest + 1 + LEAD)


def slowest_other(session: Session, run: RunRow) -> Slowest | None:
    """None: the run waits for no other arm."""
    if run.method != CONTROL_METHOD:
        return None
    found = session.execute(
        select(RunRow.arm, RunRow.rounds_done)
        .where(
            RunRow.pilot_id == run.pilot_id, RunRow.arm_id != run.arm_id, RunRow.state.in_(sorted(AT_WORK))
        )
        .order_by(RunRow.rounds_done, RunRow.id)
        .limit(1)
    ).first()  # fmt: skip
    return None if found is None else Slowest(*found)
