"""Sites as people define them. Whether one is online is the coordinator's to say, never written here."""

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from backend.audit import service as audit
from backend.auth.principal import Principal
from backend.db.paging import Order, page
from backend.db.races import locked, unique_name
from backend.db.tables import PilotRow, SiteRow, StepRow, utc_now
from backend.errors import Conflict, Invalid, NameTaken, NotFound
from backend.sites import repository
from backend.sites.schemas import Doing, Site, SiteCreate, SiteLimits, SitePage, SitePatch
from backend.sites.window import Window
from backend.sites.windows import window_of
from backend.web import ListQuery, check_match
from dimat.data_spec import AnyData, SampleData, SiteData
from dimat.spec import SiteSpec

_data: TypeAdapter[SiteData] = TypeAdapter(SiteData)
_NAMES_IN_MESSAGE = 20
LEAST_MEMORY_MB = 300
"""Less is refused: Python and torch alone use some 350, on some machines a little less."""


def list_sites(session: Session, paging: ListQuery, q: str | None, state: str | None) -> SitePage:
    found = page(session, repository.matching(q, state), [Order(SiteRow.name)], paging.cursor, paging.limit)
    doing = repository.running_steps(session, [row.name for row in found.rows])
    items = [_site(row, doing.get(row.name)) for row in found.rows]
    return SitePage(items=items, next_cursor=found.next_cursor, total=found.total)


def get(session: Session, id: str) -> Site:
    """Raises: NotFound."""
    row = _found(repository.by_id(session, id), id)
    return _site(row, repository.running_steps(session, [row.name]).get(row.name))


def create(session: Session, who: Principal, body: SiteCreate) -> Site:
    """Raises: NameTaken; Invalid, for limits under which no step can run."""
    check_limits(body.limits)
    if repository.by_name(session, body.name) is not None:
        raise NameTaken("site", body.name)
    row = SiteRow(
        name=body.name, display_name=body.display_name, placement=body.placement,
        data=body.data.model_dump(mode="json"), window=_stored(body.window), limits=_given(body.limits),
    )  # fmt: skip
    session.add(row)
    with unique_name("site", body.name):
        session.flush()
    audit.record(session, who, "site_created", "site", row.id, name=row.name)
    return _site(row, None)


def update(session: Session, who: Principal, id: str, body: SitePatch, if_match: str | None) -> Site:
    """Raises: NotFound; Stale; Conflict, for a revoked site; Invalid, for limits under which no step can run."""
    row = _found(locked(session, SiteRow, id), id)
    check_match(if_match, row.revision)
    if row.state == "revoked":
        raise Conflict("site_revoked", {"name": row.name})
    if body.display_name is not None:
        row.display_name = body.display_name
    if body.data is not None:
        changed = body.data.model_dump(mode="json")
        if changed != row.data:
            # What the site reported belongs to the old rows.
            row.data, row.fingerprint, row.num_rows = changed, None, None
    if "window" in body.model_fields_set:
        row.window = _stored(body.window)
    if body.limits is not None:
        check_limits(body.limits)
        row.limits = _given(body.limits)
    if body.state is not None:
        row.state = body.state
    row.revision += 1
    session.flush()
    audit.record(session, who, "site_revoked" if body.state else "site_updated", "site", id, name=row.name)
    return get(session, id)


def check_usable(session: Session, sites: Sequence[SiteSpec], field: str) -> dict[str, str]:
    """That these sites of a spec exist, are not revoked and hold the same data, until the transaction ends; what people call
    them, by name.

    Raises: Invalid, with the place of the first that is not so.
    """
    rows = repository.by_names(session, [site.name for site in sites], keep=True)
    for position, site in enumerate(sites):
        check_exists(session, rows, site.name, f"{field}.{position}.name")
        own = _data.validate_python(rows[site.name].data)
        if own != site.data:
            params = {"name": site.name, "own": _shown(own), "given": _shown(site.data)}
            raise Invalid("site_data_differs", params, f"{field}.{position}.data")
    return {name: row.display_name for name, row in rows.items()}


def usable(session: Session) -> list[SiteSpec]:
    """All sites that are not revoked, as a pilot sees them, by name."""
    return [
        SiteSpec(name=row.name, display_name=row.display_name, data=_data.validate_python(row.data))
        for row in session.scalars(repository.matching(None, None).order_by(SiteRow.name))
        if row.state != "revoked"
    ]


def with_limits(session: Session, sites: Sequence[SiteSpec]) -> tuple[SiteSpec, ...]:
    """The sites of a spec, which exist, with the epochs that they allow now."""
    rows = repository.by_names(session, [site.name for site in sites])
    limits = {name: (row.limits or {}).get("max_epochs") for name, row in rows.items()}
    return tuple(site.model_copy(update={"max_epochs": limits[site.name]}) for site in sites)


def check_names(session: Session, names: Sequence[str], field: str) -> None:
    """That sites of these names exist and are not revoked. Raises: Invalid."""
    rows = repository.by_names(session, names)
    for position, name in enumerate(names):
        check_exists(session, rows, name, f"{field}.{position}")


def check_exists(session: Session, rows: dict[str, SiteRow], name: str, field: str) -> None:
    if name not in rows:
        known = ", ".join(repository.first_names(session, _NAMES_IN_MESSAGE)) or "-"
        raise Invalid("unknown_site", {"name": name, "known": known}, field)
    if rows[name].state == "revoked":
        raise Invalid("site_revoked", {"name": name}, field)


def check_limits(limits: SiteLimits) -> None:
    """Not in the schema: sites of before this was asked are shown as they are. Raises: Invalid."""
    if limits.memory_mb is not None and limits.memory_mb < LEAST_MEMORY_MB:
        params = {"given": limits.memory_mb, "least": LEAST_MEMORY_MB}
        raise Invalid("memory_limit_too_small", params, "limits.memory_mb")


def _given(limits: SiteLimits) -> dict[str, Any] | None:
    return limits.model_dump(exclude_none=True) or None


def _found(row: SiteRow | None, id: str) -> SiteRow:
    if row is None:
        raise NotFound("site", id)
    return row


def _shown(data: AnyData) -> str:
    return f"{data.kind} {data.dataset}" if isinstance(data, SampleData) else data.kind


def _stored(window: Window | None) -> dict[str, Any] | None:
    return None if window is None else window.model_dump(mode="json", by_alias=True)


def _site(row: SiteRow, doing: tuple[StepRow, PilotRow, str | None] | None) -> Site:
    window = window_of(row.window)
    return Site.model_validate(
        {
            "id": row.id, "name": row.name, "display_name": row.display_name, "placement": row.placement,
            "data": row.data, "state": row.state, "last_seen_at": row.last_seen_at, "device": row.device,
            "window": window, "window_opens_at": None if window is None else window.opens_at(utc_now()),
            "doing": None if doing is None else _doing(*doing), "num_rows": row.num_rows,
            "fingerprint": row.fingerprint, "limits": SiteLimits.model_validate(row.limits or {}), "created_at": row.created_at, "revision": row.revision,
        }
    )  # fmt: skip


def _doing(step: StepRow, pilot: PilotRow, arm: str | None) -> Doing:
    return Doing(
        run_id=step.run_id, pilot_id=pilot.id, pilot_name=pilot.name, pilot_title=pilot.title, arm=arm,
        round=step.round, kind=step.kind, since=step.started_at,
    )  # fmt: skip
