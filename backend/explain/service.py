"""Reads rows once, decides purely what they mean, and says it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from backend.db.tables import RunRow, SiteRow, StepRow
from backend.explain import repository
from backend.explain.facts import Away, RunFacts, SiteFact, StepFact
from backend.explain.limits import Plan, needed
from backend.explain.run import explain_run
from backend.explain.schemas import Next, RunExplained, SiteExplained, Waiting
from backend.explain.site import SiteSays, explain_site
from backend.explain.words import Then, Wait
from backend.pilots.amendments import amendments_of
from backend.pilots.timers import AT_WORK, next_round
from backend.runs import absences
from backend.runs import repository as run_repository
from backend.runs import service as runs
from backend.runs.attempts import last_attempt
from backend.runs.away import spans
from backend.runs.coordinating import coordinating
from backend.runs.lead import round_open_since, slowest_of_others
from backend.runs.repository import key_of
from backend.runs.turns import Ahead
from backend.settings import Settings
from backend.sites.windows import window_of
from backend.text.saying import say_text
from backend.text.schemas import Text, Told
from backend.text.times import moment
from dimat.schedule import Schedule, StepKey

_MOST_NAMED = 20
_SINCE = {"running": "run_resumed", "paused": "run_paused"}
"""What was told when a run came into a state in which it has been before, or may be again."""


def explain(session: Session, run_id: str, settings: Settings, lang: str, now: datetime) -> RunExplained:
    """Raises: NotFound."""
    run = runs.row_of(session, run_id)
    facts, step_ids = _facts(session, run, settings, now)
    sites = [explain_site(facts, site) for site in facts.sites]
    says = explain_run(facts, sites)
    said = _Saying(lang, facts.sites)
    return RunExplained.model_validate(
        {
            **said.text("explain.run", says.text), "run_id": run.id, "at": facts.now, "state": run.state,
            "since": facts.since, "round": facts.round, "rounds": run.rounds, "rounds_done": run.rounds_done,
            "reason": None if facts.reason is None else Told(**said.text("reasons", facts.reason)),
            "waits_for": [said.wait(wait, site) for site, wait in says.waits], "then": said.then(says.then),
            "sites": [said.site(one, step_ids) for one in sites], "revision": run.revision,
        }
    )  # fmt: skip


class _Saying:
    def __init__(self, lang: str, sites: Sequence[SiteFact]) -> None:
        self._lang, self._sites = lang, sites

    def text(self, section: str, text: Text) -> dict[str, object]:
        return {**text.model_dump(), "text": say_text(self._lang, section, text)}

    def then(self, then: Then | None) -> Next | None:
        return (
            None
            if then is None
            else Next.model_validate({**self.text("explain.then", then.text), "at": then.at})
        )

    def wait(self, wait: Wait, of: SiteSays) -> Waiting:
        return Waiting.model_validate(
            {
                **self.text("explain.wait", wait.text), "site": of.site.name, "display_name": of.site.shown,
                "since": wait.since, "sites": [self._sites[site].name for site in wait.sites[:_MOST_NAMED]],
                "num_sites": len(wait.sites), "then": self.then(wait.then), "is_planned": wait.is_planned,
            }
        )  # fmt: skip

    def site(self, says: SiteSays, step_ids: Mapping[StepKey, str]) -> SiteExplained:
        key, step = says.key, says.step
        return SiteExplained.model_validate(
            {
                **self.text("explain.site", says.text), "site": says.site.name,
                "display_name": says.site.shown, "site_index": says.site.index, "doing": says.doing,
                "since": says.since, "round": None if key is None else key.round,
                "kind": None if key is None else key.kind, "step_id": None if key is None else step_ids.get(key),
                "attempt": None if step is None else step.attempt,
                "attempts": None if step is None else step.attempts,
                "progress": None if step is None else step.progress,
                "waits_for": [self.wait(wait, says) for wait in says.waits], "then": self.then(says.then or says.after),
            }
        )  # fmt: skip


def _facts(
    session: Session, run: RunRow, settings: Settings, now: datetime
) -> tuple[RunFacts, dict[StepKey, str]]:
    spec = runs.spec_of(session, run)
    rows = repository.steps(session, run, max(run.rounds_done, 0))
    gone = absences.rows_of(session, [run.id])[run.id]
    silent = [absences.value_of(row, spec) for row in gone]
    away = {row.site_index: Away(one, row.at) for row, one in zip(gone, silent, strict=True)}
    of_site: dict[int, list[StepFact]] = {}
    for row in rows:
        of_site.setdefault(row.site_index, []).append(_step(row, settings.max_attempts))
    known = repository.sites(session, spec.site_names)
    ahead = run_repository.under_way_where(session, known)
    sites = [
        _site(
            index, name, shown, known.get(name), of_site.get(index, ()), ahead.get(name, ()), away.get(index)
        )
        for index, (name, shown) in enumerate(zip(spec.site_names, runs.shown_names(spec), strict=True))
    ]
    plan = Plan(spec, run.arm, amendments_of(session, run.pilot_id, run.id), silent)
    schedule = Schedule.of(*plan)
    heard = coordinating(repository.signs_of_life(session), settings.silent_after_s, now)
    facts = RunFacts(
        id=run.id, pilot_id=run.pilot_id, state=run.state, since=_since(session, run), rounds=run.rounds,
        rounds_done=run.rounds_done, resumed_at=run.resumed_at,
        at_round_since=run_repository.round_open_since(session, run),
        round_open_since=round_open_since(session, run, schedule),
        reason=None if run.reason is None else Text.model_validate(run.reason), schedule=schedule,
        spans=spans(schedule, silent), sites=sites,
        done={key_of(row) for row in rows if row.state == "completed"}, silent=spec.silent,
        next_round=next_round(session, run.pilot_id) if run.state in AT_WORK else None,
        slowest=slowest_of_others(session, [run.pilot_id]).get(run.id), listening=run_repository.listening(session),
        unheard_since=None if heard.is_alive else heard.seen_at, broker_away_since=heard.broker_away_since,
        zone=None if spec.timetable is None else spec.timetable.time_zone,
        silent_after_s=settings.silent_after_s, lease_s=settings.lease_s, now=now,
    )  # fmt: skip
    return replace(facts, needed=needed(facts, plan)), {key_of(row): row.id for row in rows}


def _site(
    index: int, name: str, shown: str, row: SiteRow | None, steps: Sequence[StepFact],
    ahead: Sequence[Ahead], away: Away | None,
) -> SiteFact:  # fmt: skip
    if row is None:  # of a database that was mended by hand: nothing is heard of it
        return SiteFact(index, name, shown, "invited", None, steps, away=away)
    return SiteFact(
        index,
        name,
        shown,
        row.state,
        row.last_seen_at,
        steps,
        ahead,
        away,
        window_of(row.window),
    )


def _step(row: StepRow, max_attempts: int) -> StepFact:
    return StepFact(
        key=key_of(row), state=row.state, attempt=row.attempt,
        attempts=last_attempt(row.attempt, row.strikes, row.reason, max_attempts),
        taken_back=row.taken_back, reason=row.reason,
        progress=row.progress, is_shared=row.run_id is None, created_at=row.created_at, dispatched_at=row.dispatched_at,
        started_at=row.started_at, heartbeat_at=row.heartbeat_at, finished_at=row.finished_at,
        next_try_at=row.next_try_at,
    )  # fmt: skip


def _since(session: Session, run: RunRow) -> datetime:
    """When the run came into its state."""
    if run.finished_at is not None:
        return run.finished_at
    if run.state in _SINCE:
        return repository.last_event(session, run.id, _SINCE[run.state]) or run.started_at or run.created_at
    return _asked_at(run) or run.created_at


def _asked_at(run: RunRow) -> datetime | None:
    """When somebody asked for the state."""
    at = None if run.reason is None else run.reason["params"].get("at")
    return None if at is None else moment(str(at))
