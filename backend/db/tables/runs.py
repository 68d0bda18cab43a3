"""Runs, their steps and what came of them. Written by the coordinator; the API only asks for a state."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    case,
    text,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base, new_id, utc_now

_COUNTING = text("replaced_by IS NULL")


class RunRow(Base):
    """One execution of one arm with one seed.

    `state`: queued | running | paused | pausing | resuming | cancelling | cancelled | completed | failed.
    `reason`: {"code", "params"} of the end, or of who asked for the state. `revision` changes with every change of the run or its steps.
    """

    __tablename__ = "runs"
    __table_args__ = (
        Index("ix_runs_state_created_at", "state", "created_at"),
        # Of one arm and seed one run counts.
        Index(
            "ix_runs_arm_id_seed",
            "arm_id",
            "seed",
            unique=True,
            sqlite_where=_COUNTING,
            postgresql_where=_COUNTING,
        ),
        Index("ix_runs_parent_run_id_restart_key", "parent_run_id", "restart_key", unique=True),
    )
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    pilot_id: Mapped[str] = mapped_column(ForeignKey("pilots.id", ondelete="CASCADE"), index=True)
    arm_id: Mapped[str] = mapped_column(ForeignKey("arms.id", ondelete="CASCADE"), index=True)
    arm: Mapped[str]
    method: Mapped[str]
    seed: Mapped[int]
    rounds: Mapped[int]
    num_sites: Mapped[int]
    state: Mapped[str] = mapped_column(default="queued")
    reason: Mapped[dict[str, Any] | None]
    parent_run_id: Mapped[str | None]
    """The run after whose round `from_round` this one goes on; its steps up to then are copied (`coordinator.restart_repository`)."""
    from_round: Mapped[int | None]
    restart_key: Mapped[str | None]
    """The Idempotency-Key of the restart."""
    replaced_by: Mapped[str | None]
    """The run that counts in its place since it was restarted; None: it counts."""
    rounds_done: Mapped[int] = mapped_column(default=0)
    """The last round that all sites have finished; -1 before the start state is evaluated everywhere."""
    bytes_exchanged: Mapped[int] = mapped_column(BigInteger, default=0)
    bytes_uploaded: Mapped[int] = mapped_column(BigInteger, default=0)
    bytes_evaluation: Mapped[int] = mapped_column(BigInteger, default=0)
    bytes_wasted: Mapped[int] = mapped_column(BigInteger, default=0)
    busy_s: Mapped[float] = mapped_column(default=0.0)
    cpu_s: Mapped[float] = mapped_column(default=0.0)
    gpu_s: Mapped[float] = mapped_column(default=0.0)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    started_at: Mapped[datetime | None]
    resumed_at: Mapped[datetime | None]
    """When it went on after its last pause; None: it had none."""
    finished_at: Mapped[datetime | None]
    revision: Mapped[int] = mapped_column(default=1)


def gpu_seconds(device: str | None, seconds: float | None) -> float:
    """Of a step, or of one of its attempts, that ran for `seconds`."""
    return (seconds or 0.0) if (device or "").startswith("cuda") else 0.0


class StepRow(Base):
    """One unit of work. `run_id` None: a `prepare`, shared by all runs of (pilot, seed).

    `state`: ready | dispatched | running | completed | failed | lost | skipped | cancelled.
    `lost` is a moment: the reaper makes the next attempt of the same row.
    """

    __tablename__ = "steps"
    __table_args__ = (
        UniqueConstraint("pilot_id", "seed", "run_key", "round", "kind", "site_index"),
        Index("ix_steps_state_heartbeat_at", "state", "heartbeat_at"),
        Index("ix_steps_run_id_round", "run_id", "round"),
    )
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    pilot_id: Mapped[str] = mapped_column(ForeignKey("pilots.id", ondelete="CASCADE"))
    run_id: Mapped[str | None] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    run_key: Mapped[str] = mapped_column(default="")
    """run_id, or '' for `prepare`: NULLs would not count as equal in the unique constraint."""
    seed: Mapped[int]
    round: Mapped[int]
    kind: Mapped[str]
    site_index: Mapped[int]
    site_name: Mapped[str]
    state: Mapped[str] = mapped_column(default="ready")
    attempt: Mapped[int] = mapped_column(default=1)
    taken_back: Mapped[int] = mapped_column(default=0)
    """Attempts that were taken back before they began: they count against nothing."""
    strikes: Mapped[int] = mapped_column(default=0)
    """Attempts that came to nothing for a reason of its own or its worker's; a store that is away is none."""
    execution_id: Mapped[str | None]
    worker_id: Mapped[str | None]
    device: Mapped[str | None]
    progress: Mapped[float] = mapped_column(default=0.0)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    dispatched_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    next_try_at: Mapped[datetime | None]
    seconds: Mapped[float | None]
    cpu_s: Mapped[float | None]
    wasted_cpu_s: Mapped[float] = mapped_column(default=0.0)
    """Of attempts that came to nothing, as is `wasted_gpu_s`; as far as known (`coordinator.endings.in_vain`)."""
    wasted_gpu_s: Mapped[float] = mapped_column(default=0.0)
    unmeasured_attempts: Mapped[int] = mapped_column(default=0)
    """Those of the attempts that came to nothing that did not say how long they ran."""
    artifact_sha256: Mapped[str | None]
    artifact_bytes: Mapped[int | None] = mapped_column(BigInteger)
    extras: Mapped[dict[str, Any] | None]
    """What it made beside the model: {"momentum" | "moments" | "mean" | "shared" | "residual" | "delta" | "alone" | "alone_momentum": {"sha256", "num_bytes"}};
    of "delta" also "against", the sha256 of what it is a difference from."""
    matched: Mapped[str | None] = mapped_column(Text, deferred=True)
    """What a merge found of its neighbours' units (`MatchedReport` as JSON), until its round has its number; only then looked at."""
    num_epochs: Mapped[int | None]
    """Trained in this step; None for a step that does not train, or of a worker that does not tell."""
    checkpoint: Mapped[dict[str, Any] | None]
    """The latest of a step that trains and has not ended (`CheckpointRef` as JSON), and "attempt", the one that left it."""
    resumed: Mapped[dict[str, Any] | None]
    """Where the attempt went on (`EpochsDone` as JSON); None: from the first epoch."""
    fetches: Mapped[dict[str, Any] | None]
    """Of an attempt that runs: "due", what it fetches over links (`FetchDue` as JSON), and "told", what it has fetched so far
    (`ExchangeReport` as JSON); booked if it dies (`coordinator.ledger`)."""
    fingerprint: Mapped[str | None]
    reason: Mapped[dict[str, Any] | None]

    @hybrid_property
    def gpu_s(self) -> float:
        """A step on a GPU holds the device for all its seconds; its processor seconds (`cpu_s`) count besides.
        Counters of runs and ROI both take it from here."""
        return gpu_seconds(self.device, self.seconds)

    @gpu_s.inplace.expression
    @classmethod
    def _gpu_s(cls) -> ColumnElement[Any]:
        return case((cls.device.like("cuda%"), cls.seconds), else_=0.0)


