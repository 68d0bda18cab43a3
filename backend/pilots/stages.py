"""The next stage of a pilot that has ended: a draft of the same study, as its amendments left it, with more sites.

Which sites follow is a proposal; whoever opens the draft may change it. A site that an amendment took out does not come back by itself.
"""

import re
from collections.abc import Collection, Sequence
from typing import Any
from unicodedata import east_asian_width

from pydantic import ValidationError
from sqlalchemy.orm import Session

from backend.auth.principal import Principal
from backend.db.tables import PilotRow
from backend.errors import Conflict, Invalid
from backend.pilots import repository, service
from backend.pilots.amendments import begun
from backend.pilots.schemas import NextStage, Pilot
from backend.pilots.specs import stored_spec
from backend.sites import service as sites
from backend.text.findings import of_validation
from dimat.as_amended import as_amended
from dimat.errors import DimatError
from dimat.spec import PilotSpec, SiteSpec
from dimat.topology_spec import TopologySpec

_ENDS = frozenset({"completed", "failed", "cancelled"})
_STEM_UP_TO = 45
"""Of the 63 characters that a name may have, some are for the number of the stage."""


def begin_next(session: Session, who: Principal, id: str, body: NextStage) -> Pilot:
    """Raises: NotFound; Conflict, when the pilot has not ended; Invalid, for sites that cannot be used or take part already, or a spec that does not allow for
    so many; NameTaken."""
    row = service.row_of(session, id)
    if not _has_ended(session, row):
        raise Conflict("pilot_not_ended", {"name": row.name, "state": row.state})
    first, number = _chain(session, row)
    launched = stored_spec(row)
    amendments = begun(session, id, launched)
    spec = as_amended(launched, amendments)
    been = {*launched.first_members, *(name for one in amendments for name in one.patch.members or ())}
    added = _added(session, spec, body.sites, been - set(spec.site_names))
    changes = {
        "name": body.name or _free_name(session, first.name, number + 1),
        "title": _title((first.title or first.name)[:180], number + 1),
    }
    next = _with_sites(spec, added, changes, fewer_rows=body.sites is None)
    return service.create_following(session, who, row, next)


def _has_ended(session: Session, row: PilotRow) -> bool:
    counts = repository.run_states(session, [row.id])[row.id]
    return row.state != "draft" and set(counts) <= _ENDS


def _chain(session: Session, row: PilotRow) -> tuple[PilotRow, int]:
    """The first stage, and the number of this one."""
    number = 1
    while row.follows_pilot_id is not None and (before := repository.by_id(session, row.follows_pilot_id)):
        row, number = before, number + 1
    return row, number


def _title(first: str, number: int) -> str:
    """With brackets as the title's own script has them."""
    is_wide = any(east_asian_width(letter) in "WF" for letter in first)
    return f"{first}（{number}）" if is_wide else f"{first} ({number})"


def _free_name(session: Session, first: str, number: int) -> str:
    stem = f"{first[:_STEM_UP_TO].rstrip('._-')}-stage-{number}"
    taken = repository.names_like(session, stem)
    return stem if stem not in taken else f"{stem}-{1 + _highest(stem, taken)}"


def _highest(stem: str, taken: Collection[str]) -> int:
    numbers = (re.fullmatch(re.escape(stem) + r"-([0-9]{1,6})", name) for name in taken)
    return max((int(found[1]) for found in numbers if found), default=1)


def _added(
    session: Session, spec: PilotSpec, wanted: Sequence[str] | None, left: Collection[str]
) -> list[SiteSpec]:
    """The sites that are wanted, of which none may take part already; of None all that hold data as it does, are not revoked and have not
    `left`."""
    known = set(spec.site_names)
    if wanted is None:
        return [
            site
            for site in sites.usable(session)
            if site.name not in known and site.name not in left and site.data == spec.sites[0].data
        ]
    sites.check_names(session, wanted, "sites")
    for position, name in enumerate(wanted):
        if name in known:
            raise Invalid("site_takes_part", {"name": name}, f"sites.{position}")
    by_name = {site.name: site for site in sites.usable(session)}
    return [by_name[name] for name in dict.fromkeys(wanted)]


def _with_sites(
    spec: PilotSpec, added: Sequence[SiteSpec], changes: dict[str, str], *, fewer_rows: bool
) -> PilotSpec:
    """All sites take part from the start. Links that were drawn by hand know nothing of new sites, nor of those that took no part when
    they were drawn: every site is then linked with every other, until somebody draws anew."""
    given = spec.model_dump(mode="json") | changes
    given["sites"] += [site.model_dump(mode="json") for site in added]
    names = [*spec.site_names, *(site.name for site in added)]
    if not _goes_with(spec.topology, names):
        given["topology"] = TopologySpec().model_dump(mode="json")
    for arm, stored in zip(given["arms"], spec.arms, strict=True):
        if stored.topology is not None and not _goes_with(stored.topology, names):
            arm["topology"] = None
    return _valid(given, fewer_rows=fewer_rows)


def _valid(given: dict[str, Any], *, fewer_rows: bool) -> PilotSpec:
    """With `fewer_rows` each site gets as many as the data set has for so many sites, where it does not have those that are asked for."""
    try:
        return PilotSpec.model_validate(given)
    except ValidationError as error:
        first = of_validation("en", error.errors())[0]
    if fewer_rows and first.code == "rows_run_out" and first.params["most"]:
        fewer = given["data"] | {"rows_per_site": first.params["most"]}
        return _valid(given | {"data": fewer}, fewer_rows=False)
    raise Invalid(first.code, first.params, "sites")


def _goes_with(topology: TopologySpec, names: Sequence[str]) -> bool:
    """Whether links or weights that were drawn by hand are of all these sites."""
    if topology.weights is not None and len(topology.weights) != len(names):
        return False
    if topology.kind != "custom":
        return True
    try:
        topology.whole(names)
    except DimatError:
        return False
    return True
