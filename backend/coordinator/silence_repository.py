"""The SQL of silent sites: who waits for them, and who is back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.orm import Session

from backend.db.tables import AbsenceRow, RunRow, SiteRow, StepRow
from backend.runs import states
from backend.runs.waiting import AWAY


class Asked(NamedTuple):
    """A live step of a silent site. `window`: when the site takes work, as it is stored."""

    step: StepRow
    last_seen_at: datetime | None
    window: dict[str, Any] | None

    @property
    def is_shared(self) -> bool:
        return self.step.run_id is None


def asked_of_silent(session: Session) -> dict[str, list[Asked]]:
    """By running run what sites are to do of which nothing is heard, in the order in which it came up."""
    shared = and_(StepRow.run_id.is_(None), RunRow.pilot_id == StepRow.pilot_id, RunRow.seed == StepRow.seed)
    rows = session.execute(
        select(RunRow.id, StepRow, SiteRow.last_seen_at, SiteRow.window)
        .join(SiteRow, SiteRow.name == StepRow.site_name)
        .join(RunRow, or_(RunRow.id == StepRow.run_id, shared))
        .where(SiteRow.state.in_(AWAY), StepRow.state.in_(states.STEP_LIVE), RunRow.state == "running")
        .order_by(StepRow.id)
    )
    found: dict[str, list[Asked]] = {}
    for run_id, *asked in rows:
        found.setdefault(run_id, []).append(Asked(*asked))
    return found


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
