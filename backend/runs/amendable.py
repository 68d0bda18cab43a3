"""What an amendment of each arm would begin with: from which round on one may count, and how the arm runs from there if nobody asks for
more. Pure. A form shows it, so that nobody has to be refused to learn it."""

from collections.abc import Sequence

from backend.pilots.amendments import InForce
from backend.runs.amended import Amended
from backend.runs.deciding import RunAt
from backend.runs.schemas import ArmNow, PlanFrom
from backend.runs.settings_changed import single_values
from dimat.spec import PilotSpec


def arms_now(spec: PilotSpec, known: Sequence[InForce], runs: Sequence[RunAt]) -> list[ArmNow]:
    """In the order of the spec.

    Args:
        known: what is in force, or will be. runs: all of the pilot.
    """
    found = []
    for arm in spec.arms:
        going_on = [run for run in runs if run.arm == arm.name and run.can_change(spec.rounds)]
        if not going_on:
            found.append(ArmNow(arm=arm.name, next_round=None, first_free_round=None, plans=[]))
            continue
        next = max(run.last_round + 1 for run in going_on)
        first = max(run.first_free for run in going_on)
        mine = [
            one
            for one in known
            if going_on[0].id not in one.left_out and one.amendment.arm in (None, arm.name)
        ]
        plans = _plans(Amended.by_none(spec, arm.name), mine, next)
        found.append(
            ArmNow(
                arm=arm.name,
                next_round=next,
                first_free_round=first if first <= spec.rounds else None,
                plans=plans,
            )
        )
    return found


def _plans(arm: Amended, mine: Sequence[InForce], first: int) -> list[PlanFrom]:
    """One for each round from which on something may be different, `first` before all."""
    later = {one.amendment.from_round for one in mine if one.amendment.from_round > first}
    plans = []
    for round in (first, *sorted(later)):
        plan = arm.in_round(mine, round).plan
        members = list(plan.members)
        plans.append(PlanFrom(from_round=round, settings=single_values(plan), members=members))
    return plans
