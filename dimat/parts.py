"""What a pilot sets, part by part: data, model, training, merging, topology; and what an arm or an amendment may
set anew. Frozen, and checked as far as a part can be checked by itself."""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, Strict, StringConstraints, field_validator, model_validator
from pydantic_core import PydanticCustomError

from dimat import fastest_mixing, graphs
from dimat.errors import UnknownSample, UnknownSite
from dimat.samples import SAMPLES
from dimat.topology import Topology, check_mixing, from_links, metropolis, uniform
from dimat.validation import as_pydantic

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
# No control characters: databases refuse NUL in text, and a name of one line needs none of the others.
PLAIN = r"^[^\x00-\x1f]*$"
Method = Literal["local_only", "plain_average", "dimat", "dimat_guarded", "common_basis", "regmean"]
# Of `true` or "3" nobody can say whether a number was meant.
Whole = Annotated[int, Strict()]
# Ranges of what a pilot sets and an arm or an amendment may set anew.
Epochs = Annotated[Whole, Field(ge=1, le=1000)]
LearningRate = Annotated[float, Field(gt=0.0, le=10.0)]
BatchSize = Annotated[Whole, Field(ge=1, le=65_536)]
Momentum = Annotated[float, Field(ge=0.0, lt=1.0)]
WeightDecay = Annotated[float, Field(ge=0.0, le=1.0)]
GradClip = Annotated[float, Field(gt=0.0, le=1e6)]
MergeEvery = Annotated[Whole, Field(ge=1, le=10_000)]
Guard = Annotated[float, Field(ge=0.0, le=2.0)]
CONTROL_METHOD: Method = "local_only"
ALIGNED_METHODS: frozenset[Method] = frozenset({"common_basis", "regmean"})
"""Sites align once, before round 0."""
GRAM_METHODS: frozenset[Method] = frozenset({"regmean"})
"""Second moments of hidden features leave a site."""
Loss = Literal["cross_entropy", "balanced_softmax"]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SampleData(Frozen):
    """A share of a data set that ships with the product, divided by the pilot's `partition`."""

    kind: Literal["sample"] = "sample"
    dataset: str

    @field_validator("dataset")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in SAMPLES:
            raise as_pydantic(UnknownSample(name=name, known=", ".join(SAMPLES)))
        return name


# A tagged union of one: csv, parquet, npz, images, series and sql join here.
SiteData = SampleData


class IidPartition(Frozen):
    """Every site draws from the same class mix."""

    kind: Literal["iid"] = "iid"


class DirichletPartition(Frozen):
    """Each site's class mix is drawn from Dirichlet(alpha); small alpha = very different sites."""

    kind: Literal["dirichlet"] = "dirichlet"
    alpha: float = Field(0.5, gt=0.0, le=1000.0)


class ShardsPartition(Frozen):
    """Each site holds `classes_per_site` classes only."""

    kind: Literal["shards"] = "shards"
    classes_per_site: Whole = Field(2, ge=1, le=1000)


Partition = Annotated[IidPartition | DirichletPartition | ShardsPartition, Field(discriminator="kind")]


class SplitSpec(Frozen):
    """A row's side (train, validation, test) follows from a keyed hash of the row, so it never changes."""

    key: str = Field("awase", min_length=1, max_length=100, pattern=PLAIN)
    test_fraction: float = Field(0.25, gt=0.0, lt=0.9)
    validation_fraction: float = Field(0.1, gt=0.0, lt=0.9)

    @model_validator(mode="after")
    def _leaves_rows_to_train(self) -> Self:
        if self.test_fraction + self.validation_fraction >= 0.95:
            raise PydanticCustomError(
                "split_leaves_nothing",
                "Test ({test}) and validation ({validation}) leave too little to train on. Lower one of them.",
                {"test": self.test_fraction, "validation": self.validation_fraction},
            )
        return self


class DataSpec(Frozen):
    """How the rows of simulated sites are divided, split and scaled.

    `rows_per_site`: training rows of each site; `standardise`: features to mean 0, deviation 1.
    """

    partition: Partition = DirichletPartition()
    split: SplitSpec = SplitSpec()
    rows_per_site: Whole = Field(500, ge=10, le=1_000_000)
    standardise: bool = True


