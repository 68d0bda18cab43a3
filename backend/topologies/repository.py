"""SQL of topologies."""

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from backend.db.tables import TopologyRow


def by_id(session: Session, id: str) -> TopologyRow | None:
    return session.get(TopologyRow, id)


def by_name(session: Session, name: str) -> TopologyRow | None:
    return session.scalar(select(TopologyRow).where(TopologyRow.name == name))


def matching(q: str | None) -> Select[TopologyRow]:
    query = select(TopologyRow)
    return query.where(func.lower(TopologyRow.name).contains(q.lower(), autoescape=True)) if q else query
