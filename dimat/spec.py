"""What a pilot is: one frozen definition that serves as HTTP body, database JSON, message and TOML.

A spec that can be built can be run: names, links and weights are checked here, and every problem is
reported with its place and a code of the catalogue. Business assumptions are not part of it: they may
change after launch without changing what runs.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, Strict, StringConstraints, field_validator, model_validator
from pydantic_core import PydanticCustomError

from dimat import topology as graphs
from dimat.errors import (
    DimatError,
    DuplicateName,
    DuplicateSeed,
    ModelMismatch,
    PilotTooLarge,
    TooFewRows,
    UnknownSample,
    UnknownSite,
)
from dimat.samples import SAMPLES

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
# No control characters: databases refuse NUL in text, and a name of one line needs none of the others.
PLAIN = r"^[^\x00-\x1f]*$"
Method = Literal["local_only", "plain_average", "dimat", "dimat_guarded", "common_basis"]
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
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
CONTROL_METHOD: Method = "local_only"
ROUNDING_ROWS = 100
MAX_SITE_ROUNDS = 10_000_000
"""Arms x seeds x rounds x sites: ten arms with ten seeds for a thousand sites over a hundred rounds."""


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


class SiteSpec(Frozen):
    """A site as the pilot sees it."""

    name: Name
    display_name: str = Field("", max_length=80, pattern=PLAIN)
    data: SiteData


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
    of `lr` runs over all rounds, with a fresh optimiser after each merge.
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


class TopologySpec(Frozen):
    """Who exchanges with whom, and with which weights.

    `links` is used by kind `custom`, `hub` by `star`, `weights` by mixing `custom` (one row per site,
    in the order of the pilot's sites).
    """

    kind: Literal["ring", "full", "star", "line", "custom"] = "full"
    hub: Name | None = None
    links: tuple[LinkSpec, ...] = ()
    mixing: Literal["metropolis", "uniform", "custom"] = "metropolis"
    weights: tuple[tuple[float, ...], ...] | None = None

    @model_validator(mode="after")
    def _weights_belong_to_custom_mixing(self) -> Self:
        if (self.mixing == "custom") != (self.weights is not None):
            raise PydanticCustomError(
                "weights_mixing",
                "'weights' and mixing 'custom' go together; mixing is '{mixing}'. Give both or neither.",
                {"mixing": self.mixing},
            )
        return self

    def build(self, names: Sequence[str]) -> graphs.Topology:
        """The graph over `names`.

        Raises:
            UnknownSite: hub or link with a name not in `names`. TopologyError: see `topology.from_links`.
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
            case "custom":
                links = [(at(link.a), at(link.b)) for link in self.links]
        return graphs.from_links(n, links, names)

    def mixing_matrix(self, names: Sequence[str]) -> NDArray[np.float64]:
        """W: (N, N) float64, rows summing to 1. Raises: as `build`, and MixingError."""
        built = self.build(names)
        if self.weights is not None:
            return graphs.check_mixing(self.weights, built, names)
        return graphs.uniform(built) if self.mixing == "uniform" else graphs.metropolis(built)


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


class MergePatch(Frozen):
    """Fields of `MergeSpec`; None = unchanged."""

    merge_every: MergeEvery | None = None
    probe: ProbeSpec | None = None
    guard: Guard | None = None


class Patch(Frozen):
    """A change to how an arm runs; what is None stays as it is."""

    method: Method | None = None
    topology: TopologySpec | None = None
    train: TrainPatch | None = None
    merge: MergePatch | None = None


class ArmSpec(Frozen):
    """One treatment compared in a pilot: a method and what differs from the pilot's settings."""

    name: Name
    method: Method
    topology: TopologySpec | None = None
    train: TrainPatch | None = None
    merge: MergePatch | None = None


class ArmPlan(Frozen):
    """How one arm runs in one round, all overrides and amendments applied."""

    method: Method
    topology: TopologySpec
    train: TrainSpec
    merge: MergeSpec

    def merges_in(self, round: int) -> bool:
        """Whether models are merged in `round` (>= 1)."""
        return self.method != CONTROL_METHOD and round % self.merge.merge_every == 0


class Amendment(Frozen):
    """A change to a launched pilot from a round on; `arm` None means every arm."""

    arm: Name | None = None
    from_round: Whole = Field(ge=1)
    patch: Patch
    by: str = Field(min_length=1, max_length=200, pattern=PLAIN)
    why: str = Field(min_length=1, max_length=2000, pattern=PLAIN)


class PilotSpec(Frozen):
    """A study: sites, topology, arms and how they train and merge."""

    name: Name
    title: str = Field("", max_length=200, pattern=PLAIN)
    sites: tuple[SiteSpec, ...] = Field(min_length=2, max_length=1_000)
    topology: TopologySpec = TopologySpec()
    data: DataSpec = DataSpec()
    model: ModelSpec = MlpSpec()
    train: TrainSpec = TrainSpec()
    merge: MergeSpec = MergeSpec()
    evaluation: EvaluationSpec = EvaluationSpec()
    rounds: Whole = Field(ge=1, le=100_000)
    seeds: tuple[Annotated[Whole, Field(ge=0, lt=2**31)], ...] = Field((1,), min_length=1, max_length=100)
    arms: tuple[ArmSpec, ...] = Field(min_length=1, max_length=100)

    @property
    def site_names(self) -> tuple[str, ...]:
        return tuple(site.name for site in self.sites)

    def arm(self, name: str) -> ArmSpec:
        """The arm of that name. Raises: KeyError."""
        return {arm.name: arm for arm in self.arms}[name]

    @property
    def control_arm(self) -> ArmSpec | None:
        """The first arm that never merges: what every gain is measured against."""
        return next((arm for arm in self.arms if arm.method == CONTROL_METHOD), None)

    @model_validator(mode="after")
    def _can_run(self) -> Self:
        with _at("sites"):
            _no_duplicates("site", self.site_names)
        with _at("arms"):
            _no_duplicates("arm", [arm.name for arm in self.arms])
        with _at("seeds"):
            self._seeds_differ()
        with _at("rounds"):
            self._is_of_a_size_that_can_be_run()
        places = {self.topology: "topology"}
        for position, arm in enumerate(self.arms):
            places.setdefault(effective_spec(self, arm.name, (), 1).topology, f"arms.{position}.topology")
        for topology, place in places.items():
            with _at(place):
                topology.mixing_matrix(self.site_names)
        with _at("model"):
            self._model_fits_data()
        with _at("data.rows_per_site"):
            self._rows_suffice()
        return self

    def _seeds_differ(self) -> None:
        for position, seed in enumerate(self.seeds):
            if seed in self.seeds[:position]:
                raise DuplicateSeed(seed=seed)

    def _is_of_a_size_that_can_be_run(self) -> None:
        runs = len(self.arms) * len(self.seeds)
        site_rounds = runs * self.rounds * len(self.sites)
        if site_rounds > MAX_SITE_ROUNDS:
            raise PilotTooLarge(
                runs=runs,
                rounds=self.rounds,
                sites=len(self.sites),
                site_rounds=site_rounds,
                limit=MAX_SITE_ROUNDS,
            )

    def _rows_suffice(self) -> None:
        """Simulated sites share one data set out: what is left of it for the last site must be enough."""
        split, needed = self.data.split, self.data.rows_per_site
        num_rows = SAMPLES[self.sites[0].data.dataset].num_rows
        pool = int(num_rows * (1 - split.test_fraction - split.validation_fraction))
        left = pool - needed * (len(self.sites) - 1)
        # The split rounds class by class; a few rows more or less are the partition's to say.
        if left + ROUNDING_ROWS < needed:
            raise TooFewRows(site=self.sites[-1].name, rows=max(left, 0), side="training", needed=needed)

    def _model_fits_data(self) -> None:
        datasets = sorted({site.data.dataset for site in self.sites})
        if len(datasets) > 1:
            raise ModelMismatch(
                model=self.model.kind, needs="one data set at all sites",
                dataset=" + ".join(datasets), shape="various",
            )  # fmt: skip
        shape = SAMPLES[datasets[0]].shape
        if self.model.kind == "cnn" and len(shape) != 3:
            raise ModelMismatch(
                model="cnn", needs="images (channels, height, width)",
                dataset=datasets[0], shape=str(shape),
            )  # fmt: skip


def effective_spec(spec: PilotSpec, arm: str, amendments: Sequence[Amendment], round: int) -> ArmPlan:
    """How `arm` runs in `round`: the pilot's settings, then the arm's overrides, then the amendments
    with `from_round` <= `round`, in the order given.

    Raises:
        KeyError: no such arm.
    """
    own = spec.arm(arm)
    plan = ArmPlan(method=own.method, topology=spec.topology, train=spec.train, merge=spec.merge)
    plan = _patched(plan, Patch(topology=own.topology, train=own.train, merge=own.merge))
    for amendment in amendments:
        if amendment.from_round <= round and amendment.arm in (None, arm):
            plan = _patched(plan, amendment.patch)
    return plan


def spec_sha256(spec: PilotSpec) -> str:
    """Hex digest of the spec's canonical JSON: equal specs, equal digests, whatever they were read from."""
    canonical = json.dumps(spec.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def as_pydantic(error: DimatError, place: str = "") -> PydanticCustomError:
    """The error in the form in which pydantic collects it with its place: type = code, ctx = params.

    Args:
        place: the field below the one being validated that is to blame, where several were looked at together;
            it travels as `place` in ctx.
    """
    # The sentence goes in as a value: pydantic's own templates know no format specs such as {x:.6g}.
    context = {**error.params, "message": str(error), **({"place": place} if place else {})}
    return PydanticCustomError(error.code, "{message}", context)


@contextmanager
def _at(place: str) -> Iterator[None]:
    try:
        yield
    except DimatError as error:
        raise as_pydantic(error, place) from None


def _patched(plan: ArmPlan, patch: Patch) -> ArmPlan:
    """`plan` with what `patch` sets, validated anew."""
    changes = patch.model_dump(exclude_none=True)
    merged = plan.model_dump()
    for key, value in changes.items():
        # A topology is replaced whole: half of one and half of another means nothing.
        merged[key] = {**merged[key], **value} if key in ("train", "merge") else value
    return ArmPlan.model_validate(merged)


def _no_duplicates(thing: str, names: Sequence[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DuplicateName(thing=thing, name=name)
        seen.add(name)
