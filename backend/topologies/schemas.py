"""HTTP bodies of topologies."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, JsonValue

from backend.text.schemas import Schema, Text
from backend.web import Page
from dimat.frozen import Name
from dimat.topology_spec import TopologySpec

# The eigenvalues of a larger graph would keep a request waiting for minutes.
SiteNames = Annotated[tuple[Name, ...], Field(max_length=1000)]


EXAMPLE: dict[str, JsonValue] = {
    "name": "east-ring",
    "site_names": ["site-01", "site-02", "site-03"],
    "spec": {"kind": "ring", "mixing": "metropolis"},
}


class TopologyCreate(Schema):
    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    name: Name
    site_names: SiteNames
    spec: TopologySpec


class TopologyPatch(Schema):
    """What is left out stays."""

    name: Name | None = None
    site_names: SiteNames | None = None
    spec: TopologySpec | None = None


class PreviewRequest(Schema):
    """A topology that is being edited; its sites need not exist."""

    site_names: SiteNames
    spec: TopologySpec


class Facts(Schema):
    """What the graph means.

    `second_eigenvalue`: |lambda_2(W)|, 0..1, lower mixes faster; `rounds_to_mix`: rounds with a merge until differences
    between sites fall to a hundredth (null: never). A graph that changes with every merge (`one_peer`) begins anew after
    `period` merges, others have 1: of such a one all links of a period are counted, and the eigenvalue is that of the
    product of its W over a period. `busiest_site` is null where all sites have as many links (`busiest_site_links`). `problem` says why the graph cannot be used.
    """

    connected: bool
    problem: Text | None
    num_links: int
    second_eigenvalue: float | None
    rounds_to_mix: int | None
    period: int
    busiest_site: str | None
    busiest_site_links: int


class Link(Schema):
    a: str
    b: str


class Preview(Schema):
    """`mixing`: W, one row of weights per site in the order of `site_names`, of a graph that changes with every merge the
    product over a period; null when it cannot be built."""

    facts: Facts
    links: list[Link]
    mixing: list[list[float]] | None


class Topology(Schema):
    id: str
    name: str
    site_names: list[str]
    spec: TopologySpec
    facts: Facts
    links: list[Link]
    created_at: datetime
    revision: int


class TopologyPage(Page[Topology]):
    pass