class StepLogRow(Base):
    """What an attempt of a step logged (`worker.messages.reports.StepLog` as JSON)."""

    __tablename__ = "step_logs"
    step_id: Mapped[str] = mapped_column(ForeignKey("steps.id", ondelete="CASCADE"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=utc_now)
    body: Mapped[dict[str, Any]]


class MetricRow(Base):
    """Accuracies (fractions) of one site's model at one point of a run.

    One row a point: fine to about 1e6 points; packed chunks come when a pilot needs more.
    `phase`: after_merge | after_train (round 0: the start state counts as after_train).
    """

    __tablename__ = "metrics"
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True)
    phase: Mapped[str] = mapped_column(primary_key=True)
    site_index: Mapped[int] = mapped_column(primary_key=True)
    own_site: Mapped[float]
    all_site: Mapped[float | None]
    validation: Mapped[float | None]
    alone_share: Mapped[float | None]
    """Of the model trained alone in what the site answers for its own cases; None where none is."""


class RoundRow(Base):
    """What is known of a round of a run as a whole. `cycle_inconsistency` 0..1: see `dimat.cycles`."""

    __tablename__ = "rounds"
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True)
    cycle_inconsistency: Mapped[float]


class RoundTimerRow(Base):
    """When a round of a pilot with a timetable is due, the same for all its runs. `opened_at` None: it may not begin yet, and is the
    one that comes next; no later one has a row. Rounds open in order.
    """

    __tablename__ = "round_timers"
    pilot_id: Mapped[str] = mapped_column(ForeignKey("pilots.id", ondelete="CASCADE"), primary_key=True)
    round: Mapped[int] = mapped_column(primary_key=True)
    set_at: Mapped[datetime] = mapped_column(default=utc_now)
    """`due_at` is the first time of the timetable after it."""
    due_at: Mapped[datetime]
    opened_at: Mapped[datetime | None]


