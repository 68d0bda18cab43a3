"""What coordinator and workers say to each other: frozen, tagged, versionless JSON.

A *message* goes down to a site and carries everything its step needs; a *report* comes up. Reports
may arrive twice or late: (step_id, attempt, execution_id, seq) identifies one, and the coordinator binds
an attempt to the first execution that starts it. Neither carries data values or secrets; of an error that is not ours
a log tells the kind and the places in the code.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, model_validator

from dimat.data_spec import DataSpec
from dimat.methods import Method, Moments
from dimat.model_spec import ModelSpec
from dimat.packed import MOST_CHARS
from dimat.parts import EvaluationSpec, Loss, MergeSpec, TrainSpec, WireSpec
from dimat.spec import SiteSpec

# Bounds of what comes up: it goes into columns and sums, and PostgreSQL takes no NUL.
Name = Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\x00]*$")]
Text = Annotated[str, StringConstraints(max_length=20_000, pattern=r"^[^\x00]*$")]
Count = Annotated[int, Field(ge=0, lt=2**44)]
Seconds = Annotated[float, Field(ge=0, le=1e9)]
# Workers of earlier versions do not cut off what rounding put beyond 1.
Fraction = Annotated[float, Field(ge=0, le=1.00001)]
Params = dict[Name, Text | int | float | bool | None]


class Wire(BaseModel):
    # NaN would be sent as null and refused by who reads it: better said by who made it.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ArtifactRef(Wire):
    """Immutable bytes in the store."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    num_bytes: Count


class DeltaRef(ArtifactRef):
    """A difference in the store (`dimat.wire.deltas`). `against`: the name of what it is against."""

    against: str = Field(pattern=r"^[0-9a-f]{64}$")

    @property
    def artifact(self) -> ArtifactRef:
        """As the store knows it."""
        return ArtifactRef(sha256=self.sha256, num_bytes=self.num_bytes)


def _is_none(value: object) -> bool:
    return value is None


class EpochsDone(Wire):
    """How far a step that trains is. `asked`: at most so many follow each other; of both models where the site trains one alone, too."""

    done: Annotated[int, Field(ge=1, lt=2**31)]
    asked: Annotated[int, Field(ge=1, lt=2**31)]


class CheckpointRef(Wire):
    """Training after an epoch (`dimat.training.checkpoint`), in the store for the attempt that may have to follow. Nobody else reads it."""

    artifact: ArtifactRef
    epochs: EpochsDone


# --- coordinator -> worker -------------------------------------------------------------------------


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
    """Of the server's store of models; a worker with another one would make models that nobody finds."""
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
    sent_before: ArtifactRef | None = Field(None, exclude_if=_is_none)
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
    delta: DeltaRef | None = Field(None, exclude_if=_is_none)


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


# --- worker -> coordinator -------------------------------------------------------------------------


class Accuracies(Wire):
    """Fractions 0..1 on the site's model; None where the pilot does not measure it. `alone_share`: see `dimat.training.evaluate`."""

    own_site: Fraction
    all_site: Fraction | None
    validation: Fraction | None
    alone_share: Fraction | None = None


Purpose = Literal["align", "merge", "moments", "join", "difference"]


class ExchangeReport(Wire):
    """One artifact fetched over one link, whatever came of it: a model, or a sum or mean of models (`align`, `merge`, and `join` where the
    site goes on with it), or second moments (`moments`). A model that came as a difference is of the merge like any other; one from which the
    model could not be had is a `difference`, and the model was then fetched whole.

    `num_bytes` came over the link, `unknown_bytes` more at most: of a transfer that broke off nobody knows how far it had come.
    `wire_format`: numbers, "zstd" where they are compressed and "delta" where a difference came, as found in the bytes; None where they
    could not be read.
    `matched_correlation` -1..1 and `in_place_fraction` 0..1 are None where nothing was matched.
    `rejected` says why the model was not used (a code of the catalogue), its weight went to the own model.
    `failed` says why what was to be fetched did not come, or could not be read; unless it was a difference the attempt ended there.
    """

    from_index: Count
    to_index: Count
    purpose: Purpose
    num_bytes: Count
    unknown_bytes: Count = 0
    seconds: Seconds
    wire_format: Name | None = None
    matched_correlation: float | None = Field(default=None, ge=-1.00001, le=1.00001)
    in_place_fraction: Fraction | None = None
    rejected: Name | None = None
    failed: Name | None = None

    @model_validator(mode="after")
    def _says_why_a_difference_stands_by_itself(self) -> Self:
        if self.purpose == "difference" and self.failed is None:
            raise ValueError("a difference of which the model came is booked as the model")
        return self


class FetchDue(Wire):
    """What a step will fetch over a link; told before, so that of an attempt that dies it is known what it may have fetched."""

    from_index: Count
    purpose: Purpose
    num_bytes: Count


class MatchedReport(Wire):
    """What a merge found of its neighbours' units; the coordinator forgets it when the round has its number (`cycles`).

    `neighbours`: their indices, ascending. `data`: see `packed`.
    """

    num_units: Annotated[int, Field(ge=1, lt=2**24)]
    neighbours: tuple[Count, ...] = Field(min_length=1)
    data: str = Field(max_length=MOST_CHARS, pattern=r"^[A-Za-z0-9+/=]*$")

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        if list(self.neighbours) != sorted(set(self.neighbours)):
            raise ValueError("neighbours are not in ascending order")
        return self


