"""SQL of sites."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from backend.db.tables import PilotRow, RunRow, SiteRow, StepRow


def by_id(session: Session, id: str) -> SiteRow | None:
    return session.get(SiteRow, id)


def by_name(session: Session, name: str) -> SiteRow | None:
    return session.scalar(select(SiteRow).where(SiteRow.name == name))


def by_names(session: Session, names: Sequence[str], keep: bool = False) -> dict[str, SiteRow]:
    """Name -> row. `keep`: as they are now, and unchanged by others before the transaction ends."""
    query = select(SiteRow).where(SiteRow.name.in_(names))
    if keep:
        # In one order, so that two who keep the same sites never wait for each other.
        query = (
            query.order_by(SiteRow.id).with_for_update(read=True).execution_options(populate_existing=True)
        )
    return {row.name: row for row in session.scalars(query)}


def first_names(session: Session, limit: int) -> list[str]:
    """Some names that exist, for messages."""
    query = select(SiteRow.name).where(SiteRow.state != "revoked").order_by(SiteRow.name).limit(limit)
    return list(session.scalars(query))


def windows(session: Session) -> list[tuple[str, dict[str, Any]]]:
    """Name and window of the sites that have one."""
    rows = session.execute(select(SiteRow.name, SiteRow.window).where(SiteRow.window.is_not(None)))
    return [(name, window) for name, window in rows if window is not None]


def with_window_and_away(session: Session) -> Sequence[str]:
    """Names of silent sites, and such as were never heard of, that have a window."""
    away = (SiteRow.window.is_not(None), SiteRow.state.in_(("invited", "silent")))
    return session.scalars(select(SiteRow.name).where(*away)).all()


def matching(q: str | None, state: str | None) -> Select[SiteRow]:
    query = select(SiteRow)
    if q:
        wanted = q.lower()
        query = query.where(
            or_(
                func.lower(SiteRow.name).contains(wanted, autoescape=True),
                func.lower(SiteRow.display_name).contains(wanted, autoescape=True),
            )
        )
    return query if state is None else query.where(SiteRow.state == state)


def running_steps(session: Session, names: Sequence[str]) -> dict[str, tuple[StepRow, PilotRow, str | None]]:
    """The step each site runs now, its pilot, and the arm of its run (None for `prepare`)."""
    rows = session.execute(
        select(StepRow, PilotRow, RunRow.arm)
        .join(PilotRow, PilotRow.id == StepRow.pilot_id)
        .outerjoin(RunRow, RunRow.id == StepRow.run_id)
        .where(StepRow.state == "running", StepRow.site_name.in_(names))
        .order_by(StepRow.started_at)
    )
    return {step.site_name: (step, pilot, arm) for step, pilot, arm in rows}
