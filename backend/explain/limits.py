"""How long a run waits for a site that is away, and what it does then. Pure."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import NamedTuple

from backend.explain.facts import RunFacts, SiteFact
from backend.explain.words import Then, told
from backend.runs.waiting import AWAY, in_turn, over_at, waits_since
from dimat.absence import Absence
from dimat.leaving import Moment
from dimat.plan import Amendment
from dimat.schedule import StepKey
from dimat.spec import PilotSpec

_ENDINGS = {"wait": "run_fails", "stop": "run_stops", "skip": "goes_on_without"}


class _Done(AbstractSet[StepKey]):
    """The steps that are done, which nobody counts: of rounds that are finished all are."""

    def __init__(self, run: RunFacts) -> None:
        self._run = run

    def __contains__(self, step: object) -> bool:
        return isinstance(step, StepKey) and self._run.is_done(step)

    def __iter__(self) -> Iterator[StepKey]:
        return (step for step in self._run.schedule.all_steps() if step in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Plan(NamedTuple):
    """What a run's schedule is made of."""

    spec: PilotSpec
    arm: str
    amendments: Sequence[Amendment]
    absences: Sequence[Absence]


def limit(run: RunFacts, site: SiteFact) -> Then | None:
    """When the run has waited long enough for a site that is away, and what it does then; None: it does not wait."""
    if (since := _since(run, site)) is None:
        return None
    if (over := _over_at(run, site, since)) is None:
        return Then(told("waits_on", site=site.shown))
    at = run.listening.may_judge_at(over, run.silent_after_s)
    is_needed = site.index in run.needed
    code = "run_ends_short" if is_needed else _ENDINGS[run.silent.policy]
    ends_run = is_needed or run.silent.policy != "skip"
    return Then(told(code, site=site.shown, until=at), at, is_end=True, ends_run=ends_run, over_at=over)


def needed(run: RunFacts, plan: Plan) -> frozenset[int]:
    """Of a run that goes on without silent sites those without which it cannot, once all are left out for which it has waited as long or
    longer: what it does then is found as it will be (`Moment.leave`)."""
    if run.silent.policy != "skip" or run.state != "running":
        return frozenset()
    late_at = {
        site.index: over
        for site in run.sites
        if site.state in AWAY
        and (since := _since(run, site)) is not None
        and (over := _over_at(run, site, since)) is not None
    }
    if not late_at:
        return frozenset()
    moment = Moment(
        plan.spec, plan.arm, plan.amendments, plan.absences, done=_Done(run), begun=frozenset(),
        rounds_done=run.rounds_done, last_open=run.rounds,
    )  # fmt: skip
    sites = in_turn(late_at)
    _, first = moment.leave(sites)
    return frozenset() if first is None else frozenset(sites[sites.index(first) :])


def _since(run: RunFacts, site: SiteFact) -> datetime | None:
    step = site.open
    if step is None or run.state != "running":
        return None
    if step.is_shared and site.index not in run.schedule.members_of(run.round):
        return None
    # Between two tries nobody is asked, and the run waits on from the next one.
    asked_at = run.now if step.next_try_at is None else max(run.now, step.next_try_at)
    return waits_since(
        step,
        step.is_shared,
        site.last_seen_at,
        run.resumed_at,
        run.rounds_done,
        lambda: run.round_open_since,
        asked_at,
    )


def _over_at(run: RunFacts, site: SiteFact, since: datetime) -> datetime | None:
    if run.silent.limit_s is None or site.open is None:
        return None
    return over_at(site.open, since, run.silent.limit_s, site.window, run.listening)