class MlpSpec(Frozen):
    """Fully connected network with ReLU."""

    kind: Literal["mlp"] = "mlp"
    hidden: tuple[Annotated[Whole, Field(ge=1, le=8192)], ...] = Field(
        (128, 128), min_length=1, max_length=16
    )


class CnnSpec(Frozen):
    """Two convolutions with BatchNorm and ReLU, pooling, one linear head; `width` = first channels."""

    kind: Literal["cnn"] = "cnn"
    width: Whole = Field(16, ge=1, le=512)


ModelSpec = Annotated[MlpSpec | CnnSpec, Field(discriminator="kind")]


class TrainSpec(Frozen):
    """SGD with momentum. Learning rates fall by a cosine to a tenth of their start.

    `warmup_*` is the training alone before round 0; `epochs` and `lr` belong to each round, the cosine
    of `lr` runs over all rounds. `keep_momentum`: the optimiser's momentum lives on across rounds and merges, otherwise
    each round starts a fresh one. `balanced_softmax`: cross-entropy on logits + log prior of the site's own class counts,
    so that a site's class mix does not go into what it shares (Ren et al. 2020).
    """

    init: Literal["different", "common"] = "different"
    warmup_epochs: Whole = Field(15, ge=0, le=10_000)
    warmup_lr: LearningRate = 0.03
    epochs: Epochs = 1
    lr: LearningRate = 0.02
    batch_size: BatchSize = 32
    momentum: Momentum = 0.9
    weight_decay: WeightDecay = 5e-4
    grad_clip: GradClip = 2.0
    loss: Loss = "cross_entropy"
    keep_momentum: bool = False


class ProbeSpec(Frozen):
    """The rows on which hidden units are compared: a seeded sample of the site's own training rows."""

    kind: Literal["own"] = "own"
    rows: Whole = Field(400, ge=8, le=100_000)


class MergeSpec(Frozen):
    """When and how models are merged. A round merges when it is a multiple of `merge_every`."""

    merge_every: MergeEvery = 1
    probe: ProbeSpec = ProbeSpec()
    guard: Guard = 0.2


class LinkSpec(Frozen):
    """An undirected link between two sites."""

    a: Name
    b: Name


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
    degree: Annotated[Whole, Field(ge=2, le=999)] | None = Field(None, exclude_if=_is_none)
    probability: Annotated[float, Field(ge=0.0, le=1.0)] | None = Field(None, exclude_if=_is_none)
    seed: Annotated[Whole, Field(ge=0, lt=2**31)] | None = Field(None, exclude_if=_is_none)

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
            case "custom":
                links = [(at(link.a), at(link.b)) for link in self.links]
        return from_links(n, links, names)

    def check(self, names: Sequence[str]) -> None:
        """Whether a pilot of these sites can use it, without working out weights. Raises: as `mixing_matrix`."""
        whole = self.whole(names)
        if self.weights is not None:
            check_mixing(self.weights, whole, names)
        if self.mixing == "optimised":
            fastest_mixing.check_size(len(names))

    def mixing_matrix(self, names: Sequence[str], turn: int = 0) -> NDArray[np.float64]:
        """W of the merge number `turn`: (N, N) float64, rows summing to 1. Raises: as `whole`, and MixingError."""
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


# By kind: options that must be given, options that may be.
_OPTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "random_regular": (("degree",), ("seed",)),
    "small_world": (("degree", "probability"), ("seed",)),
}


class EvaluationSpec(Frozen):
    """`shared_set`: every site holds the same (simulated or public) test rows; `none`: no all-site value."""

    all_site: Literal["shared_set", "none"] = "shared_set"


class TrainPatch(Frozen):
    """Fields of `TrainSpec` that may change within a pilot; None = unchanged."""

    epochs: Epochs | None = None
    lr: LearningRate | None = None
    batch_size: BatchSize | None = None
    momentum: Momentum | None = None
    weight_decay: WeightDecay | None = None
    grad_clip: GradClip | None = None
    loss: Loss | None = None
    keep_momentum: bool | None = None


class MergePatch(Frozen):
    """Fields of `MergeSpec`; None = unchanged."""

    merge_every: MergeEvery | None = None
    probe: ProbeSpec | None = None
    guard: Guard | None = None
