"""HTTP bodies of exchanges."""

from typing import Literal

from backend.text.schemas import Schema
from backend.web import Page


class Exchange(Schema):
    """One model that crossed one link. `rejected`: why it was not used, a code `reasons.<code>`."""

    id: str
    round: int
    attempt: int
    from_index: int
    from_site: str
    to_index: int
    to_site: str
    purpose: Literal["align", "merge", "moments"]
    result: Literal["accepted", "rejected", "wasted"]
    num_bytes: int
    seconds: float
    matched_correlation: float | None
    in_place_fraction: float | None
    rejected: str | None


class ExchangePage(Page[Exchange]):
    pass
