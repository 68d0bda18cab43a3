"""From which round on an amendment counts, or why it cannot. Pure.

API and coordinator ask the same question: the API, so that what cannot be is told to whoever asks for it; the coordinator, because
runs go on meanwhile, and only it makes their steps. All runs that go on get one round, or their arms could not be compared.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache

from backend.pilots.amendments import InForce, for_run
from backend.text.schemas import Params, Text
from dimat import amending
from dimat.absence import Absence
from dimat.errors import DimatError
from dimat.leaving import short_round
from dimat.plan import Amendment
from dimat.schedule import Schedule
from dimat.spec import PilotSpec


@dataclass(frozen=True, slots=True)
class RunAt:
    """How far a run is: `first_free` is the first round that no step of it depends on yet, `last_round` the last that has a step.
    `goes_on`: it has not ended, and is not about to. `absences`: of sites that it went on without."""

    id: str
    arm: str
    first_free: int
    goes_on: bool
    last_round: int = 0
    absences: tuple[Absence, ...] = ()

    def can_change(self, rounds: int) -> bool:
        """Whether it has a round left, of its `rounds`, that no site has begun. Where sites train alone they are soon in the last one: others
        that are not must not wait for that run to end before they can change."""
        return self.goes_on and self.last_round < rounds


@dataclass(frozen=True, slots=True)
class Decided:
    """`amendment` counts from its round on for the runs `changed`; those `left_out` have ended, or have no round left."""

    amendment: Amendment
    changed: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """`field`: the place in the request that is to blame; None: none is."""

    reason: Text
    field: str | None = None


def decide(
    spec: PilotSpec, known: Sequence[InForce], asked: Amendment, runs: Sequence[RunAt], round: int | None,
    barred: Collection[str] = (),
) -> Decided | Refused:  # fmt: skip
    """Whether `asked` can count, and from which round on.

    Args:
        known: what is in force. asked: its `from_round` is not looked at.
        runs: all of the pilot. round: from which on it is asked for; None: the first that is free everywhere.
        barred: sites that can take no part in what is to come.
    """
    if cannot := sorted(set(asked.patch.members or ()) & set(barred)):
        reason = Text(code="member_cannot_take_part", params={"name": cannot[0]})
        return Refused(reason, "patch.members")
    concerned = [run for run in runs if amending.concerns(spec, run.arm, asked, for_run(known, run.id))]
    if concerned and not any(run.goes_on for run in concerned):
        return _refused("amendment_runs_ended")
    going_on = [run for run in concerned if run.can_change(spec.rounds)]
    if concerned and not going_on:
        return _refused("amendment_no_round_left", rounds=spec.rounds)
    first = _first_round(spec, known, going_on, asked)
    if first > spec.rounds:
        return _refused("amendment_no_round_left", rounds=spec.rounds)
    if round is not None and round > spec.rounds:
        return _refused("amendment_after_end", "from_round", round=round, rounds=spec.rounds)
    if round is not None and round < first:
        return _refused("amendment_round_begun", "from_round", round=round, first=first)
    new = asked.model_copy(update={"from_round": first if round is None else round})
    clash = cache(lambda arm, mine: amending.clash(spec, arm, [*mine, new], new))  # seeds share it
    for run in going_on:
        if found := clash(run.arm, tuple(for_run(known, run.id))):
            params: Params = {**found.params, "arm": run.arm, "from_round": new.from_round}
            return Refused(Text(code=found.code, params=params), f"patch.{found.place}")
        if (short := _short_round(spec, known, run, new)) is not None:
            params = {"arm": run.arm, "round": short, "sites": _silent(spec, run, short)}
            return Refused(Text(code="amendment_leaves_too_few", params=params), "patch.members")
    if not any(_changes(spec, known, run, new) for run in going_on):
        return _refused("amendment_changes_nothing", "patch")
    changed = tuple(run.id for run in going_on)
    left_out = (run.id for run in concerned if run not in going_on and _changes(spec, known, run, new))
    return Decided(new, changed, tuple(left_out))


def _first_round(spec: PilotSpec, known: Sequence[InForce], runs: Sequence[RunAt], asked: Amendment) -> int:
    """The first round that has no step in any of the runs, if those that are there stay as they are; else the one after it."""
    soonest = max((run.last_round + 1 for run in runs), default=1)
    new = asked.model_copy(update={"from_round": soonest})
    waits = [run for run in runs if run.first_free > soonest]
    if all(_leaves_as_told(spec, known, run, new) for run in waits):
        return soonest
    return max(run.first_free for run in waits)


def _leaves_as_told(spec: PilotSpec, known: Sequence[InForce], run: RunAt, new: Amendment) -> bool:
    mine = for_run(known, run.id)
    before = Schedule.of(spec, run.arm, mine, run.absences)
    try:
        after = Schedule.of(spec, run.arm, [*mine, new], run.absences)
        return amending.leaves_as_told(before, after, run.last_round)
    except (ValueError, DimatError):  # `clash` says why it cannot be, in whichever round
        return True


def _short_round(spec: PilotSpec, known: Sequence[InForce], run: RunAt, new: Amendment) -> int | None:
    """The first round that too few sites would finish as others are silent."""
    if new.patch.members is None or not run.absences:
        return None
    schedule = Schedule.of(spec, run.arm, [*for_run(known, run.id), new], run.absences)
    return short_round(schedule, new.from_round - 1)


def _silent(spec: PilotSpec, run: RunAt, round: int) -> str:
    """The sites that are absent then, as people read their names."""
    gone = {absence.site for absence in run.absences if absence.covers(round)}
    return ", ".join(site.display_name or site.name for site in spec.sites if site.name in gone)


def _changes(spec: PilotSpec, known: Sequence[InForce], run: RunAt, new: Amendment) -> bool:
    before = for_run(known, run.id)
    try:
        return amending.changes(spec, run.arm, before, [*before, new])
    except (ValueError, DimatError):  # of a run that has ended it does not matter whether it could
        return True


def _refused(code: str, field: str | None = None, **params: int) -> Refused:
    return Refused(Text(code=code, params=dict(params)), field)
