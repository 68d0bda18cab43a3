"""HTTP bodies of metrics."""

from typing import Literal

from backend.text.schemas import Schema
from backend.web import Page


class Metric(Schema):
    """Accuracies (fractions) of one site's model at one point; round 0 is the start state. `alone_share`: the weight, 0..1, of the model
    that the site trains alone in its answers for its own cases; null where it trains none."""

    round: int
    phase: Literal["after_merge", "after_train"]
    site_index: int
    site_name: str
    own_site: float
    all_site: float | None
    validation: float | None
    alone_share: float | None


class MetricPage(Page[Metric]):
    pass