MOST_LOG_LINES, MOST_LOG_CHARS, MOST_LOG_TEXT = 200, 32_768, 2_000
LogLevel = Literal["info", "warning", "error"]


class LogLine(Wire):
    at: datetime
    level: LogLevel
    text: Annotated[str, StringConstraints(max_length=MOST_LOG_TEXT, pattern=r"^[^\x00]*$")]


class StepLog(Wire):
    """What an attempt logged: the first lines and the last, between which `left_out` were dropped."""

    first: tuple[LogLine, ...] = Field(max_length=MOST_LOG_LINES // 2)
    last: tuple[LogLine, ...] = Field((), max_length=MOST_LOG_LINES // 2)
    left_out: Count = 0

    @model_validator(mode="after")
    def _is_short(self) -> Self:
        if sum(len(line.text) for line in (*self.first, *self.last)) > MOST_LOG_CHARS:
            raise ValueError(f"a log has at most {MOST_LOG_CHARS} characters")
        return self


class _Report(Wire):
    worker_id: Name
    at: datetime = Field(default_factory=lambda: datetime.now(UTC))


class _StepReport(_Report):
    step_id: Name
    attempt: Count
    execution_id: Name
    seq: int


class StepStarted(_StepReport):
    kind: Literal["started"] = "started"
    device: Name
    pid: int
    fetches: tuple[FetchDue, ...] = ()


class _StepEnd(_StepReport):
    log: StepLog | None = None
    """None: of a worker that does not tell, or of a process that was killed."""


class StepBeat(_StepReport):
    """Sent by a thread every few seconds while the step runs, and with each new checkpoint; `progress` 0..1.

    `checkpoint`: the latest that this execution left. `resumed`: where it went on; None: from the first epoch.
    `exchanges`: all that it has fetched so far. Also sent when it has fetched all, since it may die before its end.
    """

    kind: Literal["beat"] = "beat"
    progress: Fraction
    exchanges: tuple[ExchangeReport, ...] = ()
    checkpoint: CheckpointRef | None = None
    resumed: EpochsDone | None = None


class StepFinished(_StepEnd):
    kind: Literal["finished"] = "finished"
    artifact: ArtifactRef | None
    """What the step made; None for `evaluate` (it makes no model)."""
    momentum: ArtifactRef | None = None
    moments: ArtifactRef | None = None
    mean: ArtifactRef | None = None
    shared: ArtifactRef | None = None
    """The model as neighbours get it, where that differs from `artifact`."""
    residual: ArtifactRef | None = None
    delta: DeltaRef | None = Field(None, exclude_if=_is_none)
    alone: ArtifactRef | None = None
    alone_momentum: ArtifactRef | None = None
    num_epochs: Count | None = None
    """`prepare` and `train` only: how many epochs it took, fewer than asked for where training ended early."""
    resumed: EpochsDone | None = None
    """After which of them this attempt went on; None: it trained them all."""
    accuracies: Accuracies | None
    exchanges: tuple[ExchangeReport, ...] = ()
    matched: MatchedReport | None = None
    """`merge` only, by methods that match; None, too, where it would be too long."""
    uploaded_bytes: Count
    seconds: Seconds
    cpu_s: Seconds
    device: Name
    fingerprint: Name | None = None
    """`prepare` only: of the site's frozen rows."""
    num_rows: Count | None = None


class StepFailed(_StepEnd):
    """`retryable`: another attempt may succeed (store out of reach); else the run fails with this reason."""

    kind: Literal["failed"] = "failed"
    code: Name
    params: Params
    retryable: bool
    exchanges: tuple[ExchangeReport, ...] = ()
    seconds: Seconds
    cpu_s: Seconds | None = None
    """None: not known, as of a process that was killed."""


class StepCancelled(_StepEnd):
    kind: Literal["cancelled"] = "cancelled"
    exchanges: tuple[ExchangeReport, ...] = ()
    seconds: Seconds
    cpu_s: Seconds | None = None


class WorkerBeat(_Report):
    """A worker lives, serves these sites' queues and runs these steps."""

    kind: Literal["worker"] = "worker"
    placement: Literal["local", "site"]
    hostname: Name
    pid: int
    queues: tuple[Name, ...]
    device: Name
    concurrency: Count


class WorkerLost(_Report):
    """Said by a supervisor that saw its worker die: everything it ran or had taken is lost."""

    kind: Literal["worker_lost"] = "worker_lost"


class Wake(_Report):
    """Nothing to take in; look at the database now (the API committed a command)."""

    kind: Literal["wake"] = "wake"


Report = Annotated[
    StepStarted | StepBeat | StepFinished | StepFailed | StepCancelled | WorkerBeat | WorkerLost | Wake,
    Field(discriminator="kind"),
]
report: TypeAdapter[Report] = TypeAdapter(Report)


def site_queue(site_name: str) -> str:
    """The Celery queue of a site."""
    return f"site.{site_name}"


REPORTS_LIST = "awase:reports"
"""The Redis list on which reports travel up: pushed on the left, taken from the right."""


def cancel_key(run_id: str) -> str:
    """The Redis key that, while it exists, asks the steps of a run to stop; those that prepare are no run's."""
    return f"awase:cancel:{run_id}"


def recall_key(step_id: str, attempt: int) -> str:
    """The Redis key that, while it exists, says that this attempt of a step counts no more: it was taken back before it began, or nobody
    needs what it makes."""
    return f"awase:recall:{step_id}.{attempt}"
