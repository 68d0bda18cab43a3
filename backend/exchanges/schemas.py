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
    purpose: Literal["align", "join", "merge", "moments"]
    result: Literal["accepted", "rejected", "wasted"]
    num_bytes: int
    seconds: float
    matched_correlation: float | None
    in_place_fraction: float | None
    rejected: str | None


class ExchangePage(Page[Exchange]):
    pass


class Match(Schema):
    """How well units were matched in one round, as means over the links of which it is told.

    `correlation` -1..1; `in_place`: share of units that stayed where they were, 0..1; `cycle_inconsistency`: see `RoundResult`.
    """

    round: int
    correlation: float
    in_place: float
    cycle_inconsistency: float | None


class Matches(Schema):
    rounds: list[Match]
