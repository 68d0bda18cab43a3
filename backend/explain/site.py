"""What a site does in a run, and what it waits for. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from backend.explain.causes import Case, waits
from backend.explain.facts import Away, RunFacts, SiteFact, StepFact
from backend.explain.words import Then, Wait, of_step, told
from backend.runs.states import RUN_ENDS
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
        to do. `silent`: since its last sign of life, whatever it had to do. `left`: the run went on without it, as it was silent or could
        not prepare. `apart`: it takes no part by plan. `done`: it has nothing to do any more. `failed`, `stopped`: the run ended.
    """
    step = site.open
    if run.state in RUN_ENDS:
        return _at_the_end(run, site)
    if (left := _left(run, site, step)) is not None:
        return left
    key = step.key if step is not None else next(_ahead(run, site), None)
    if key is None:
        return _without_a_step(run, site)
    joins = step is None and key.round > run.round and not run.takes_part(site.index)
    if joins and not _has_come_to(run, site, run.round + 1) and _away(run, site) is None:
        return SiteSays(site, "apart", None, told("joins", round=key.round), key)
    found = tuple(waits(Case(run, site, key, step)))
    is_at_work = step is not None and step.state == "running" and site.state not in AWAY
    if (
        key.kind == "prepare"
        and not is_at_work
        and not run.takes_part(site.index)
        and _away(run, site) is None
    ):
        return _joins_later(run, site, key, step, found)
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
        None if run.waits_for_server else after,
    )  # fmt: skip


def _ahead(run: RunFacts, site: SiteFact) -> Iterator[StepKey]:
    """Its steps that are not done, in their order; rounds that are finished, or in which it takes no part, need not be looked at."""
    prepare = StepKey(0, "prepare", site.index)
    if prepare not in run.done and site.state != "revoked":
        yield prepare
    for span in run.spans:
        if site.index not in span.members:
            continue
        for round in range(max(span.first, run.rounds_done + 1), span.last + 1):
            yield from (step for step in run.schedule.steps_of(site.index, round) if not run.is_done(step))


def _after(run: RunFacts, site: SiteFact, key: StepKey) -> Then | None:
    """The step after the one it is at."""
    if run.waits_for_server or run.state != "running":
        return None
    coming = next((step for step in _ahead(run, site) if step != key), None)
    return Then(told("site_is_done")) if coming is None else Then(of_step("step_follows", coming))


def _left(run: RunFacts, site: SiteFact, step: StepFact | None) -> SiteSays | None:
    """That the run goes on without it; None: it does not."""
    if (failed := _failed(site)) is not None and not _is_needed(run, site):
        return _says_failed(site, failed, "left", Then(told("goes_on_without_it")))
    away = _away(run, site)
    if away is None:
        return None
    until, is_silent = away.absence.until_round, site.state in AWAY
    if until is not None and is_silent:  # it was back, and others wait for it from then on
        return None
    # What it has to prepare stays open while it is away.
    if step is not None and not (step.key.kind == "prepare" and is_silent):
        return None
    return _says_left(run, site, away, _return(run, site, away))


def _away(run: RunFacts, site: SiteFact) -> Away | None:
    """That it fell silent, and is not back in the round that is worked on. It may have done that, and owe steps of a later one; or be back
    in one to which others have not come yet."""
    if site.away is None or site.away.absence.is_over(run.round):
        return None
    owes_start_alone = site.away.absence.first_missed > run.rounds
    if owes_start_alone and (site.state not in AWAY or any(True for _ in _ahead(run, site))):
        return None  # it takes part in all rounds
    until = site.away.absence.until_round
    return None if until is not None and _has_come_to(run, site, until) else site.away


def _has_come_to(run: RunFacts, site: SiteFact, round: int) -> bool:
    """Whether it has done a step of that round, or of one after it."""
    return any(step.round >= round for step in run.done if step.site == site.index)


def _is_needed(run: RunFacts, site: SiteFact) -> bool:
    return any(site.index in span.members for span in run.spans if span.last >= run.round)


def _says_left(run: RunFacts, site: SiteFact, away: Away, after: Then | None = None) -> SiteSays:
    """With the first of what it was left out of: a step, where others had taken in its model of that round."""
    absence = away.absence
    owed = [StepKey(round, kind, site.index) for round, kind in absence.undone]
    missed = [step for step in owed if step.round > 0]
    if not missed and absence.from_round > run.rounds:  # of nothing but the judgement of its start
        missed = owed
    text = (
        of_step("left_out_in", missed[0], since=away.at)
        if missed
        else told("left_out", since=away.at, round=absence.from_round)
    )
    return SiteSays(site, "left", away.at, text, after=after)


def _return(run: RunFacts, site: SiteFact, away: Away) -> Then:
    """When it takes part again, if ever."""
    if away.absence.until_round is not None:
        return Then(told("takes_part_from", round=away.absence.until_round))
    if site.state == "revoked":
        return Then(told("revoked"))
    soonest = max(away.absence.from_round, run.rounds_done) + 1
    ahead = (max(span.first, soonest) for span in run.spans if span.last >= soonest)
    is_planned = any(site.name in run.schedule.plan_of(round).members for round in ahead)
    return Then(told("takes_part_again" if is_planned else "no_round_left"))


def _joins_later(
    run: RunFacts, site: SiteFact, key: StepKey, step: StepFact | None, found: Sequence[Wait]
) -> SiteSays:
    """Of one that has still to prepare, and that nobody waits for in this round: what holds it up matters once it was asked to join."""
    ahead = (
        max(span.first, run.round + 1)
        for span in run.spans
        if site.index in span.members and span.last > run.round
    )
    if (round := next(ahead, None)) is None:
        return _without_a_step(run, site)
    of_its_own = tuple(replace(wait, is_own=False) for wait in found)
    return SiteSays(site, "apart", None, told("joins", round=round), key, step, of_its_own)


def _without_a_step(run: RunFacts, site: SiteFact) -> SiteSays:
    if site.index in run.spans[-1].members:
        since = _last_end(site) or run.since
        return SiteSays(site, "done", since, told("done", since=since, rounds=run.rounds))
    last = max((span.last for span in run.spans if site.index in span.members), default=None)
    if last is not None:
        return SiteSays(site, "apart", None, told("has_left", round=last))
    code = "revoked" if site.state == "revoked" else "may_be_taken_in"
    after = None if run.state in RUN_ENDS else Then(told(code))
    return SiteSays(site, "apart", None, told("takes_no_part"), after=after)


def _at_the_end(run: RunFacts, site: SiteFact) -> SiteSays:
    if (failed := _failed(site)) is not None:
        return _says_failed(site, failed, "left" if run.state == "completed" else "failed")
    ended_by = None if run.reason is None else run.reason.code.removesuffix("_at_start")
    if ended_by in _SILENT_ENDS and run.reason is not None and run.reason.params["site"] == site.shown:
        return SiteSays(site, *_ended_run(run, site))
    if (away := _away(run, site)) is not None:
        return _says_left(run, site, away)
    if run.state == "completed":
        return _without_a_step(run, site)
    return SiteSays(site, "stopped", run.since, told("stopped", since=run.since))


def _failed(site: SiteFact) -> StepFact | None:
    """A step that will not be tried again. A run ends with it, except where the site takes no part and could only not prepare."""
    return next((step for step in site.steps if step.state == "failed"), None)


def _says_failed(site: SiteFact, step: StepFact, doing: Doing, after: Then | None = None) -> SiteSays:
    text = of_step("failed", step.key, since=step.finished_at, attempt=step.attempt)
    return SiteSays(site, doing, step.finished_at, text, step.key, step, after=after)


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
