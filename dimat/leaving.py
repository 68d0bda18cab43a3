"""When a site that fell silent leaves a run, and when it may come back, so that nothing changes that was done or sent. Pure.

A step is made as soon as its inputs are there, and its message says whose models it reads with which weights, and what of its own it
makes for whom. So a site is absent from the first round on for whose merges it has made no model: whoever merges there still waits for
it. It comes back in a round that nobody has begun who would read its model there, or reads it on the way to a common basis.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from dimat.absence import Absence, Undone
from dimat.members import LEAST_MEMBERS
from dimat.methods import CONTROL_METHOD
from dimat.schedule import Schedule, StepKey

_OWED: tuple[Undone, ...] = ("merge", "train")


def is_short(schedule: Schedule, round: int) -> bool:
    """Whether fewer than `LEAST_MEMBERS` sites finish `round`: of its members those that are neither absent nor owe its training.

    No such round counts. So a run does not go on without a site whose absence makes a round ahead short, be it long until then, and
    no amendment that does so is taken in (`short_round`). One that has such a round all the same, as it goes on after a round of
    another run and may get a site back later than that one did, ends when all rounds before it have counted.
    """
    owing = {step.site for step in schedule.undone if (step.round, step.kind) == (round, "train")}
    return len(schedule.members_of(round) - owing) < LEAST_MEMBERS


def short_round(schedule: Schedule, rounds_done: int) -> int | None:
    """The first round after `rounds_done` that is short, as if whoever is absent now stayed so; None: there is none."""
    ahead = range(max(rounds_done, 0) + 1, schedule.rounds + 1)
    return next((round for round in ahead if is_short(schedule, round)), None)


def absence_of(schedule: Schedule, site: int, name: str, done: AbstractSet[StepKey]) -> Absence | None:
    """The absence of a site that is silent now; None if it has no step to do any more.

    Args:
        site: its index, `name` its name. done: the run's steps that are done, those that prepare included.
    """
    first = schedule.first_open(site, done)
    if first is None:
        return None
    round = max(first.round, 1)
    if schedule.model_before(round, site) not in done:
        return Absence(site=name, from_round=round)
    start = StepKey(0, "evaluate", site)
    is_start_owed = start in schedule.ends(0) and start not in done
    owed: list[tuple[int, Undone]] = [(0, "evaluate")] if is_start_owed else []
    chain = {step.kind: step for step in schedule.steps_of(site, round)}
    owed += [(round, kind) for kind in _OWED if kind in chain and chain[kind] not in done]
    return Absence(site=name, from_round=round + 1, undone=tuple(owed))


def round_of_return(
    present: Schedule, site: int, absence: Absence, begun: Iterable[StepKey], rounds_done: int
) -> int | None:
    """The first round in which the site of `absence`, which has no end yet, may take part again; None: there is none any more.

    Args:
        present: the run's schedule as if that absence had been over at once: with the links of the site.
        begun: the run's steps that are there, in any state.
        rounds_done: the last round that all have finished, and whose numbers have been told.
    """
    last: dict[int, int] = {}
    adopted = 0
    for step in begun:
        last[step.site] = max(last.get(step.site, 0), step.round)
        if step.kind == "adopt" and step.site != site:
            adopted = max(adopted, step.round)
    furthest = max((round for other, round in last.items() if other != site), default=0)
    # Who joined in a round chose among all that took part in the one before, not among its neighbours alone.
    for round in range(max(absence.from_round + 1, rounds_done + 1, adopted), present.rounds + 1):
        if site not in present.members_of(round):
            continue
        plan = present.plan_of(round)
        if plan.method == CONTROL_METHOD:
            return round
        if plan.over != "neighbours" or present.aligns_before(round):
            is_free = furthest < round
        else:
            near = present.whole_of(round).neighbours(site)
            is_free = all(last.get(other, 0) < round for other in near)
        if is_free:
            return round
    return None
