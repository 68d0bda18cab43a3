"""What a pilot sets of training and merging, and what an arm or an amendment may set anew. Frozen, and checked as far as a part can
be checked by itself."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from dimat.errors import ClassesCountedTwice, DeltasNeedCompression, LimitMissing, NumbersHaveNoClasses
from dimat.frozen import Frozen, Whole
from dimat.validation import as_pydantic

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
ClassLoss = Literal["cross_entropy", "balanced_softmax"]
Loss = Literal["cross_entropy", "balanced_softmax", "mse"]
ClassWeights = Literal["none", "balanced"]


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
    so that a site's class mix does not go into what it shares (Ren et al. 2020). `mse`: squared error, for targets that are numbers.
    `class_weights` `balanced`: each row counts by the inverse of its class's share of the site's own rows, n / (C n_c) with the C
    classes it holds; not with `balanced_softmax`, which makes up for the counts already.
    `patience`: training alone, and a round of more epochs than one, ends when the loss on the site's own validation rows has not
    fallen for so many epochs; the model of the best epoch is kept, with its momentum. None or 0: all epochs, and the last is kept.
    `own_model`: beside the model that it shares in, a site goes on training one alone, and for its own cases asks both (see
    `dimat.training.mixture`). Twice the training, nothing sent to other sites.
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

    def seeks_best(self, epochs: int) -> bool:
        """Whether training for so many epochs may end early and keeps the best one: of one epoch there is none to choose."""
        return bool(self.patience) and epochs > 1

    @model_validator(mode="after")
    def _counts_classes_once(self) -> Self:
        if self.loss == "mse" and self.class_weights != "none":
            raise as_pydantic(NumbersHaveNoClasses(class_weights=self.class_weights), "class_weights")
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


def _is_off(value: bool) -> bool:
    return not value


class WireSpec(Frozen):
    """How models travel from site to site. `numbers`: rounded to fewer bits; a site goes on with its own model as it is, and with
    `int8` adds what rounding left over to what it sends next (error feedback). `compress`: without loss, by shuffle and zstd;
    second moments, which travel as float32, too. `deltas`: in merges over neighbours a model is fetched as what differs from what its site
    sent last, where that is shorter and the receiver still has the latter; the same model comes out."""

    numbers: Numbers = "float32"
    compress: bool = False
    # Left out of JSON where it says nothing: digests of pilots from before it existed stay as they are.
    deltas: bool = Field(False, exclude_if=_is_off)

    @property
    def is_plain(self) -> bool:
        """Whether what travels is what is stored."""
        return self.numbers == "float32" and not self.compress

    @model_validator(mode="after")
    def _compresses_deltas(self) -> Self:
        if self.deltas and not self.compress:
            raise as_pydantic(DeltasNeedCompression(), "deltas")
        return self


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


WEEK_S = 7 * 86_400.0
HOUR_S = 3_600.0


class SilentSpec(Frozen):
    """What becomes of a run that waits for a site of which nothing is heard.

    `wait`: it waits, and fails when the site has been silent for `limit_s` seconds (a week where nothing is said; None: it waits for
    ever). `skip`: it then goes on without the site, whose weight goes to the model of whoever would have read it; when it is back, it
    takes over a neighbour's model. `stop`: it then ends. For the last two `limit_s` is an hour where nothing is said.
    """

    policy: Literal["wait", "skip", "stop"] = "wait"
    limit_s: Annotated[float, Field(ge=1.0, le=90 * 86_400.0)] | None = WEEK_S

    @model_validator(mode="before")
    @classmethod
    def _limit_of_policy(cls, given: Any) -> Any:
        if isinstance(given, dict) and "limit_s" not in given and given.get("policy", "wait") != "wait":
            return {**given, "limit_s": HOUR_S}
        return given

    @model_validator(mode="after")
    def _takes_effect(self) -> Self:
        if self.policy != "wait" and self.limit_s is None:
            raise as_pydantic(LimitMissing(policy=self.policy), "limit_s")
        return self


class TrainPatch(Frozen):
    """Fields of `TrainSpec` that may change within a pilot; None = unchanged. A loss for classes stays one."""

    epochs: Epochs | None = None
    lr: LearningRate | None = None
    batch_size: BatchSize | None = None
    momentum: Momentum | None = None
    weight_decay: WeightDecay | None = None
    grad_clip: GradClip | None = None
    loss: ClassLoss | None = None
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
