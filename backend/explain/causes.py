"""What a site may wait for: one function a cause, and the list of all. Pure.

A new cause is a function, a line in `CAUSES`, and its sentences `explain.wait.<code>` in the catalogue.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from backend.explain.facts import RunFacts, SiteFact, StepFact
from backend.explain.limits import limit
from backend.explain.words import Then, Wait, of_step, told
from backend.runs.lead import LEAD
from backend.runs.progress import NAMED, named
from backend.runs.turns import turn_behind
from backend.runs.waiting import AWAY
from backend.text.schemas import Text
from dimat.schedule import StepKey


@dataclass(frozen=True, slots=True)
class Case:
    """A site's next step, of which nobody has heard yet if `step` is None."""

    run: RunFacts
    site: SiteFact
    key: StepKey
    step: StepFact | None

    @property
    def is_sent(self) -> bool:
        return self.step is not None and self.step.state == "dispatched"

    @property
    def is_held(self) -> bool:
        """Whether the step may be sent and is not, behind others of its site."""
        step, run = self.step, self.run
        return (
            step is not None
            and (step.state, run.state) == ("ready", "running")
            and (step.next_try_at is None or step.next_try_at <= run.now)
            and self.opens_at is None
        )

    @property
    def opens_at(self) -> datetime | None:
        """When the site's time window opens; None: it is open, or has none."""
        window = self.site.window
        return None if window is None else window.opens_at(self.run.now)


Cause = Callable[[Case], Iterator[Wait]]


def waits(case: Case) -> list[Wait]:
    """All causes, what weighs most first. Without a coordinator, or its broker, nothing happens, at no time that could be told, and no site
    is to blame."""
    if (part := case.run.waits_for_server) is not None:
        return [Wait(told(f"{part.name}_away", since=part.away_since), part.away_since)]
    return [wait for cause in CAUSES for wait in cause(case)]


def _site_away(case: Case) -> Iterator[Wait]:
    site = case.site
    if site.state in AWAY:
        code = "site_silent" if site.state == "silent" else "site_not_connected"
        text = told(code, since=site.last_seen_at)
        yield Wait(text, site.last_seen_at, limit(case.run, case.site))


def _no_sign_of_life(case: Case) -> Iterator[Wait]:
    step, run = case.step, case.run
    if step is None or step.state != "running" or step.heartbeat_at is None or case.site.state in AWAY:
        return
    if (run.now - step.heartbeat_at).total_seconds() >= run.silent_after_s:
        over = run.listening.when_heard(step.heartbeat_at, run.lease_s)
        at = run.listening.may_judge_at(over, min(run.lease_s, run.silent_after_s))
        lost = Then(told("attempt_lost", until=at), at)
        yield Wait(told("no_sign_of_life", since=step.heartbeat_at), step.heartbeat_at, lost)


def _next_attempt(case: Case) -> Iterator[Wait]:
    step = case.step
    if step is None or step.state not in ("ready", "lost") or not step.next_try_at or not step.reason:
        return
    again = {"attempt": step.attempt, "attempts": step.attempts, "cause": step.reason["code"]}
    at = step.next_try_at
    if at > case.run.now:
        # At a site of which nothing is heard nothing comes of it.
        is_away = case.site.state in AWAY
        then = None if is_away else Then(told("tried_again", until=at, **again), at)
        yield Wait(told("next_attempt", **again), then=then)


def _run_holds(case: Case) -> Iterator[Wait]:
    """No step of a run is sent that is not at work."""
    run = case.run
    is_at_work = case.step is not None and case.step.state == "running"
    if run.state != "running" and not is_at_work:
        yield Wait(told(f"run_{run.state}", since=run.since), run.since, is_planned=True)


def _window_closed(case: Case) -> Iterator[Wait]:
    """Nothing is sent to a site outside of its window; what has begun goes to its end."""
    at, window = case.opens_at, case.site.window
    if at is None or window is None or case.step is None or case.step.state not in ("ready", "lost"):
        return
    opens = told("window_opens", site=case.site.shown, until=at, zone=window.time_zone)
    yield Wait(told("window_closed", until=at, zone=window.time_zone), then=Then(opens, at), is_planned=True)


def _round_due(case: Case) -> Iterator[Wait]:
    """Rounds of a pilot with a timetable begin when they are due, and when all its runs have done the round before."""
    run, coming = case.run, case.run.next_round
    if coming is None or case.step is not None or coming.may_begin(case.key.round):
        return
    when = {"until": coming.due_at, "zone": run.zone}
    if coming.due_at > run.now:
        begins = Then(told("round_begins", round=coming.round, **when), coming.due_at)
        yield Wait(told("round_due", round=coming.round, **when), then=begins, is_planned=True)
    elif not coming.is_behind:
        yield Wait(told("round_begins_now", round=coming.round), is_planned=True)
    elif not _missing(case):
        behind = told("round_behind_runs", round=coming.round, before=coming.round - 1, **when)
        yield Wait(behind, is_planned=True)


def _lead(case: Case) -> Iterator[Wait]:
    """An arm that trains alone is never far ahead of the others."""
    slowest = case.run.slowest
    if slowest is None or case.step is not None or not slowest.holds(case.run.schedule, case.key.round):
        return
    code = "lead" if slowest.at > 0 else "lead_at_start"
    then = Then(told("lead_over", round=case.key.round - LEAD))
    yield Wait(told(code, arm=slowest.arm, at=slowest.at, lead=LEAD), then=then, is_planned=True)


def _missing(case: Case) -> list[StepKey]:
    return [step for step in case.run.schedule.inputs(case.key) if not case.run.is_done(step)]


def _other_sites(case: Case) -> Iterator[Wait]:
    """Sites that wait for one another's steps; of those that are silent it is said."""
    if case.step is not None:
        return
    groups: dict[tuple[StepKey, bool], list[int]] = {}
    for step in _missing(case):
        is_away = case.run.sites[step.site].state in AWAY
        groups.setdefault((StepKey(step.round, step.kind, 0), is_away), []).append(step.site)
    for (step, is_away), sites in groups.items():
        yield _steps(case.run, "steps_of_silent" if is_away else "steps", step, sites)


def _steps(run: RunFacts, code: str, step: StepKey, sites: Sequence[int]) -> Wait:
    more = max(len(sites) - NAMED, 0)
    waiting = named([run.sites[site].shown for site in sites])
    text = of_step(f"{code}_more" if more else code, step, waiting=waiting, more=more)
    return Wait(text, sites=tuple(sites), is_own=False)


def _turn(case: Case) -> Iterator[Wait]:
    """A worker begins as many steps as it has processes, in the order in which they come."""
    if (text := _behind(case)) is not None:
        yield Wait(text, None if case.step is None else case.step.dispatched_at)


def _behind(case: Case) -> Text | None:
    step, run = case.step, case.run
    if step is None or not (case.is_sent or case.is_held) or case.site.state != "online":
        return None
    return turn_behind(run.pilot_id, None if step.is_shared else run.id, case.is_sent, case.site.ahead)


def _to_begin(case: Case) -> Iterator[Wait]:
    step = case.step
    if step is not None and case.is_sent and case.site.state == "online" and _behind(case) is None:
        yield Wait(told("site_to_begin", since=step.dispatched_at), step.dispatched_at)


CAUSES: tuple[Cause, ...] = (
    _site_away, _no_sign_of_life, _window_closed, _next_attempt, _run_holds, _round_due, _lead, _other_sites, _turn, _to_begin,
)  # fmt: skip
