"""Pilots as people write them. A launched pilot's spec is frozen; its assumptions may still change."""

from collections.abc import Collection

from sqlalchemy.orm import Session

from backend.audit import service as audit
from backend.auth.principal import Principal
from backend.db.paging import Order, page
from backend.db.races import locked, unique_name
from backend.db.tables import AssumptionsRow, PilotRow, utc_now
from backend.errors import Conflict, NameTaken, NotFound
from backend.pilots import repository
from backend.pilots.amendments import in_force_of_each, left_after
from backend.pilots.assumptions import Assumptions, changes
from backend.pilots.halts import halts_of
from backend.pilots.repository import PilotFilter
from backend.pilots.schemas import (
    Halt,
    Pilot,
    PilotClone,
    PilotCreate,
    PilotPage,
    PilotPatch,
    RunsSummary,
    Stage,
)
from backend.pilots.specs import stored_spec
from backend.pilots.timers import AT_WORK, NextRound, next_rounds
from backend.sites import service as sites
from backend.web import ListQuery, check_match
from dimat.spec import PilotSpec, spec_sha256

_NOT_RUNNING = ("queued", "paused", "completed", "failed", "cancelled")


def list_pilots(session: Session, paging: ListQuery, wanted: PilotFilter) -> PilotPage:
    query = repository.matching(session, wanted)
    found = page(session, query, [Order(PilotRow.id, descending=True)], paging.cursor, paging.limit)
    items = _pilots(session, found.rows)
    if wanted.site is not None:
        items = _with_site_until(session, items, wanted.site)
    return PilotPage(items=items, next_cursor=found.next_cursor, total=found.total)


def _with_site_until(session: Session, pilots: list[Pilot], site: str) -> list[Pilot]:
    known = in_force_of_each(session, [pilot.id for pilot in pilots])
    made = {id: [one.amendment for one in ones] for id, ones in known.items()}
    return [
        pilot.model_copy(update={"site_until": left_after(pilot.spec, made[pilot.id], site)})
        for pilot in pilots
    ]


def get(session: Session, id: str) -> Pilot:
    """Raises: NotFound."""
    return _pilots(session, [row_of(session, id)])[0]


def spec_of(session: Session, id: str) -> PilotSpec:
    """Raises: NotFound."""
    return stored_spec(row_of(session, id))


def assumptions_of(session: Session, id: str) -> tuple[Assumptions, int] | None:
    """The latest assumptions and their version; None when the pilot has none. Raises: NotFound."""
    row = repository.latest_assumptions(session, [row_of(session, id).id]).get(id)
    return None if row is None else (Assumptions.model_validate(row.body), row.version)


def create(session: Session, who: Principal, body: PilotCreate) -> Pilot:
    """Raises: NameTaken; Invalid, for a site that does not exist or holds other data."""
    if repository.by_name(session, body.spec.name) is not None:
        raise NameTaken("pilot", body.spec.name, "spec.name")
    spec = _with_names(session, body.spec)
    row = _insert(session, who, spec, "spec.name")
    if body.assumptions is not None:
        _add_assumptions(session, who, row, body.assumptions)
    audit.record(session, who, "pilot_created", "pilot", row.id, name=row.name)
    return get(session, row.id)


def clone(session: Session, who: Principal, id: str, body: PilotClone) -> Pilot:
    """Raises: NotFound; NameTaken."""
    original = row_of(session, id)
    if repository.by_name(session, body.name) is not None:
        raise NameTaken("pilot", body.name)
    # Nothing of a spec depends on its name and title, and all are checked.
    title = original.title if body.title is None else body.title
    spec = stored_spec(original).model_copy(update={"name": body.name, "title": title})
    row = _insert(session, who, spec, "name")
    assumptions = repository.latest_assumptions(session, [id]).get(id)
    if assumptions is not None:
        _add_assumptions(session, who, row, Assumptions.model_validate(assumptions.body))
    audit.record(session, who, "pilot_cloned", "pilot", row.id, name=row.name, original=original.name)
    return get(session, row.id)


def create_following(session: Session, who: Principal, before: PilotRow, spec: PilotSpec) -> Pilot:
    """A draft that is the next stage of the pilot `before`, with its assumptions. Raises: as `create`."""
    if repository.by_name(session, spec.name) is not None:
        raise NameTaken("pilot", spec.name)
    row = _insert(session, who, _with_names(session, spec), "name")
    row.follows_pilot_id = before.id
    assumptions = repository.latest_assumptions(session, [before.id]).get(before.id)
    if assumptions is not None:
        _add_assumptions(session, who, row, Assumptions.model_validate(assumptions.body))
    audit.record(session, who, "stage_begun", "pilot", row.id, name=row.name, original=before.name)
    session.flush()
    return get(session, row.id)


def update(session: Session, who: Principal, id: str, body: PilotPatch, if_match: str | None) -> Pilot:
    """Raises: NotFound; Stale; Conflict, for the spec of a launched pilot; Invalid, as `create`."""
    row = locked_row(session, id)
    check_match(if_match, row.revision)
    if body.spec is None and body.title is None and body.assumptions is None:
        return get(session, id)
    if body.spec is not None:
        _change_spec(session, row, body.spec)
    if body.title is not None:
        _change_title(session, row, body.title)
    changed: dict[str, str] = {}
    if body.assumptions is not None:
        before = assumptions_of(session, id)
        changed = changes(before[0] if before else None, body.assumptions)
        _add_assumptions(session, who, row, body.assumptions)
    row.revision += 1
    session.flush()
    only_money = body.spec is None and body.title is None and changed
    audit.record(
        session, who, "assumptions_changed" if only_money else "pilot_updated", "pilot", id,
        name=row.name, **changed,
    )  # fmt: skip
    return get(session, id)


