"""HTTP bodies of sites."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, JsonValue, StringConstraints

from backend.sites.window import Window
from backend.text.schemas import Schema
from backend.web import Page
from dimat.data_spec import SiteData
from dimat.frozen import Name

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


class SiteCreate(Schema):
    """`placement` `local`: served by this server's own worker; `remote`: by a worker on its own machine."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    name: Name
    display_name: DisplayName = ""
    placement: Placement = "local"
    data: SiteData
    window: Window | None = None


class SitePatch(Schema):
    """What is left out stays. `window` null: the site takes work at any time. `state` can only become `revoked`: the site takes part in nothing new."""

    display_name: DisplayName | None = None
    data: SiteData | None = None
    window: Window | None = None
    state: Literal["revoked"] | None = None


class Doing(Schema):
    """The step a site works on now; `round` 0 is the start state."""

    run_id: str | None
    pilot_id: str
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
    created_at: datetime
    revision: int


class SitePage(Page[Site]):
    pass
