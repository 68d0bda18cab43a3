"""Saved topologies. A saved one can be used: what is disconnected or has bad weights is refused."""

from sqlalchemy.orm import Session

from backend.audit import service as audit
from backend.auth.principal import Principal
from backend.db.paging import Order, page
from backend.db.races import locked, unique_name
from backend.db.tables import TopologyRow
from backend.errors import Invalid, NameTaken, NotFound
from backend.sites import service as sites
from backend.topologies import repository
from backend.topologies.facts import known_preview
from backend.topologies.schemas import Topology, TopologyCreate, TopologyPage, TopologyPatch
from backend.web import ListQuery, check_match
from dimat.errors import DimatError, DuplicateName, TopologyTooSmall
from dimat.topology_spec import TopologySpec
from dimat.validation import check_unique


def list_topologies(session: Session, paging: ListQuery, q: str | None) -> TopologyPage:
    found = page(session, repository.matching(q), [Order(TopologyRow.name)], paging.cursor, paging.limit)
    items = [_topology(row) for row in found.rows]
    return TopologyPage(items=items, next_cursor=found.next_cursor, total=found.total)


def get(session: Session, id: str) -> Topology:
    """Raises: NotFound."""
    return _topology(_found(repository.by_id(session, id), id))


def create(session: Session, who: Principal, body: TopologyCreate) -> Topology:
    """Raises: NameTaken; Invalid, for an unknown site or a graph that cannot be used."""
    if repository.by_name(session, body.name) is not None:
        raise NameTaken("topology", body.name)
    _check(session, body.site_names, body.spec)
    row = TopologyRow(
        name=body.name, site_names=list(body.site_names), spec=body.spec.model_dump(mode="json")
    )
    session.add(row)
    with unique_name("topology", body.name):
        session.flush()
    audit.record(session, who, "topology_created", "topology", row.id, name=row.name)
    return _topology(row)


def update(session: Session, who: Principal, id: str, body: TopologyPatch, if_match: str | None) -> Topology:
    """Raises: NotFound; Stale; NameTaken; Invalid."""
    row = _found(locked(session, TopologyRow, id), id)
    check_match(if_match, row.revision)
    if body.name is not None and body.name != row.name:
        if repository.by_name(session, body.name) is not None:
            raise NameTaken("topology", body.name)
        row.name = body.name
        with unique_name("topology", body.name):
            session.flush()  # now: the checks below read, and reading would flush
    names = list(row.site_names) if body.site_names is None else list(body.site_names)
    spec = TopologySpec.model_validate(row.spec) if body.spec is None else body.spec
    if body.site_names is not None or body.spec is not None:
        _check(session, names, spec)
    row.site_names, row.spec = names, spec.model_dump(mode="json")
    row.revision += 1
    session.flush()
    audit.record(session, who, "topology_updated", "topology", id, name=row.name)
    return _topology(row)


def _check(session: Session, names: list[str] | tuple[str, ...], spec: TopologySpec) -> None:
    try:
        check_unique("site", names)
        sites.check_names(session, names, "site_names")
        spec.check(names)
    except DimatError as error:
        field = "site_names" if isinstance(error, DuplicateName | TopologyTooSmall) else "spec"
        raise Invalid(error.code, dict(error.params), field) from None


def _found(row: TopologyRow | None, id: str) -> TopologyRow:
    if row is None:
        raise NotFound("topology", id)
    return row


def _topology(row: TopologyRow) -> Topology:
    spec = TopologySpec.model_validate(row.spec)
    shown = known_preview(tuple(row.site_names), spec)
    return Topology(
        id=row.id, name=row.name, site_names=row.site_names, spec=spec, facts=shown.facts, links=shown.links,
        created_at=row.created_at, revision=row.revision,
    )  # fmt: skip
