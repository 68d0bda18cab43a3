"""Who exchanges with whom, as a pilot says it: the kind of graph with its options, and how neighbours are weighed.

What a kind means is in `dimat.graphs`, what weights are in `dimat.topology` and `dimat.fastest_mixing`.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dimat import fastest_mixing, graphs
from dimat.errors import UnknownSite
from dimat.frozen import Frozen, Name, Whole
from dimat.topology import Topology, check_mixing, from_links, metropolis, uniform
from dimat.validation import check_unique

MOST_LINKS, LARGEST_SEED = 999, 2**31 - 1
"""Of what is random."""


class LinkSpec(Frozen):
    """An undirected link between two sites."""

    a: Name
    b: Name


# By kind: options that must be given, options that may be.
_OPTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "random_regular": (("degree",), ("seed",)),
    "small_world": (("degree", "probability"), ("seed",)),
}


def _is_none(value: object) -> bool:
    return value is None


class TopologySpec(Frozen):
    """Who exchanges with whom, and with which weights.

    `links` is used by kind `custom`, `hub` by `star`, `degree` (links of a site) by `random_regular` and `small_world`,
    `probability` (of a link to be turned to a random site) by `small_world`, `seed` (0 if null) by both. `weights` belongs to
    mixing `custom` (one row per site, in the order of the pilot's sites). `one_peer` is another graph at each
    merge: one neighbour a site, and both count half.
    """

    kind: Literal[
        "ring", "full", "star", "line", "custom",
        "bipartite", "torus", "exponential", "one_peer", "random_regular", "small_world",
    ] = "full"  # fmt: skip
    hub: Name | None = None
    links: tuple[LinkSpec, ...] = ()
    mixing: Literal["metropolis", "uniform", "optimised", "custom"] = "metropolis"
    weights: tuple[tuple[float, ...], ...] | None = None
    # Left out of JSON where they say nothing: digests of pilots from before they existed stay as they are.
    degree: Annotated[Whole, Field(ge=2, le=MOST_LINKS)] | None = Field(None, exclude_if=_is_none)
    probability: Annotated[float, Field(ge=0.0, le=1.0)] | None = Field(None, exclude_if=_is_none)
    seed: Annotated[Whole, Field(ge=0, lt=LARGEST_SEED + 1)] | None = Field(None, exclude_if=_is_none)

    @model_validator(mode="after")
    def _weights_belong_to_custom_mixing(self) -> Self:
        if (self.mixing == "custom") != (self.weights is not None):
            raise PydanticCustomError(
                "weights_mixing",
                "'weights' and mixing 'custom' go together; mixing is '{mixing}'. Give both or neither.",
                {"mixing": self.mixing},
            )
        return self

    @model_validator(mode="after")
    def _options_belong_to_kind(self) -> Self:
        needed, allowed = _OPTIONS.get(self.kind, ((), ()))
        for option in ("degree", "probability", "seed"):
            given = getattr(self, option) is not None
            if option in needed and not given:
                raise PydanticCustomError(
                    "topology_option_missing",
                    "The topology '{kind}' needs '{option}'. Give it.",
                    {"kind": self.kind, "option": option},
                )
            if given and option not in (*needed, *allowed):
                raise PydanticCustomError(
                    "topology_option_unused",
                    "The topology '{kind}' has no use for '{option}'. Leave it out.",
                    {"kind": self.kind, "option": option},
                )
        return self

    @model_validator(mode="after")
    def _one_peer_counts_half(self) -> Self:
        if self.kind == "one_peer" and self.mixing not in ("metropolis", "uniform"):
            raise PydanticCustomError(
                "one_peer_mixing",
                "In a one-peer topology both models count half; the mixing '{mixing}' has no place there. "
                "Choose 'metropolis'.",
                {"mixing": self.mixing},
            )
        return self

    def period(self, num_sites: int) -> int:
        """Number of merges after which the graph begins anew; 1 if it is always the same."""
        return graphs.one_peer_period(num_sites) if self.kind == "one_peer" else 1

    def build(self, names: Sequence[str], turn: int = 0) -> Topology:
        """The graph over `names` at the merge number `turn` (0, 1, 2...).

        Raises: as `whole`.
        """
        return graphs.one_peer(len(names), turn) if self.kind == "one_peer" else self.whole(names)

    def whole(self, names: Sequence[str]) -> Topology:
        """The links of a whole period together: connected, and the same at every merge.

        Raises:
            UnknownSite: hub or link with a name not in `names`. TopologyError: see `topology.from_links`
            and the graph's own function in `graphs`.
        """
        index = {name: i for i, name in enumerate(names)}

        def at(name: str) -> int:
            if name not in index:
                raise UnknownSite(name=name, known=", ".join(names))
            return index[name]

        n = len(names)
        match self.kind:
            case "ring":
                links = graphs.ring(n)
            case "line":
                links = graphs.line(n)
            case "full":
                links = graphs.full(n)
            case "star":
                links = graphs.star(n, at(self.hub) if self.hub else 0)
            case "bipartite":
                links = graphs.bipartite(n)
            case "torus":
                links = graphs.torus(n)
            case "exponential":
                links = graphs.exponential(n)
            case "one_peer":
                links = [link for turn in range(self.period(n)) for link in graphs.one_peer(n, turn).links]
            case "random_regular":
                links = graphs.random_regular(n, self.degree or 0, self.seed or 0)
            case "small_world":
                links = graphs.small_world(n, self.degree or 0, self.probability or 0.0, self.seed or 0)
            case _:  # custom
                links = [(at(link.a), at(link.b)) for link in self.links]
        return from_links(n, links, names)

    def check(self, names: Sequence[str]) -> None:
        """Whether a pilot of these sites can use it, without working out weights. Raises: as `mixing_matrix`."""
        check_unique("site", names)
        whole = self.whole(names)
        if self.weights is not None:
            check_mixing(self.weights, whole, names)
        if self.mixing == "optimised":
            fastest_mixing.check_size(len(names))

    def mixing_matrix(self, names: Sequence[str], turn: int = 0) -> NDArray[np.float64]:
        """W of the merge number `turn`: (N, N) float64, rows summing to 1. Raises: as `whole`, MixingError, and DuplicateName."""
        check_unique("site", names)
        built = self.build(names, turn)
        if self.weights is not None:
            return check_mixing(self.weights, built, names)
        if self.mixing == "optimised":
            return fastest_mixing.optimised(built)
        # Half and half: what Metropolis weights of a pair are, too.
        equal = self.mixing == "uniform" or self.kind == "one_peer"
        return uniform(built) if equal else metropolis(built)

    def mixing_over_period(self, names: Sequence[str]) -> NDArray[np.float64]:
        """What the merges of a whole period do together, the product of their W: (N, N) float64. Raises: as
        `mixing_matrix`."""
        product_NN = self.mixing_matrix(names)
        for turn in range(1, self.period(len(names))):
            product_NN = self.mixing_matrix(names, turn) @ product_NN
        return product_NN