def mark_launched(session: Session, row: PilotRow, key: str, spec: PilotSpec) -> None:
    """Freezes the spec of a draft that the caller has locked, as it is launched."""
    if spec != stored_spec(row):
        row.spec, row.spec_sha256 = spec.model_dump(mode="json"), spec_sha256(spec)
    row.state, row.launch_key, row.launched_at = "launched", key, utc_now()
    row.revision += 1
    session.flush()


def row_of(session: Session, id: str) -> PilotRow:
    """Raises: NotFound."""
    row = repository.by_id(session, id)
    if row is None:
        raise NotFound("pilot", id)
    return row


def rows_of(session: Session, ids: Collection[str]) -> dict[str, PilotRow]:
    """By id."""
    return {row.id: row for row in repository.by_ids(session, ids)}


def locked_row(session: Session, id: str) -> PilotRow:
    """As `row_of`, for who decides by the row and then changes it: it stays as it is read. Raises: NotFound."""
    row = locked(session, PilotRow, id)
    if row is None:
        raise NotFound("pilot", id)
    return row


def _change_spec(session: Session, row: PilotRow, spec: PilotSpec) -> None:
    if row.state != "draft":
        raise Conflict("pilot_launched", {"name": row.name, "state": row.state}, "spec")
    if spec.name != row.name and repository.by_name(session, spec.name) is not None:
        raise NameTaken("pilot", spec.name, "spec.name")
    spec = _with_names(session, spec)
    row.name, row.title = spec.name, spec.title
    row.spec, row.spec_sha256 = spec.model_dump(mode="json"), spec_sha256(spec)
    with unique_name("pilot", spec.name, "spec.name"):
        session.flush()


def _with_names(session: Session, spec: PilotSpec) -> PilotSpec:
    """The spec, its sites called as people call them where it does not say. Raises: Invalid, for sites that cannot be used."""
    names = sites.check_usable(session, spec.sites, "spec.sites")
    called = [
        site if site.display_name else site.model_copy(update={"display_name": names[site.name]})
        for site in spec.sites
    ]
    return spec.model_copy(update={"sites": tuple(called)})


def _change_title(session: Session, row: PilotRow, title: str) -> None:
    """What people read may change at any time; the spec of a launched pilot stays as it was frozen."""
    if row.state == "draft":
        _change_spec(session, row, stored_spec(row).model_copy(update={"title": title}))
    row.title = title


def _insert(session: Session, who: Principal, spec: PilotSpec, field: str) -> PilotRow:
    """`field`: where the name came from."""
    row = PilotRow(
        name=spec.name, title=spec.title, spec=spec.model_dump(mode="json"), spec_sha256=spec_sha256(spec),
        created_by=who.user_name,
    )  # fmt: skip
    session.add(row)
    with unique_name("pilot", spec.name, field):
        session.flush()
    return row


def _add_assumptions(session: Session, who: Principal, row: PilotRow, body: Assumptions) -> None:
    latest = repository.latest_assumptions(session, [row.id]).get(row.id)
    version = 1 if latest is None else latest.version + 1
    session.add(
        AssumptionsRow(pilot_id=row.id, version=version, body=body.model_dump(mode="json"), by=who.user_name)
    )
    session.flush()


def _pilots(session: Session, rows: list[PilotRow]) -> list[Pilot]:
    ids = [row.id for row in rows]
    assumptions = repository.latest_assumptions(session, ids)
    counts, next = repository.run_states(session, ids), next_rounds(session, ids)
    after, halted = repository.followers(session, ids), repository.halted(session, ids)
    before = {row.id: _followed(session, row) for row in rows}
    return [
        _pilot(
            row, assumptions.get(row.id), counts[row.id], halts_of(halted[row.id]), next.get(row.id),
            before[row.id], after[row.id],
        )
        for row in rows
    ]  # fmt: skip


def _followed(session: Session, row: PilotRow) -> PilotRow | None:
    return None if row.follows_pilot_id is None else repository.by_id(session, row.follows_pilot_id)


def _stage(row: PilotRow) -> Stage:
    return Stage(id=row.id, name=row.name, title=row.title)


def _pilot(
    row: PilotRow,
    assumptions: AssumptionsRow | None,
    counts: dict[str, int],
    halts: list[Halt],
    next: NextRound | None,
    before: PilotRow | None,
    after: list[PilotRow],
) -> Pilot:
    spec = stored_spec(row)
    num_runs = sum(counts.values())
    summary = {state: counts.get(state, 0) for state in _NOT_RUNNING}
    if not any(counts.get(state) for state in AT_WORK):
        next = None
    return Pilot.model_validate(
        {
            "id": row.id, "name": row.name, "title": row.title, "state": row.state, "spec": spec,
            "spec_sha256": row.spec_sha256,
            "assumptions": None if assumptions is None else assumptions.body,
            "assumptions_version": None if assumptions is None else assumptions.version,
            "num_runs": num_runs or len(spec.arms) * len(spec.seeds),
            "runs_summary": RunsSummary(running=num_runs - sum(summary.values()), **summary),
            "halts": halts,
            "created_at": row.created_at, "created_by": row.created_by, "launched_at": row.launched_at,
            "next_round": None if next is None else next.round,
            "next_round_at": None if next is None else next.due_at,
            "follows_pilot_id": row.follows_pilot_id, "follows": None if before is None else _stage(before),
            "followed_by": [_stage(one) for one in after], "site_until": None,
            "revision": row.revision,
        }
    )  # fmt: skip
