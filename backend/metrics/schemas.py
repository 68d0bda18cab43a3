"""HTTP bodies of metrics."""

from typing import Literal

from backend.text.schemas import Schema
from backend.web import Page


class Metric(Schema):
    """Accuracies (fractions) of one site's model at one point; round 0 is the start state."""

    round: int
    phase: Literal["after_merge", "after_train"]
    site_index: int
    site_name: str
    own_site: float
    all_site: float | None
    validation: float | None


class MetricPage(Page[Metric]):
    pass
