"""How long a run waits for a site that is away, and what it does then. Pure."""

from datetime import datetime

from backend.explain.facts import RunFacts, SiteFact
from backend.explain.words import Then, told
from backend.runs.waiting import AWAY, waits_since
from dimat.leaving import who_finish
from dimat.members import LEAST_MEMBERS

_ENDINGS = {"wait": "run_fails", "stop": "run_stops", "skip": "goes_on_without"}


def limit(run: RunFacts, site: SiteFact) -> Then | None:
    """When the run has waited long enough for a site that is away, and what it does then; None: it does not wait."""
    if (since := _since(run, site)) is None:
        return None
    if (at := _over_at(run, site, since)) is None:
        return Then(told("waits_on", site=site.shown))
    ending = _ENDINGS[run.silent.policy]
    text = (
        told("run_ends_short", site=site.shown, until=at)
        if site.index in run.needed
        else told(ending, site=site.shown, until=at)
    )
    return Then(text, at, is_end=True)


def needed(run: RunFacts) -> frozenset[int]:
    """Of a run that goes on without silent sites those without which it cannot: once all are left out for which it has waited as long or
    longer, too few would finish a round up to the one in which the site leaves (`dimat.leaving`)."""
    first = max(run.rounds_done, 0) + 1
    if run.silent.policy != "skip" or first > run.rounds:
        return frozenset()
    over_at: dict[int, datetime] = {}
    leaves_in: dict[int, int] = {}
    for site in run.sites:
        owes = [step.key.round for step in site.live if step.key.kind != "evaluate"]
        if site.state not in AWAY or not owes or (since := _since(run, site)) is None:
            continue
        if (at := _over_at(run, site, since)) is not None:
            over_at[site.index], leaves_in[site.index] = at, min(max(*owes, first), run.rounds)
    ahead = range(first, max(leaves_in.values(), default=0) + 1)
    left = {round: who_finish(run.schedule, round) for round in ahead}
    found: set[int] = set()
    for site_index in sorted(over_at, key=lambda index: (over_at[index], index)):
        for round, members in left.items():
            if round >= leaves_in[site_index]:
                members.discard(site_index)
        if any(len(left[round]) < LEAST_MEMBERS for round in range(first, leaves_in[site_index] + 1)):
            found.add(site_index)
    return frozenset(found)


def _since(run: RunFacts, site: SiteFact) -> datetime | None:
    step = site.open
    if step is None or run.state != "running":
        return None
    if step.is_shared and site.index not in run.schedule.members_of(run.round):
        return None
    return waits_since(
        step, step.is_shared, site.last_seen_at, run.rounds_done, lambda: run.round_open_since, run.now
    )


def _over_at(run: RunFacts, site: SiteFact, since: datetime) -> datetime | None:
    if run.silent.limit_s is None:
        return None
    over = run.listening.when_heard(since, run.silent.limit_s, site.window)
    return run.listening.may_judge_at(over, run.silent_after_s)
