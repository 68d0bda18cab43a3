"""What goes down to a site: a *message* carries everything its step needs."""

from typing import Annotated, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from dimat.data_spec import DataSpec
from dimat.methods import Method, Moments
from dimat.model_spec import ModelSpec
from dimat.parts import EvaluationSpec, Loss, MergeSpec, TrainSpec, WireSpec
from dimat.spec import SiteSpec
from worker.messages.refs import ArtifactRef, CheckpointRef, DeltaRef, Wire, is_none

NO_STORE = "none"
"""In place of the identity of the server's store while the server has never seen it."""


class SiteContext(Wire):
    """Which rows a step works on: enough for the site to find its frozen snapshot again."""

    site: SiteSpec
    index: int
    num_sites: int
    site_names: tuple[str, ...]
    """All sites in the order of the spec: simulated sites share one data set out among them."""
    seed: int
    data: DataSpec
    evaluation: EvaluationSpec
    store_id: str | None = None
    """Of the server's store of models; a worker with another one would make models that nobody finds. `NO_STORE`: no worker has it."""
    fingerprint: str | None = None
    """What `prepare` reported; a step on other rows fails instead of training on changed data."""


class StepLimits(Wire):
    """Of the site's machine, as they are when the step is sent; None: no limit. `memory_mb`: of the process, in millions of bytes."""

    threads: Annotated[int, Field(ge=1)] | None = None
    memory_mb: Annotated[int, Field(ge=1)] | None = None


def _allows_all(limits: StepLimits) -> bool:
    return limits == StepLimits()


class _Step(Wire):
    step_id: str
    attempt: int
    pilot_id: str
    run_id: str | None
    """None for `prepare`, which all runs of (pilot, seed) share."""
    context: SiteContext
    model: ModelSpec
    wire: WireSpec = WireSpec()
    """How what the step makes travels to other sites."""
    residual: ArtifactRef | None = None
    """What rounding left over when the site last sent; None: nothing, or it sends nothing."""
    sent_before: ArtifactRef | None = Field(None, exclude_if=is_none)
    """As what the site's model travelled when it last sent; None: no difference to it is made."""
    limits: StepLimits = Field(StepLimits(), exclude_if=_allows_all)


class _Trains(_Step):
    """A step of epochs."""

    train: TrainSpec
    resume: CheckpointRef | None = None
    """How far an attempt that was lost had come; None: there was none, or it left nothing."""


class PrepareMessage(_Trains):
    kind: Literal["prepare"] = "prepare"


class AdoptMessage(_Step):
    """Go on with a neighbour's model: the site joins, or comes back, in `round`."""

    kind: Literal["adopt"] = "adopt"
    round: int
    source: "NeighbourRef"
    tell: Moments | None = None


class AlignMessage(_Step):
    """Permute the own model into the basis of `parent` (None: this site is the root, nothing changes), before the merge of `round`
    (0: before round 0)."""

    kind: Literal["align"] = "align"
    round: int = 0
    own: ArtifactRef
    momentum: ArtifactRef | None = None
    """What the optimiser of the round before left: reordered with the model, for the one that goes on with it."""
    parent: "NeighbourRef | None"
    merge: MergeSpec
    tell: Moments | None = None
    """Also make the second moments that the next merge needs."""


class NeighbourRef(Wire):
    """A model to fetch from a linked site, and its weight in the own row of W (0 for `align`); `moments`: the second moments
    to fetch with it, for methods that merge by them. `delta`: what to fetch instead where the site holds what it is against."""

    index: int
    name: str
    artifact: ArtifactRef
    weight: float
    moments: ArtifactRef | None = None
    delta: DeltaRef | None = Field(None, exclude_if=is_none)


class _Combines(_Step):
    """What every step of a merge knows."""

    round: int
    method: Method
    merge: MergeSpec
    own: ArtifactRef


class _Merges(_Combines):
    """A step that makes a merged model. `last_loss`: with which the models were trained (`dimat.told.last_loss`)."""

    before: ArtifactRef | None = None
    """The own model that the last merge made; None: `slowmo` starts afresh, or another method."""
    momentum: ArtifactRef | None = None
    """What the last merge left beside it (`ArmPlan.remembers`); None: the method starts afresh, or remembers nothing."""
    last_loss: Loss = "cross_entropy"


class MergeMessage(_Merges):
    """Take in the neighbours' models."""

    kind: Literal["merge"] = "merge"
    own_moments: ArtifactRef | None = None
    own_weight: float
    neighbours: tuple[NeighbourRef, ...]


class GatheredRef(Wire):
    """What the site itself has gathered: sums over all sites."""

    artifact: ArtifactRef
    moments: ArtifactRef | None = None


class GatherMessage(_Combines):
    """Add up the own model and what the children in the tree gathered (as `artifact` and `moments` of `branches`)."""

    kind: Literal["gather"] = "gather"
    branches: tuple[NeighbourRef, ...]


class MergeAllMessage(_Merges):
    """Take in all sites: from what the site, the root of the tree, has gathered, or from the parent's mean."""

    kind: Literal["merge_all"] = "merge_all"
    gathered: GatheredRef | None = None
    parent: NeighbourRef | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.gathered is None) == (self.parent is None):
            raise ValueError("a merge over all sites has one source: what was gathered, or the parent")
        return self


class TrainMessage(_Trains):
    kind: Literal["train"] = "train"
    round: int
    rounds: int
    own: ArtifactRef
    momentum: ArtifactRef | None = None
    """What the optimiser of the round before left; None: it starts afresh."""
    alone: ArtifactRef | None = None
    """The model that the site trains on alone, and below what its optimiser left; None: it trains none alone."""
    alone_momentum: ArtifactRef | None = None
    tell: Moments | None = None
    last_loss: Loss = "cross_entropy"


class EvaluateMessage(_Step):
    kind: Literal["evaluate"] = "evaluate"
    round: int
    own: ArtifactRef
    last_loss: Loss = "cross_entropy"


StepMessage = Annotated[
    PrepareMessage
    | AdoptMessage
    | AlignMessage
    | GatherMessage
    | MergeMessage
    | MergeAllMessage
    | TrainMessage
    | EvaluateMessage,
    Field(discriminator="kind"),
]
step_message: TypeAdapter[StepMessage] = TypeAdapter(StepMessage)
