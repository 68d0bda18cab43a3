"""HTTP bodies of sites."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from backend.sites.window import Window
from backend.text.schemas import Schema
from backend.web import Page
from dimat.data_spec import SiteData
from dimat.frozen import Name, Whole

Placement = Literal["local", "remote"]
SiteState = Literal["invited", "online", "silent", "revoked"]
DisplayName = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=80, pattern=r"^[^\x00-\x1f]*$")
]


EXAMPLE: dict[str, JsonValue] = {
    "name": "site-01",
    "display_name": "Osaka plant",
    "placement": "local",
    "data": {"kind": "sample", "dataset": "pendigits"},
}


class SiteLimits(Schema):
    """What may be asked of the site's machine; null: no limit. `max_epochs`: of a round, fixed in a pilot when it is launched. `threads`:
    of a step; as a step computes in one thread today, it changes nothing yet. `memory_mb`: of the process of a step, in millions of bytes; a
    step that uses more is ended, and Python and torch alone use some 350: less than 300 is refused. The last two count from the next step on."""

    max_epochs: Annotated[Whole, Field(ge=1, le=1000)] | None = None
    threads: Annotated[Whole, Field(ge=1, le=1024)] | None = None
    memory_mb: Annotated[Whole, Field(ge=1, le=10_000_000)] | None = None


class SiteCreate(Schema):
    """`placement` `local`: served by this server's own worker; `remote`: by a worker on its own machine."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    name: Name
    display_name: DisplayName = ""
    placement: Placement = "local"
    data: SiteData
    window: Window | None = None
    limits: SiteLimits = SiteLimits()


class SitePatch(Schema):
    """What is left out stays; `limits` are replaced as a whole. `window` null: the site takes work at any time. `state` can only become
    `revoked`, for good: the site takes part in nothing new, and runs that need it end, also where their pilot goes on without silent sites."""

    display_name: DisplayName | None = None
    data: SiteData | None = None
    window: Window | None = None
    limits: SiteLimits | None = None
    state: Literal["revoked"] | None = None


class Doing(Schema):
    """The step a site works on now; `round` 0 is the start state."""

    run_id: str | None
    pilot_id: str
    pilot_name: str
    pilot_title: str
    arm: str | None
    round: int
    kind: str
    since: datetime | None


class Site(Schema):
    """`window`: when steps are sent to the site; null: at any time. `window_opens_at`: null while it is open."""

    id: str
    name: str
    display_name: str
    placement: Placement
    data: SiteData
    state: SiteState
    last_seen_at: datetime | None
    device: str | None
    doing: Doing | None
    window: Window | None
    window_opens_at: datetime | None
    num_rows: int | None
    fingerprint: str | None
    limits: SiteLimits
    created_at: datetime
    revision: int


class SitePage(Page[Site]):
    pass
