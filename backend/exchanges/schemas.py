"""HTTP bodies of exchanges and of the byte ledger."""

from typing import Literal

from backend.text.schemas import Schema
from backend.web import Page

Purpose = Literal["align", "join", "merge", "evaluate", "wasted"]
FetchedFor = Literal["align", "join", "merge", "moments", "difference"]
Result = Literal["accepted", "rejected", "failed", "wasted", "unconfirmed"]


class Exchange(Schema):
    """One artifact fetched over one link, whatever came of it.

    `purpose`: what its bytes were good for. align: a model to take the order of units from; join: the model that a site goes on with as it
    joins or comes back; merge: models, their sums or mean, and second moments to merge by; wasted: nothing, as it was refused, did
    not come, or its attempt or run did not count; evaluate: only to be evaluated (no step fetches for that, so there are none). A
    model that a merge both matches and mixes is fetched once, and is of the merge. `fetched_for`: what it was meant for; `difference`: to have the
    model of it, which could not be, and was fetched whole then.
    `result`: accepted; rejected by the merge; failed: it did not come, or not whole; wasted: its attempt did not count; unconfirmed: its
    attempt died and did not say whether it had fetched it. `rejected`: why it was rejected or failed, a code `reasons.<code>`.
    `num_bytes` came over the link. `unknown_bytes`: so many more at most, of a fetch that broke off or is unconfirmed.
    `wire_format`: numbers, compression and whether it was a difference from the model before, as found in the bytes, such as `int8+zstd` or
    `bfloat16+zstd+delta`; null where they could not be read, or of an earlier version. `taken_over`: it was fetched by the run that this one goes on from. `raw_data_bytes`: of rows of a site's data.
    """

    id: str
    round: int
    attempt: int
    from_index: int
    from_site: str
    to_index: int
    to_site: str
    purpose: Purpose
    fetched_for: FetchedFor
    result: Result
    num_bytes: int
    unknown_bytes: int
    raw_data_bytes: int
    seconds: float
    wire_format: str | None
    taken_over: bool
    matched_correlation: float | None
    in_place_fraction: float | None
    rejected: str | None


class ExchangePage(Page[Exchange]):
    pass


class Bytes(Schema):
    """Sums over rows of the ledger."""

    num_exchanges: int
    num_bytes: int
    unknown_bytes: int
    raw_data_bytes: int
    seconds: float


class PurposeBytes(Bytes):
    purpose: Purpose


class LinkBytes(Bytes):
    """`wasted_bytes`: how many of `num_bytes` were of the purpose `wasted`."""

    from_index: int
    from_site: str
    from_display_name: str
    to_index: int
    to_site: str
    to_display_name: str
    wasted_bytes: int


class Ledger(Schema):
    """What went over links. `total` is the sum of `by_purpose` (each has its entry) and of `by_link`, of every column.

    Of a run all that its list of exchanges holds; `taken_over_bytes` of it were fetched by the run that it goes on from. Of a pilot what
    all its runs fetched, each fetch once: what restarted runs did in rounds that do not stand is wasted. That total is what the
    store served to sites of what others had made, `unknown_bytes` apart.
    """

    total: Bytes
    taken_over_bytes: int
    by_purpose: list[PurposeBytes]
    by_link: list[LinkBytes]


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
