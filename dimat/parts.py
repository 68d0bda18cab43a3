"""What a pilot sets, part by part: data, model, training, merging; and what an arm or an amendment may
set anew. Frozen, and checked as far as a part can be checked by itself."""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, Strict, StringConstraints, field_validator, model_validator
from pydantic_core import PydanticCustomError

from dimat.errors import ClassesCountedTwice, UnknownSample
from dimat.samples import SAMPLES
from dimat.validation import as_pydantic

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,62}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
# No control characters: databases refuse NUL in text, and a name of one line needs none of the others.
PLAIN = r"^[^\x00-\x1f]*$"
Method = Literal[
    "local_only",
    "plain_average",
    "federated_average",
    "dimat",
    "dimat_guarded",
    "weight_matching",
    "common_basis",
    "slowmo",
    "fisher",
    "regmean",
    "ridge_head",
]
# Of `true` or "3" nobody can say whether a number was meant.
Whole = Annotated[int, Strict()]
MIN_ROWS = 10
"""Training rows without which a site cannot take part."""
# Ranges of what a pilot sets and an arm or an amendment may set anew.
Epochs = Annotated[Whole, Field(ge=0, le=1000)]
LearningRate = Annotated[float, Field(gt=0.0, le=10.0)]
BatchSize = Annotated[Whole, Field(ge=1, le=65_536)]
Momentum = Annotated[float, Field(ge=0.0, lt=1.0)]
WeightDecay = Annotated[float, Field(ge=0.0, le=1.0)]
# Epochs; 0 lets an arm train on where its pilot stops early.
Patience = Annotated[Whole, Field(ge=0, le=10_000)]
GradClip = Annotated[float, Field(gt=0.0, le=1e6)]
MergeEvery = Annotated[Whole, Field(ge=1, le=10_000)]
Guard = Annotated[float, Field(ge=0.0, le=2.0)]
OffDiagonal = Annotated[float, Field(ge=0.0, le=1.0)]
Ridge = Annotated[float, Field(gt=0.0, le=100.0)]
CONTROL_METHOD: Method = "local_only"
ALIGNED_METHODS: frozenset[Method] = frozenset({"common_basis", "slowmo", "fisher", "regmean", "ridge_head"})
"""Sites align once, before round 0, or where an amendment brings in such a method: before its first merge."""
MATCHED_METHODS: frozenset[Method] = frozenset({"dimat", "dimat_guarded", "weight_matching"})
"""Each site matches its neighbours' units to its own at every merge."""
WARM_METHODS: frozenset[Method] = frozenset({"dimat_guarded", "weight_matching"})
"""To which it makes a difference where matching starts; the best pairing without a guard is the same from anywhere."""
SUMMED_METHODS: frozenset[Method] = ALIGNED_METHODS | {"plain_average", "federated_average"}
"""Their merge is a sum over sites, so that it can go over all of them."""
Over = Literal["neighbours", "tree", "star"]
"""Whose models a merge takes in: the neighbours', by W; all sites', up and down the spanning tree of the topology, or to and from
one site that is linked to all."""
Moments = Literal["gram", "fisher", "head"]
MOMENTS_OF: Mapping[Method, Moments] = {"regmean": "gram", "fisher": "fisher", "ridge_head": "head"}
"""What leaves a site beside its model for methods that merge by it: second moments of hidden features, or of gradients, or those of
the last features together with their sums for each class."""
Loss = Literal["cross_entropy", "balanced_softmax"]
ClassWeights = Literal["none", "balanced"]


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


class ColumnPartition(Frozen):
    """Each value of a column of the data set is a natural group (a person, a machine), and a site holds one or several of them.

    Sites take groups in ascending order of the values: one each, or with more groups than sites an equal number, the first sites
    one more where it does not come out even. Nothing depends on the seed but what `rows_per_site` leaves out.
    """

    kind: Literal["column"] = "column"
    column: Name


DrawnPartition = IidPartition | DirichletPartition | ShardsPartition
Partition = Annotated[DrawnPartition | ColumnPartition, Field(discriminator="kind")]


class NoShift(Frozen):
    """All sites see under the same conditions."""

    kind: Literal["none"] = "none"


