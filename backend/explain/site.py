"""What a site does in a run, and what it waits for. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from backend.explain.causes import Case, waits
from backend.explain.facts import RunFacts, SiteFact, StepFact
from backend.explain.words import Then, Wait, of_step, told
from backend.runs.states import RUN_ENDS, STEP_LIVE
from backend.runs.waiting import AWAY
from backend.text.schemas import Text
from dimat.schedule import StepKey

Doing = Literal[
    "preparing", "adopting", "aligning", "evaluating", "gathering", "merging", "training",
    "waiting", "silent", "paused", "done", "left", "apart", "failed", "stopped",
]  # fmt: skip
_DOING: dict[str, Doing] = {
    "prepare": "preparing",
    "adopt": "adopting",
    "align": "aligning",
    "evaluate": "evaluating",
    "gather": "gathering",
    "merge": "merging",
    "train": "training",
}
_SILENT_ENDS = frozenset({"site_silent_too_long", "stopped_for_silent_site", "too_few_sites_left"})
"""Reasons of a run's end that name the site which was waited for."""


@dataclass(frozen=True, slots=True)
class SiteSays:
    """`key`: the step that it does, or is to do next; None: there is none. `step`: what is known of it."""

    site: SiteFact
    doing: Doing
    since: datetime | None
    text: Text
    key: StepKey | None = None
    step: StepFact | None = None
    waits: tuple[Wait, ...] = ()
    after: Then | None = None
    """What follows if nothing happens to it: what comes after its step, or what it waits for."""

    @property
    def then(self) -> Then | None:
        """What follows first, of what its waits bring about."""
        known = [wait.then for wait in self.waits if wait.then is not None]
        return min(known, key=_soonest, default=None)


def _soonest(then: Then) -> tuple[bool, float]:
    return then.at is None, 0.0 if then.at is None else then.at.timestamp()


def explain_site(run: RunFacts, site: SiteFact) -> SiteSays:
    """
    Returns:
        While it runs a step: `training` and the like, since when it runs. `waiting`: since its last step was done, or it was left what
        to do. `silent`: since its last sign of life, whatever it had to do. `left`: the run went on without it. `apart`: it takes no
        part by plan. `done`: it has nothing to do any more. `failed`, `stopped`: the run ended.
    """
    step = _open(site)
    if run.state in RUN_ENDS:
        return _at_the_end(run, site)
    # What it has to prepare stays open while it is away.
    if site.away is not None and _is_away(run, site) and (step is None or site.state in AWAY):
        away = site.away
        code = "left_out" if away.until_round is None else "comes_back"
        text = told(code, since=away.at, round=away.from_round, until_round=away.until_round)
        return SiteSays(site, "left", away.at, text)
    key = step.key if step is not None else _next(run, site)
    if key is None:
        return _without_a_step(run, site)
    if step is None and key.round > run.round and site.index not in run.schedule.members_of(run.round):
        return SiteSays(site, "apart", None, told("joins", round=key.round), key)
    found = tuple(waits(Case(run, site, key, step)))
    if site.state in AWAY:
        code = "silent" if site.state == "silent" else "not_connected"
        text = of_step(code, key, since=site.last_seen_at)
        return SiteSays(site, "silent", site.last_seen_at, text, key, step, found)
    if step is not None and step.state == "running":
        again = step.attempt > 1
        text = of_step(
            "at_work_again" if again else "at_work", key, since=step.started_at, percent=round(100 * step.progress),
            attempt=step.attempt, attempts=step.attempts,
        )  # fmt: skip
        return SiteSays(
            site, _DOING[key.kind], step.started_at, text, key, step, found, _after(run, site, key)
        )
    doing: Doing = "paused" if run.state in ("pausing", "paused") else "waiting"
    since = max(_last_end(site) or run.since, run.since) if doing == "paused" else _since(run, site, step)
    after = Then(told("goes_on_when_asked" if doing == "paused" else "begins_then")) if found else None
    return SiteSays(
        site, doing, since, of_step(doing, key, since=since), key, step, found,
        None if run.waits_for_coordinator else after,
    )  # fmt: skip


def _open(site: SiteFact) -> StepFact | None:
    """The step that it works on, else the first that it was left to do."""
    live = [step for step in site.steps if step.state in STEP_LIVE]
    return min(live, key=lambda step: (step.state != "running", step.key), default=None)


def _next(run: RunFacts, site: SiteFact) -> StepKey | None:
    """The first step that is not done; rounds that are finished need not be looked at."""
    prepare = StepKey(0, "prepare", site.index)
    if prepare not in run.done:
        return prepare
    rounds = range(run.rounds_done + 1, run.rounds + 1)
    steps = (step for round in rounds for step in run.schedule.steps_of(site.index, round))
    return next((step for step in steps if not run.is_done(step)), None)


def _after(run: RunFacts, site: SiteFact, key: StepKey) -> Then | None:
    """The step after the one it is at."""
    if run.waits_for_coordinator or run.state != "running":
        return None
    done = replace(run, done=run.done | {key})
    coming = _next(done, site)
    return Then(told("site_is_done")) if coming is None else Then(of_step("step_follows", coming))


def _is_away(run: RunFacts, site: SiteFact) -> bool:
    """Whether it was left out, and is not back in the round that is worked on."""
    return site.index not in run.schedule.members_of(run.round)


def _without_a_step(run: RunFacts, site: SiteFact) -> SiteSays:
    if site.index in run.schedule.members_of(run.rounds):
        since = _last_end(site) or run.since
        return SiteSays(site, "done", since, told("done", since=since, rounds=run.rounds))
    last = run.schedule.last_trained(site.index)
    text = told("takes_no_part") if last is None else told("has_left", round=last.round)
    return SiteSays(site, "apart", None, text)


def _at_the_end(run: RunFacts, site: SiteFact) -> SiteSays:
    failed = next((step for step in site.steps if step.state == "failed"), None)
    if run.state == "completed":
        if site.away is not None and _is_away(run, site):
            text = told("was_left_out", since=site.away.at, round=site.away.from_round)
            return SiteSays(site, "left", site.away.at, text)
        return _without_a_step(run, site)
    if failed is not None:
        text = of_step("failed", failed.key, since=failed.finished_at, attempt=failed.attempt)
        return SiteSays(site, "failed", failed.finished_at, text, failed.key, failed)
    if run.reason is not None and run.reason.code in _SILENT_ENDS and run.reason.params["site"] == site.shown:
        return SiteSays(site, *_ended_run(run, site))
    return SiteSays(site, "stopped", run.since, told("stopped", since=run.since))


def _ended_run(run: RunFacts, site: SiteFact) -> tuple[Doing, datetime, Text]:
    seen = site.last_seen_at
    if seen is not None and seen > run.since:
        return "stopped", run.since, told("ended_run_back")
    if seen is None:
        return "silent", run.since, told("ended_run_never")
    return "silent", seen, told("ended_run", since=seen)


def _since(run: RunFacts, site: SiteFact, step: StepFact | None) -> datetime:
    """When its last step was done, or the run came into its state, or it was sent what it has not begun."""
    if step is not None and step.dispatched_at is not None:
        return step.dispatched_at
    ends = [at for at in (_last_end(site), run.since) if at is not None]
    return max(ends)


def _last_end(site: SiteFact) -> datetime | None:
    return max((step.finished_at for step in site.steps if step.finished_at is not None), default=None)
