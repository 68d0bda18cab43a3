"""The SQL of silent sites: who waits for them, and who is back."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache, partial
from typing import NamedTuple

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.orm import Session

from backend.db.tables import AbsenceRow, RunRow, SiteRow, StepRow
from backend.runs import states
from backend.runs.listening import Listening
from backend.runs.repository import round_open_since
from backend.runs.waiting import AWAY, waits_since
from backend.sites.windows import window_of


class Waiting(NamedTuple):
    """A step of a silent site, and for how long its run has waited for it (`Listening.heard_s`)."""

    step: StepRow
    seconds: float


def waiting_for_silent(session: Session, now: datetime, listening: Listening) -> dict[str, list[Waiting]]:
    """By running run the silent sites that have something to do, each with the step that has waited longest."""
    shared = and_(StepRow.run_id.is_(None), RunRow.pilot_id == StepRow.pilot_id, RunRow.seed == StepRow.seed)
    rows = session.execute(
        select(RunRow, StepRow, SiteRow.last_seen_at, SiteRow.window)
        .join(SiteRow, SiteRow.name == StepRow.site_name)
        .join(RunRow, or_(RunRow.id == StepRow.run_id, shared))
        .where(SiteRow.state.in_(AWAY), StepRow.state.in_(states.STEP_LIVE), RunRow.state == "running")
        .order_by(StepRow.id)
    )
    found: dict[str, dict[int, Waiting]] = {}
    opened = cache(lambda run: round_open_since(session, run))
    for run, step, last_seen_at, window in rows:
        is_shared, open_since = step.run_id is None, partial(opened, run)
        since = waits_since(step, is_shared, last_seen_at, run.rounds_done, open_since, now)
        if since is None:
            continue
        waited = Waiting(step, listening.heard_s(since, now, window_of(window)))
        of_run = found.setdefault(run.id, {})
        known = of_run.get(step.site_index)
        if known is None or known.seconds < waited.seconds:
            of_run[step.site_index] = waited
    return {run_id: list(sites.values()) for run_id, sites in found.items()}


def with_absences(session: Session) -> Sequence[RunRow]:
    """Running runs that have gone on without a site, or were begun without one."""
    gone = select(AbsenceRow.run_id)
    chosen = select(RunRow).where(RunRow.state == "running", RunRow.id.in_(gone)).order_by(RunRow.id)
    return session.scalars(chosen, execution_options={"populate_existing": True}).all()


def back_online(session: Session) -> dict[str, list[str]]:
    """By running run its absences whose sites are online, and that have no end yet: their ids, in the order in which they were noticed.
    Who could not prepare does not come back."""
    cannot = exists().where(
        StepRow.pilot_id == RunRow.pilot_id, StepRow.seed == RunRow.seed, StepRow.kind == "prepare",
        StepRow.site_index == AbsenceRow.site_index, StepRow.state == "failed",
    )  # fmt: skip
    rows = session.execute(
        select(AbsenceRow.run_id, AbsenceRow.id)
        .join(RunRow, RunRow.id == AbsenceRow.run_id)
        .join(SiteRow, SiteRow.name == AbsenceRow.site_name)
        .where(
            AbsenceRow.until_round.is_(None), RunRow.state == "running", SiteRow.state == "online", ~cannot
        )
        .order_by(AbsenceRow.id)
    )
    found: dict[str, list[str]] = {}
    for run_id, id in rows:
        found.setdefault(run_id, []).append(id)
    return found