class ConditionShift(Frozen):
    """Each site sees under a condition of its own, drawn evenly from these ranges by the run's seed and the site's place.

    `rotation`: images are turned by up to so many degrees to either side; 0 for other data. `contrast`: values lie up to so many
    times further from the mean, or nearer to it. `brightness`: up to so much is added or taken off. `noise`: normal noise of up to this
    deviation on each value. Brightness and noise are in deviations of the data, of each feature or channel.
    """

    kind: Literal["conditions"] = "conditions"
    rotation: float = Field(50.0, ge=0.0, le=180.0)
    contrast: float = Field(1.5, ge=1.0, le=10.0)
    brightness: float = Field(0.3, ge=0.0, le=10.0)
    noise: float = Field(0.8, ge=0.0, le=10.0)


Shift = Annotated[NoShift | ConditionShift, Field(discriminator="kind")]


class SplitSpec(Frozen):
    """A row's side (train, validation, test) follows from a keyed hash of the row, so it never changes. Windows of a recording
    overlap: they are split by time instead, the first to train, the last to test, and the key plays no part."""

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

    `rows_per_site`: training rows of each site; where sites are natural groups the most of each, as groups differ in size.
    `standardise`: features to mean 0, deviation 1. `shift`: how conditions differ between sites, with any partition.
    """

    partition: Partition = DirichletPartition()
    split: SplitSpec = SplitSpec()
    rows_per_site: Whole = Field(500, ge=MIN_ROWS, le=1_000_000)
    standardise: bool = True
    shift: Shift = NoShift()


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


# Times the channels of the published network.
WidthFactor = Annotated[float, Field(ge=1 / 16, le=16.0)]


class ResNet20Spec(Frozen):
    """ResNet-20 for small images, projections as shortcuts; `width` times 16, 32 and 64 channels."""

    kind: Literal["resnet20"] = "resnet20"
    width: WidthFactor = 1.0


class Vgg16BnSpec(Frozen):
    """VGG-16 with BatchNorm and one linear head; `width` times 64 to 512 channels."""

    kind: Literal["vgg16_bn"] = "vgg16_bn"
    width: WidthFactor = 1.0


class ResNet50Spec(Frozen):
    """ResNet-50 for small images, bottleneck blocks; `width` times 64 to 2,048 channels."""

    kind: Literal["resnet50"] = "resnet50"
    width: WidthFactor = 1.0


class Cnn1dSpec(Frozen):
    """Three convolutions along a series with BatchNorm and ReLU, one linear head; `width` = first channels."""

    kind: Literal["cnn1d"] = "cnn1d"
    width: Whole = Field(32, ge=1, le=512)


class VitSpec(Frozen):
    """Small vision transformer: `patch` pixels a side, `dim` features of each patch, `depth` blocks of `heads` heads.

    The patch must divide height and width of the images; the default divides 28 and 32.
    """

    kind: Literal["vit"] = "vit"
    patch: Whole = Field(4, ge=1, le=64)
    dim: Whole = Field(64, ge=2, le=1024)
    depth: Whole = Field(4, ge=1, le=24)
    heads: Whole = Field(4, ge=1, le=64)

    @model_validator(mode="after")
    def _heads_share_the_features(self) -> Self:
        if self.dim % self.heads:
            raise PydanticCustomError(
                "heads_do_not_divide",
                "{dim} features cannot be shared equally by heads, {heads} in number. "
                "Choose a number of features that is a multiple of it.",
                {"dim": self.dim, "heads": self.heads},
            )
        return self


ModelSpec = Annotated[
    MlpSpec | CnnSpec | ResNet20Spec | Vgg16BnSpec | ResNet50Spec | Cnn1dSpec | VitSpec,
    Field(discriminator="kind"),
]


def counts_classes_twice(loss: Loss, class_weights: ClassWeights) -> bool:
    """Whether a loss that makes up for unequal class counts meets weights that do so again. With weights the classes count the same
    already; the log prior that the loss adds would then leave logits that favour a class by the inverse of its share.

    Reference: Ren et al. 2020, "Balanced Meta-Softmax for Long-Tailed Visual Recognition".
    """
    return class_weights == "balanced" and loss == "balanced_softmax"


class TrainSpec(Frozen):
    """SGD with momentum. Learning rates fall by a cosine to a tenth of their start.

    `warmup_*` is the training alone before round 0; `epochs` and `lr` belong to each round, the cosine
    of `lr` runs over all rounds. `keep_momentum`: the optimiser's momentum lives on across rounds and merges, otherwise
    each round starts a fresh one. `balanced_softmax`: cross-entropy on logits + log prior of the site's own class counts,
    so that a site's class mix does not go into what it shares (Ren et al. 2020).
    `class_weights` `balanced`: each row counts by the inverse of its class's share of the site's own rows, n / (C n_c) with the C
    classes it holds; not with `balanced_softmax`, which makes up for the counts already.
    `patience`: training alone, and a round of more epochs than one, ends when the loss on the site's own validation rows has not
    fallen for so many epochs; the model of the best epoch is kept, with its momentum. None or 0: all epochs, and the last is kept.
    `own_model`: beside the model that it shares in, a site goes on training one alone, and for its own cases asks both (see
    `dimat.training.mixture`). Twice the training, nothing sent.
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
    class_weights: ClassWeights = "none"
    patience: Patience | None = None
    own_model: bool = False

    @model_validator(mode="after")
    def _counts_classes_once(self) -> Self:
        if counts_classes_twice(self.loss, self.class_weights):
            raise as_pydantic(ClassesCountedTwice(), "class_weights")
        return self


