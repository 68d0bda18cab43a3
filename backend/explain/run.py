"""One sentence about the run, what holds it up, and what follows. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from backend.explain.facts import RunFacts
from backend.explain.site import SiteSays
from backend.explain.words import Then, Wait, told
from backend.runs.progress import before_a_round
from backend.runs.states import RUN_ENDS
from backend.text.schemas import Text

MOST_CAUSES = 20
"""Of what holds a run up; more nobody reads."""
_IN_ONE_GO = timedelta(seconds=1)
"""Limits that are over so soon after one another are acted upon in one go: the coordinator looks once a second."""
_RESTS = frozenset({"waiting", "silent", "paused", "done", "left", "apart", "failed", "stopped"})
_FOLLOWS = {
    "queued": "begins",
    "pausing": "pause_follows",
    "paused": "goes_on_when_asked",
    "resuming": "goes_on",
    "cancelling": "cancel_follows",
}

_OF_THE_RUN = ("run_", "broker_", "coordinator_")

_UNTIL_DUE = {
    "round_due": "running_until_due",
    "round_behind_runs": "running_behind_runs",
    "round_begins_now": "running_begins_now",
    "lead": "running_until_arm",
    "lead_at_start": "running_until_arm_at_start",
}


@dataclass(frozen=True, slots=True)
class RunSays:
    """`waits`: what holds it up at its sites, where the cause lies, with the site; what brings something about first, trouble before what is planned."""

    text: Text
    waits: tuple[tuple[SiteSays, Wait], ...]
    then: Then | None


def explain_run(run: RunFacts, sites: Sequence[SiteSays]) -> RunSays:
    held = [(site, wait) for site in sites for wait in site.waits if wait.is_own]
    # What the run itself holds back is no news at each of its sites.
    held = [(site, wait) for site, wait in held if not wait.text.code.startswith(_OF_THE_RUN)]
    held.sort(key=lambda one: (one[1].then is None, one[1].is_planned))
    return RunSays(_sentence(run, sites), tuple(held[:MOST_CAUSES]), _follows(run, sites))


def _sentence(run: RunFacts, sites: Sequence[SiteSays]) -> Text:
    # One that prepares as it joins later is at work, and not in this round.
    taking_part = [
        site
        for site in sites
        if site.doing not in ("left", "apart") and (run.takes_part(site.site.index) or not _prepares(site))
    ]
    if run.state == "running" and (until_due := _until_due(run, taking_part)):
        return until_due
    at_start = run.round == 0 if run.state == "running" else run.rounds_done < 1
    if (part := run.waits_for_server) is not None and run.state == "running":
        suffix = "_at_start" if at_start else ""
        return told(f"{part.name}_away{suffix}", since=part.away_since, round=run.round, rounds=run.rounds)
    working = sum(site.doing not in _RESTS for site in taking_part)
    suffix = "_at_start" if at_start else ""
    if run.state != "running":
        suffix = "" if run.state in ("queued", "completed") else before_a_round(run.state, run.rounds_done)
    return told(
        run.state + suffix,
        since=max(run.at_round_since or run.since, run.since) if run.state == "running" else run.since,
        round=run.round if run.state == "running" else max(run.rounds_done, 0),
        rounds=run.rounds,
        working=working,
        total=len(taking_part),
    )


def _prepares(site: SiteSays) -> bool:
    return site.key is not None and site.key.kind == "prepare"


def _until_due(run: RunFacts, sites: Sequence[SiteSays]) -> Text | None:
    """That all sites wait until the next round may begin: then none is under way. None: there is something else to tell."""
    waits = [[wait.text for wait in site.waits if wait.text.code in _UNTIL_DUE] for site in sites]
    if not waits or not all(waits):
        return None
    found = waits[0][0]
    return Text(
        code=_UNTIL_DUE[found.code], params={"round": run.round, **found.params, "rounds": run.rounds}
    )


def _follows(run: RunFacts, sites: Sequence[SiteSays]) -> Then | None:
    """Of a run at work: what its silent sites bring about, else what is tried again, else the next round. Where it would go on without one
    site and ends in the same moment for want of another, it does not go on."""
    if run.state in RUN_ENDS:
        return None
    if (part := run.waits_for_server) is not None:
        return Then(told(f"{part.name}_back"))
    if run.state != "running":
        return Then(told(_FOLLOWS[run.state]))
    known = [(site, then) for site in sites if (then := site.then) is not None]
    dated = [
        (not then.is_end, then.at, then.over_at or then.at, site.site.index, then)
        for site, then in known
        if then.at is not None
    ]
    if dated:
        first = min(dated, key=lambda one: one[:4])
        ends = [one for one in dated if one[4].ends_run and one[1] - first[1] <= _IN_ONE_GO]
        return min(ends or [first], key=lambda one: one[:4])[4]
    if known:  # whoever is furthest behind holds the others up
        return min(known, key=lambda one: run.rounds if one[0].key is None else one[0].key.round)[1]
    if run.round == run.rounds:
        return Then(told("last_round", rounds=run.rounds))
    return Then(told("next_round", round=run.round, following=run.round + 1))
