"""Writes and lists the audit. The API writes it in the transaction of the command; nothing changes a row."""

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.audit.schemas import AuditEntry, AuditPage
from backend.auth.principal import Principal
from backend.db.paging import Order, page
from backend.db.tables import AuditRow
from backend.web import ListQuery


def record(
    session: Session,
    who: Principal,
    action: str,
    thing_kind: str,
    thing_id: str,
    **params: str | int | float | bool | None,
) -> None:
    """Adds a line to the transaction. `params` must hold no secret."""
    session.add(
        AuditRow(
            actor_kind=who.kind,
            actor_id=who.user_id,
            actor_name=who.called,
            action=action,
            thing_kind=thing_kind,
            thing_id=thing_id,
            params=params,
        )
    )


def about(session: Session, action: str, thing_kind: str, ids: Collection[str]) -> Sequence[AuditRow]:
    """What was done to these things, oldest first."""
    found = select(AuditRow).where(
        AuditRow.thing_kind == thing_kind, AuditRow.thing_id.in_(ids), AuditRow.action == action
    )
    return session.scalars(found.order_by(AuditRow.id)).all()


def entries(session: Session, paging: ListQuery) -> AuditPage:
    """Newest first."""
    found = page(
        session, select(AuditRow), [Order(AuditRow.id, descending=True)], paging.cursor, paging.limit
    )
    items = [
        AuditEntry(
            id=row.id, at=row.at, actor_kind=row.actor_kind, actor_id=row.actor_id, actor_name=row.actor_name,
            action=row.action, thing_kind=row.thing_kind, thing_id=row.thing_id, params=row.params,
        )
        for row in found.rows
    ]  # fmt: skip
    return AuditPage(items=items, next_cursor=found.next_cursor, total=found.total)