class ProbeSpec(Frozen):
    """The rows on which hidden units are compared: a seeded sample of the site's own training rows, and of each image at most
    `positions` places."""

    kind: Literal["own"] = "own"
    rows: Whole = Field(400, ge=8, le=100_000)
    positions: Whole = Field(16, ge=1, le=100_000)


Numbers = Literal["float32", "float16", "bfloat16", "int8"]


class WireSpec(Frozen):
    """How models travel from site to site. `numbers`: rounded to fewer bits; a site goes on with its own model as it is, and with
    `int8` adds what rounding left over to what it sends next (error feedback). `compress`: without loss, by shuffle and zstd;
    second moments, which travel as float32, too."""

    numbers: Numbers = "float32"
    compress: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether what travels is what is stored."""
        return self.numbers == "float32" and not self.compress


class MergeSpec(Frozen):
    """When and how models are merged. A round merges when it is a multiple of `merge_every`.

    `align`: the methods of a common basis bring all sites into it before round 0, or before their first merge where an amendment
    brings them in; without, units are taken to mean the same everywhere already, as after a common start. `off_diagonal` and `ridge`: how far `regmean` trusts second moments (see there;
    `fisher` knows the ridge, too). `slow_momentum`: how much of its last movement `slowmo` goes on with. `final_merge`: the last
    round merges and trains no more, so that what comes out is what the sites share; the arm trains one round less for it.
    `ridge_head`: the last two rounds only merge, first the models and then the head in closed form (see the method); two rounds less.
    `over` `tree`: methods whose merge is a sum take it over all sites, up and down the spanning tree, each site counting the same,
    whatever W: 2 (N - 1) models on their way instead of one for each link and direction. Others keep to their neighbours.
    `warm_start`: a site remembers the permutations of its last merge, and `dimat_guarded` and `weight_matching` start from them.
    """

    merge_every: MergeEvery = 1
    over: Literal["neighbours", "tree"] = "neighbours"
    wire: WireSpec = WireSpec()
    probe: ProbeSpec = ProbeSpec()
    guard: Guard = 0.2
    align: bool = True
    off_diagonal: OffDiagonal = 0.9
    ridge: Ridge = 0.01
    slow_momentum: Momentum = 0.5
    final_merge: bool = False
    ridge_head: bool = False
    warm_start: bool = False


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
    class_weights: ClassWeights | None = None
    patience: Patience | None = None
    own_model: bool | None = None


class MergePatch(Frozen):
    """Fields of `MergeSpec`; None = unchanged."""

    merge_every: MergeEvery | None = None
    over: Literal["neighbours", "tree"] | None = None
    wire: WireSpec | None = None
    probe: ProbeSpec | None = None
    guard: Guard | None = None
    align: bool | None = None
    off_diagonal: OffDiagonal | None = None
    ridge: Ridge | None = None
    slow_momentum: Momentum | None = None
    final_merge: bool | None = None
    ridge_head: bool | None = None
    warm_start: bool | None = None
