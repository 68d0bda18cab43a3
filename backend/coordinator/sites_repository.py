"""SQL of who is there: sites as the coordinator sees them, which change by compare-and-set because the API writes them, too, and signs of
life of the server's parts."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, Row, delete, select, update
from sqlalchemy.orm import Session

from backend.db.parts import in_parts
from backend.db.tables import HeartbeatRow, SiteRow
from backend.runs import states


def online_sites_before(session: Session, limit: datetime) -> Sequence[SiteRow]:
    return session.scalars(
        select(SiteRow).where(SiteRow.state == "online", SiteRow.last_seen_at < limit)
    ).all()


def local_site_names(session: Session) -> Sequence[str]:
    return session.scalars(
        select(SiteRow.name).where(SiteRow.placement == "local", SiteRow.state != "revoked")
    ).all()


SiteAsSeen = Row[str, str, str, str, str | None, str | None]


def sites_named(session: Session, names: Collection[str]) -> list[SiteAsSeen]:
    """What a beat may change of these sites: id, name, display_name, state, device, worker_id. Nobody else changes them before
    the transaction ends; they are locked in the order in which a launch keeps them, or the two would wait for each other."""
    wanted = select(
        SiteRow.id, SiteRow.name, SiteRow.display_name, SiteRow.state, SiteRow.device, SiteRow.worker_id
    )
    wanted = wanted.order_by(SiteRow.id).with_for_update(key_share=True)
    return [row for some in in_parts(names) for row in session.execute(wanted.where(SiteRow.name.in_(some)))]


def seen(session: Session, site_ids: Collection[str], now: datetime) -> None:
    """A worker has just named these sites."""
    for some in in_parts(site_ids):
        session.execute(update(SiteRow).where(SiteRow.id.in_(some)).values(last_seen_at=now))


def serve_site(session: Session, id: str, device: str, worker_id: str) -> None:
    session.execute(update(SiteRow).where(SiteRow.id == id).values(device=device, worker_id=worker_id))


def move_site(session: Session, id: str, following: str) -> bool:
    """Compare-and-set of a site's state; no new revision, as no person changed anything."""
    done = session.execute(
        update(SiteRow)
        .where(SiteRow.id == id, SiteRow.state.in_(states.sources("site", following)))
        .values(state=following)
    )
    assert isinstance(done, CursorResult)
    return done.rowcount == 1


def heartbeats(session: Session, parts: Collection[str]) -> dict[str, dict[str, Any]]:
    """What is noted of these parts, those that are known."""
    wanted = select(HeartbeatRow.part, HeartbeatRow.params)
    return {
        part: params
        for some in in_parts(parts)
        for part, params in session.execute(wanted.where(HeartbeatRow.part.in_(some)))
    }


def still_alive(session: Session, parts: Collection[str], now: datetime) -> None:
    """Known parts of which nothing else is new."""
    for some in in_parts(parts):
        session.execute(update(HeartbeatRow).where(HeartbeatRow.part.in_(some)).values(at=now))


def beat(session: Session, part: str, now: datetime, params: dict[str, Any]) -> None:
    """Notes that a part of the server lives, and what it says of itself."""
    session.merge(HeartbeatRow(part=part, at=now, params=params))


def drop_heartbeat(session: Session, part: str) -> bool:
    row = session.get(HeartbeatRow, part)
    if row is not None:
        session.delete(row)
    return row is not None


def drop_old_heartbeats(session: Session, limit: datetime) -> None:
    """Workers that nobody has heard of since `limit`: each start makes a new one."""
    session.execute(
        delete(HeartbeatRow).where(HeartbeatRow.part.startswith("worker:"), HeartbeatRow.at < limit)
    )
