"""What a step has at hand: its rows, the store, and a book of the exchanges it made."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from dimat import second_moments, steps
from dimat.errors import ArtifactInvalid
from dimat.merging.mix import Remembered
from dimat.merging.sums import Sums
from dimat.methods import MOMENTS_OF, Method
from dimat.packed import pack
from dimat.params import Layout, Params
from dimat.parts import WireSpec
from dimat.rows import SiteRows
from dimat.steps import Alone, NeighbourMatch, StepContext
from dimat.training.checkpoint import Underway
from dimat.wire.codec import decode, most_bytes, received, sha256
from dimat.wire.deltas import applied
from worker.artifacts import ArtifactDamaged, ArtifactMissing, ArtifactStore, StoreUnavailable
from worker.held import Held
from worker.messages.refs import ArtifactRef, DeltaRef
from worker.messages.reports import ExchangeReport, MatchedReport, Purpose
from worker.messages.steps import (
    GatheredRef,
    MergeAllMessage,
    MergeMessage,
    NeighbourRef,
    StepMessage,
    TrainMessage,
)
from worker.steps.fetches import purpose_of

log = logging.getLogger(__name__)


@dataclass
class Bench:
    """One step's place of work.

    Attributes:
        exchanges: what was fetched over links so far; also booked when the step fails afterwards.
        start: how far an attempt before had come with training; None: not known, or to no epoch.
        on_exchange: called after each of them, whatever came of it.
        held: models of neighbours that the site has, and keeps; None: it keeps none.
    """

    message: StepMessage
    context: StepContext
    rows: SiteRows
    store: ArtifactStore
    exchanges: list[ExchangeReport] = field(default_factory=list)
    start: Underway | None = None
    on_exchange: Callable[[], None] = lambda: None
    held: Held | None = None

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

    def sent_before(self, ref: ArtifactRef | None) -> bytes | None:
        """As what the site's model travelled when it last sent; None, too, where it cannot be had: then it sends the whole alone."""
        if ref is None:
            return None
        try:
            return self.store.get(ref)
        except (ArtifactInvalid, StoreUnavailable) as error:
            log.warning("no difference is made to what was sent last: %s", error)
            return None

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
                found[ref.index] = self._fetch(ref.index, ref.moments, "moments", expected)
        return found

    def neighbour(self, ref: NeighbourRef) -> Params:
        """A neighbour's model.

        It may hold values that are not finite: whoever uses it rejects it and says so.
        Raises: StoreUnavailable, ArtifactInvalid.
        """
        if self.held is not None and ref.delta is not None:
            before = self.held.content(ref.index)
            if before is not None and sha256(before) == ref.delta.against:
                found = self._fetch_difference(ref, ref.delta, before)
                if found is not None:
                    return found
        return self._fetch(ref.index, ref.artifact, purpose_of(self.message), self.layout)

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
        params = self._fetch(ref.index, ref.artifact, "merge", self._sums_layout)
        if ref.moments is None:
            return Sums(params)
        return Sums(params, self._fetch(ref.index, ref.moments, "moments", self._moments_layout(method)))

    def mean(self, ref: NeighbourRef) -> Params:
        """What all sites' models come to, from the parent in the tree. Raises: StoreUnavailable, ArtifactInvalid."""
        layout = steps.mean_layout(self.message.model, self.rows)
        return self._fetch(ref.index, ref.artifact, "merge", layout, allow_non_finite=False)

    @property
    def _sums_layout(self) -> Layout:
        return steps.sums_layout(self.message.model, self.rows)

    def _moments_layout(self, method: Method) -> Layout:
        return second_moments.layout(MOMENTS_OF[method], self.message.model, self.rows)

    def _fetch(
        self,
        from_index: int,
        artifact: ArtifactRef,
        purpose: Purpose,
        layout: Layout,
        allow_non_finite: bool = True,
    ) -> Params:
        """Over a link: this is an exchange, measured here. It is booked whatever comes of it."""
        began, content = time.perf_counter(), b""
        try:
            content = self.store.get(artifact)
            seconds = time.perf_counter() - began
            params, wire = received(content, layout, allow_non_finite)
        except (ArtifactInvalid, StoreUnavailable) as error:
            seconds = time.perf_counter() - began
            self._note(from_index, purpose, seconds=seconds, **_came(error, content, artifact))
            raise
        self._told(from_index, purpose, len(content), seconds)
        self._note(from_index, purpose, seconds=seconds, num_bytes=len(content), wire_format=format_of(wire))
        if self.held is not None and purpose != "moments":
            self.held.put_aside(from_index, content)
        return params

    def _fetch_difference(self, ref: NeighbourRef, delta: DeltaRef, before: bytes) -> Params | None:
        """As `_fetch`, of the same model by fewer bytes; None: it could not be had so, and is to be fetched whole.

        Raises: ArtifactInvalid: the model that was promised came, and is none.
        """
        began, content = time.perf_counter(), b""
        try:
            content = self.store.get(delta.artifact)
            seconds = time.perf_counter() - began
            model = applied(before, content, most_bytes(self.layout))
            if sha256(model) != ref.artifact.sha256:
                raise ValueError("what it gives is not the model")
        except (ArtifactInvalid, StoreUnavailable, ValueError) as error:
            seconds = time.perf_counter() - began
            name = self.message.context.site_names[ref.index]
            log.warning("the difference of %s is of no use, its model is fetched whole: %s", name, error)
            came = {"num_bytes": len(content), "failed": "difference_useless"}
            if not isinstance(error, ValueError):
                came = _came(error, content, delta)
            self._note(ref.index, "difference", seconds=seconds, **came)
            return None
        purpose = purpose_of(self.message)
        came = {"num_bytes": len(content), "seconds": seconds}
        try:
            params, wire = received(model, self.layout, allow_non_finite=True)
        except ArtifactInvalid as error:
            self._note(ref.index, purpose, failed=error.code, **came)
            raise
        self._told(ref.index, f"{purpose}, as a difference,", len(content), seconds)
        self._note(ref.index, purpose, wire_format=f"{format_of(wire)}+delta", **came)
        if self.held is not None:
            self.held.put_aside(ref.index, model)
        return params

    def _told(self, from_index: int, what_for: str, num_bytes: int, seconds: float) -> None:
        name = self.message.context.site_names[from_index]
        log.info("fetched %d bytes from %s for %s in %.2f s", num_bytes, name, what_for, seconds)

    def _note(self, from_index: int, purpose: Purpose, **came: Any) -> None:
        where = {"from_index": from_index, "to_index": self.context.site_index, "purpose": purpose}
        self.exchanges.append(ExchangeReport.model_validate(where | came))
        self.on_exchange()

    def _tell(self, result: steps.StepResult) -> None:
        """How well units were matched, and whose model was not used."""
        names = self.message.context.site_names
        for match in result.matches:
            if match.groups:
                found = _quality(match)
                log.info(
                    "matched %d groups of layers with %s: correlation %.3f, %.0f%% of the units in place",
                    len(match.groups), names[match.site_index], found["matched_correlation"],
                    100 * (found["in_place_fraction"] or 0.0),
                )  # fmt: skip
        for site, why in result.rejected.items():
            log.warning("the model of %s is not used (%s)", names[site], why)

    def book(self, result: steps.StepResult) -> None:
        """Notes with each exchange how well the model matched, or that it was not used."""
        matches = {match.site_index: match for match in result.matches}
        self._tell(result)
        self.exchanges[:] = [
            exchange.model_copy(
                update={
                    **_quality(matches.get(exchange.from_index) if exchange.purpose != "moments" else None),
                    "rejected": result.rejected.get(exchange.from_index),
                }
            )
            if exchange.purpose != "difference"
            else exchange
            for exchange in self.exchanges
        ]


def _came(error: ArtifactInvalid | StoreUnavailable, content: bytes, artifact: ArtifactRef) -> dict[str, Any]:
    """What had come over the link when a fetch failed."""
    if isinstance(error, ArtifactDamaged):
        return {"num_bytes": error.num_bytes, "failed": error.code}
    if isinstance(error, ArtifactInvalid):  # its bytes are those that were asked for
        return {"num_bytes": len(content), "failed": error.code}
    if isinstance(error, ArtifactMissing):
        return {"num_bytes": 0, "failed": "artifact_missing"}
    return {"num_bytes": 0, "unknown_bytes": artifact.num_bytes, "failed": "store_unreachable"}


def format_of(wire: WireSpec) -> str:
    """As the ledger names it: float32, int8, float16+zstd; "+delta" behind that where a difference came."""
    return f"{wire.numbers}+zstd" if wire.compress else wire.numbers


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
