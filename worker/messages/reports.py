"""What comes up from a worker: *reports*.

They may arrive twice or late: (step_id, attempt, execution_id, seq) identifies one, and the coordinator binds an attempt to the first
execution that starts it. Of an error that is not ours a log tells the kind and the places in the code.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, TypeAdapter, model_validator

from dimat.packed import MOST_CHARS
from worker.messages.refs import (
    ArtifactRef,
    CheckpointRef,
    Count,
    DeltaRef,
    EpochsDone,
    Fraction,
    Name,
    Params,
    Seconds,
    Wire,
    is_none,
)


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
    delta: DeltaRef | None = Field(None, exclude_if=is_none)
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