class AbsenceRow(Base):
    """A site that a run went on without, as it had fallen silent (`dimat.absence`): in the rounds from `from_round` up to `until_round`,
    in which it comes back; None: it has not yet. `undone`: [round, kind] of steps that it never did."""

    __tablename__ = "absences"
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), index=True)
    site_index: Mapped[int]
    site_name: Mapped[str]
    from_round: Mapped[int]
    until_round: Mapped[int | None]
    undone: Mapped[list[Any]]
    at: Mapped[datetime] = mapped_column(default=utc_now)
    back_at: Mapped[datetime | None]


class ExchangeRow(Base):
    """One artifact fetched over one link: a row of the byte ledger.

    `purpose`, for what it was fetched: align | join (the model that a site goes on with as it joins) | merge (models, their sums or
    mean) | moments (second moments, to merge by) | difference (one from which the model could not be had, which was fetched whole then).
    `result`: accepted | rejected by the merge | failed (it did not come, or not whole) | wasted (its attempt did not count) | unconfirmed
    (its attempt died and did not tell whether it had fetched it). `rejected`: the code of why it was rejected or failed.
    `num_bytes` came over the link; `unknown_bytes`: at most so many more, of a transfer that broke off or is unconfirmed.
    """

    __tablename__ = "exchanges"
    __table_args__ = (Index("ix_exchanges_run_id_round", "run_id", "round"),)
    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    step_id: Mapped[str] = mapped_column(ForeignKey("steps.id", ondelete="CASCADE"))
    attempt: Mapped[int]
    round: Mapped[int]
    from_index: Mapped[int]
    to_index: Mapped[int]
    purpose: Mapped[str]
    result: Mapped[str]
    num_bytes: Mapped[int] = mapped_column(BigInteger)
    unknown_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    seconds: Mapped[float]
    wire_format: Mapped[str | None]
    """Numbers, "zstd" where compressed, "delta" where a difference: "float32", "int8+zstd", "bfloat16+zstd+delta". None: not known, as of rows of earlier versions."""
    matched_correlation: Mapped[float | None]
    in_place_fraction: Mapped[float | None]
    rejected: Mapped[str | None]


class ArtifactRow(Base):
    """Provenance of bytes in the store: which step made them first. `removed_at`: since when nobody needs them and they are not kept
    any more (`backend.retention`); None: they are."""

    __tablename__ = "artifacts"
    sha256: Mapped[str] = mapped_column(primary_key=True)
    num_bytes: Mapped[int] = mapped_column(BigInteger)
    step_id: Mapped[str] = mapped_column(ForeignKey("steps.id", ondelete="CASCADE"), index=True)
    site_name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    removed_at: Mapped[datetime | None]


class EventRow(Base):
    """A line of a run's or pilot's public log, streamed to browsers. Only the coordinator writes it, so
    that ids appear in order and a reader of `id > last` misses none."""

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_run_id_id", "run_id", "id"),
        Index("ix_events_pilot_id_id", "pilot_id", "id"),
    )
    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(default=utc_now)
    pilot_id: Mapped[str | None]
    run_id: Mapped[str | None]
    code: Mapped[str]
    params: Mapped[dict[str, Any]] = mapped_column(default=dict)


class HeartbeatRow(Base):
    """When a long-lived part of the server (coordinator, workers) was last alive, for /health."""

    __tablename__ = "heartbeats"
    part: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=utc_now)
    params: Mapped[dict[str, Any]] = mapped_column(default=dict)


class BreakRow(Base):
    """A time in which nobody coordinated, and so no site was heard."""

    __tablename__ = "breaks"
    id: Mapped[int] = mapped_column(primary_key=True)
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime]


class StoreRow(Base):
    """The store of models that this database refers to: one row at most."""

    __tablename__ = "stores"
    identity: Mapped[str] = mapped_column(primary_key=True)
