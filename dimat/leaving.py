"""When a site that fell silent leaves a run, and when it may come back, so that nothing changes that was done or sent. Pure.

A step is made as soon as its inputs are there, and its message says whose models it reads with which weights, and what of its own it
makes for whom. So a site is absent from the first round on for whose merges it has made no model: whoever merges there still waits for
it. It comes back in a round that nobody has begun who would read its model there, or reads it on the way to a common basis.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Self

from dimat.absence import Absence, Undone
from dimat.members import LEAST_MEMBERS
from dimat.methods import CONTROL_METHOD
from dimat.plan import Amendment
from dimat.schedule import Schedule, StepKey
from dimat.spec import PilotSpec

_OWED: tuple[Undone, ...] = ("merge", "train")


def is_short(schedule: Schedule, round: int) -> bool:
    """Whether fewer than `LEAST_MEMBERS` sites finish `round`: of its members those that are neither absent nor owe its training.

    No such round counts. So a run does not go on without a site whose absence makes one short up to the round in which it leaves, and
    no amendment that makes one short is taken in (`short_round`). A later round may be short as others leave as planned: until then
    the site may be back; else the run ends when all rounds before it have counted.
    """
    owing = {step.site for step in schedule.undone if (step.round, step.kind) == (round, "train")}
    return len(schedule.members_of(round) - owing) < LEAST_MEMBERS


def short_round(schedule: Schedule, rounds_done: int, last: int | None = None) -> int | None:
    """The first round after `rounds_done`, up to `last`, that is short, as if whoever is absent now stayed so; None: there is none."""
    ahead = range(max(rounds_done, 0) + 1, min(schedule.rounds, last or schedule.rounds) + 1)
    return next((round for round in ahead if is_short(schedule, round)), None)


def absence_of(schedule: Schedule, site: int, name: str, done: AbstractSet[StepKey]) -> Absence | None:
    """The absence of a site that is silent now; None if it has no step to do any more.

    Args:
        site: its index, `name` its name. done: the run's steps that are done, those that prepare included.
    """
    first = schedule.first_open(site, done)
    start = StepKey(0, "evaluate", site)
    is_start_owed = start in schedule.ends(0) and start not in done
    owed: list[tuple[int, Undone]] = [(0, "evaluate")] if is_start_owed else []
    if first is None:
        # No model waits for how the start was judged, but no round is done before.
        return Absence(site=name, from_round=schedule.rounds + 1, undone=tuple(owed)) if owed else None
    round = max(first.round, 1)
    if schedule.model_before(round, site) not in done:
        return Absence(site=name, from_round=round, undone=tuple(owed) if round > 1 else ())
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
    return _Begun.of(begun).round_of_return(present, site, absence, rounds_done)


@dataclass(frozen=True)
class Moment:
    """What a run is when several of its sites leave, or come back, in one go: as if one did after the other, and all steps were made
    in between that become ready.

    Attributes:
        absences: those that the run has, in the order in which they were noticed.
        done: the run's steps that are done, those that prepare included. begun: those that are there, in any state.
        rounds_done: the last round that all have finished.
        last_open: the last round of which steps are made now; others wait for their time.
    """

    spec: PilotSpec
    arm: str
    amendments: Sequence[Amendment]
    absences: Sequence[Absence]
    done: AbstractSet[StepKey]
    begun: AbstractSet[StepKey]
    rounds_done: int
    last_open: int

    def leave(self, sites: Iterable[int]) -> tuple[dict[int, Absence], int | None]:
        """By site its absence, of those that have a step to do; and the first site without which a round up to the one in which it
        leaves would be short: none leaves from it on."""
        found: dict[int, Absence] = {}
        schedule = self._under(self.absences)
        for site in sites:
            absence = absence_of(schedule, site, self.spec.sites[site].name, self.done)
            if absence is None:
                continue
            without = self._under([*self.absences, *found.values(), absence])
            if short_round(without, self.rounds_done, absence.from_round) is not None:
                return found, site
            found[site], schedule = absence, without
        return found, None

    def come_back(self, places: Iterable[int]) -> dict[int, int]:
        """By place in `absences` the round in which that site takes part again, of those that can; theirs have no end yet."""
        index = {site.name: i for i, site in enumerate(self.spec.sites)}
        now, begun, found = list(self.absences), _Begun.of(self.begun), dict[int, int]()
        for place in places:
            absence, site = now[place], index[now[place].site]
            others = (one for one in now if one.site != absence.site or one.until_round is not None)
            present = self._under(list(others))
            round = begun.round_of_return(present, site, absence, self.rounds_done)
            if round is None:
                continue
            found[place] = round
            now[place] = absence.model_copy(update={"until_round": round})
            # Others wait for it from then on; so it is the only one that may find something to do.
            step = self._under(now).ready_step(site, self.done, self.begun)
            if step is not None and step.round <= self.last_open:
                begun.add(step)
        return found

    def _under(self, absences: Sequence[Absence]) -> Schedule:
        return Schedule.of(self.spec, self.arm, self.amendments, absences)


@dataclass
class _Begun:
    """How far sites are: by site the last round of which it has a step, and in which it took over a model."""

    last: dict[int, int]
    adopted: dict[int, int]

    @classmethod
    def of(cls, steps: Iterable[StepKey]) -> Self:
        found = cls({}, {})
        for step in steps:
            found.add(step)
        return found

    def add(self, step: StepKey) -> None:
        self.last[step.site] = max(self.last.get(step.site, 0), step.round)
        if step.kind == "adopt":
            self.adopted[step.site] = max(self.adopted.get(step.site, 0), step.round)

    def round_of_return(self, present: Schedule, site: int, absence: Absence, rounds_done: int) -> int | None:
        adopted = max((round for other, round in self.adopted.items() if other != site), default=0)
        furthest = max((round for other, round in self.last.items() if other != site), default=0)
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
                is_free = all(self.last.get(other, 0) < round for other in near)
            if is_free:
                return round
        return None
