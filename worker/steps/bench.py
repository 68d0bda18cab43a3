"""What a step has at hand: its rows, the store, and a book of the exchanges it made."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from dimat import second_moments, steps
from dimat.merging.mix import Remembered
from dimat.merging.sums import Sums
from dimat.methods import MOMENTS_OF, Method
from dimat.packed import pack
from dimat.params import Layout, Params
from dimat.rows import SiteRows
from dimat.steps import Alone, NeighbourMatch, StepContext
from dimat.training.checkpoint import Underway
from dimat.wire.codec import decode
from worker.artifacts import ArtifactStore
from worker.messages import (
    ArtifactRef,
    ExchangeReport,
    GatheredRef,
    MatchedReport,
    MergeAllMessage,
    MergeMessage,
    NeighbourRef,
    Purpose,
    StepMessage,
    TrainMessage,
)

PURPOSES: Mapping[str, Purpose] = {"align": "align", "adopt": "join"}
"""For what a neighbour's model is fetched, by kind of step; else to be merged."""


@dataclass
class Bench:
    """One step's place of work.

    Attributes:
        exchanges: what was fetched over links so far; also booked when the step fails afterwards.
        start: how far an attempt before had come with training; None: not known, or to no epoch.
    """

    message: StepMessage
    context: StepContext
    rows: SiteRows
    store: ArtifactStore
    exchanges: list[ExchangeReport] = field(default_factory=list)
    start: Underway | None = None

    @cached_property
    def layout(self) -> Layout:
        return steps.layout(self.message.model, self.rows)

    def own(self, ref: ArtifactRef) -> Params:
        """The site's own model: no exchange. Raises: StoreUnavailable, ArtifactInvalid."""
        return decode(self.store.get(ref), self.layout)

    def momentum(self, ref: ArtifactRef | None) -> Params | None:
        """What the site's own optimiser left. Raises: StoreUnavailable, ArtifactInvalid."""
        if ref is None:
            return None
        return decode(self.store.get(ref), steps.momentum_layout(self.message.model, self.rows))

    def alone(self, message: TrainMessage) -> Alone | None:
        """The model that the site trains alone, if it does. Raises: StoreUnavailable, ArtifactInvalid."""
        if message.alone is None:
            return None
        return Alone(self.own(message.alone), self.momentum(message.alone_momentum))

    def residual(self, ref: ArtifactRef | None) -> Params | None:
        """What rounding left over when the site last sent. Raises: StoreUnavailable, ArtifactInvalid."""
        if ref is None:
            return None
        return decode(self.store.get(ref), steps.mean_layout(self.message.model, self.rows))

    def before(self, message: MergeMessage | MergeAllMessage) -> Remembered | None:
        """What the last merge left. Raises: StoreUnavailable, ArtifactInvalid."""
        if message.momentum is None:
            return None
        num_sites = self.context.num_sites
        expected = steps.remembered_layout(message.model, self.rows, message.method, num_sites)
        momentum = decode(self.store.get(message.momentum), expected)
        return Remembered(momentum, None if message.before is None else self.own(message.before))

    def moments(self, message: MergeMessage) -> dict[int, Params]:
        """Second moments by site index, own and neighbours; empty where the method needs none.

        Raises: StoreUnavailable, ArtifactInvalid.
        """
        if message.own_moments is None:
            return {}
        expected = self._moments_layout(message.method)
        own = decode(self.store.get(message.own_moments), expected, allow_non_finite=True)
        found = {self.context.site_index: own}
        for ref in message.neighbours:
            if ref.moments is not None:
                content = self._fetch(ref.index, ref.moments, "moments")
                found[ref.index] = decode(content, expected, allow_non_finite=True)
        return found

    def neighbour(self, ref: NeighbourRef) -> Params:
        """A neighbour's model.

        It may hold values that are not finite: whoever uses it rejects it and says so.
        Raises: StoreUnavailable, ArtifactInvalid.
        """
        purpose = PURPOSES.get(self.message.kind, "merge")
        content = self._fetch(ref.index, ref.artifact, purpose)
        return decode(content, self.layout, allow_non_finite=True)

    def gathered(self, ref: GatheredRef, method: Method) -> Sums:
        """What this site gathered itself: no exchange. Raises: StoreUnavailable, ArtifactInvalid.

        Sums that ran over are what the models made of them and no damage: who merges by them says so.
        """
        params = decode(self.store.get(ref.artifact), self._sums_layout, allow_non_finite=True)
        if ref.moments is None:
            return Sums(params)
        moments = decode(self.store.get(ref.moments), self._moments_layout(method), allow_non_finite=True)
        return Sums(params, moments)

    def branch(self, ref: NeighbourRef, method: Method) -> Sums:
        """What a child in the tree gathered. As `neighbour`, for values that are not finite and what is raised."""
        content = self._fetch(ref.index, ref.artifact, "merge")
        params = decode(content, self._sums_layout, allow_non_finite=True)
        if ref.moments is None:
            return Sums(params)
        content = self._fetch(ref.index, ref.moments, "moments")
        return Sums(params, decode(content, self._moments_layout(method), allow_non_finite=True))

    def mean(self, ref: NeighbourRef) -> Params:
        """What all sites' models come to, from the parent in the tree. Raises: StoreUnavailable, ArtifactInvalid."""
        content = self._fetch(ref.index, ref.artifact, "merge")
        return decode(content, steps.mean_layout(self.message.model, self.rows))

    @property
    def _sums_layout(self) -> Layout:
        return steps.sums_layout(self.message.model, self.rows)

    def _moments_layout(self, method: Method) -> Layout:
        return second_moments.layout(MOMENTS_OF[method], self.message.model, self.rows)

    def _fetch(self, from_index: int, artifact: ArtifactRef, purpose: Purpose) -> bytes:
        """Over a link: this is an exchange, measured here."""
        began = time.perf_counter()
        content = self.store.get(artifact)
        self.exchanges.append(
            ExchangeReport(
                from_index=from_index,
                to_index=self.context.site_index,
                purpose=purpose,
                num_bytes=len(content),
                seconds=time.perf_counter() - began,
            )
        )
        return content

    def book(self, result: steps.StepResult) -> None:
        """Notes with each exchange how well the model matched, or that it was not used."""
        matches = {match.site_index: match for match in result.matches}
        self.exchanges[:] = [
            exchange.model_copy(
                update={
                    **_quality(matches.get(exchange.from_index) if exchange.purpose != "moments" else None),
                    "rejected": "non_finite_params" if exchange.from_index in result.rejected else None,
                }
            )
            for exchange in self.exchanges
        ]


def matched(result: steps.StepResult) -> MatchedReport | None:
    """What a merge found of its neighbours' units, as it is reported."""
    units = {match.site_index: match.units_U for match in result.matches if match.units_U is not None}
    if not units:
        return None
    num_units, data = len(next(iter(units.values()))), pack(list(units.values()))
    if not num_units or data is None:
        return None
    return MatchedReport(num_units=num_units, neighbours=tuple(units), data=data)


def _quality(match: NeighbourMatch | None) -> dict[str, float | None]:
    """Means over the groups of hidden units."""
    if match is None or not match.groups:
        return {"matched_correlation": None, "in_place_fraction": None}
    n = len(match.groups)
    return {
        "matched_correlation": _within_one(sum(group.correlation for group in match.groups) / n),
        "in_place_fraction": sum(group.in_place_fraction for group in match.groups) / n,
    }


def _within_one(correlation: float) -> float:
    """In float32 it may come out a little above 1. NaN stays NaN, and is refused by the report."""
    return math.copysign(1.0, correlation) if abs(correlation) > 1.0 else correlation
