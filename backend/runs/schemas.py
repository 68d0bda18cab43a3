"""HTTP bodies of runs, their steps and their result."""

from datetime import datetime
from typing import Literal

from backend.text.schemas import Schema, Text
from backend.web import Page

RunState = Literal[
    "queued", "running", "pausing", "paused", "resuming", "cancelling", "cancelled", "completed", "failed"
]
StepState = Literal[
    "waiting", "ready", "dispatched", "running", "completed", "failed", "lost", "skipped", "cancelled"
]
RunSort = Literal[
    "created_at", "-created_at", "arm", "-arm", "method", "-method", "state", "-state",
    "bytes_exchanged", "-bytes_exchanged",
]  # fmt: skip


class Run(Schema):
    """One execution of one arm with one seed.

    `own_site_mean`, `all_site_mean`: fractions after the last round all sites finished, each site weighing
    the same. `seconds`: from start to end, or until now. `progress`: `progress.<code>` of the catalogue.
    """

    id: str
    pilot_id: str
    pilot_name: str
    pilot_title: str
    arm: str
    method: str
    seed: int
    state: RunState
    reason: Text | None
    rounds: int
    rounds_done: int
    num_sites: int
    bytes_exchanged: int
    bytes_uploaded: int
    bytes_evaluation: int
    bytes_wasted: int
    busy_s: float
    cpu_s: float
    gpu_s: float
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None
    own_site_mean: float | None
    all_site_mean: float | None
    progress: Text
    revision: int


class RunPage(Page[Run]):
    pass


class Step(Schema):
    """One unit of work of a run. State `waiting`: not started, because the sites in `waits_for` have not
    finished what it needs (only listed when a round is asked for; such a step has no id yet).
    `num_epochs`: how many epochs a finished step trained, fewer than asked for where training ended early; null for steps that do
    not train. `words`: `steps.<code>` of the catalogue."""

    id: str | None
    round: int
    kind: str
    site_index: int
    site_name: str
    display_name: str
    state: StepState
    attempt: int
    progress: float
    device: str | None
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None
    num_epochs: int | None
    next_try_at: datetime | None
    artifact_sha256: str | None
    reason: Text | None
    waits_for: list[str]
    words: Text


class StepPage(Page[Step]):
    pass


class AccuracyOfSites(Schema):
    """Fractions; the mean weighs every site the same."""

    mean: float
    by_site: dict[str, float]


class Accuracies(Schema):
    """`all_site` is null where the pilot does not measure it, or not all sites have reported yet."""

    all_site: AccuracyOfSites | None
    own_site: AccuracyOfSites | None


class RoundResult(Schema):
    """`cycle_inconsistency`: mean share of hidden units that do not come back to themselves when the sites' matches are followed
    around the cycles of the topology, 0..1; null where nothing was matched, or not all sites told."""

    round: int
    merged: bool
    after_merge: Accuracies | None
    after_train: Accuracies | None
    cycle_inconsistency: float | None


class RunResult(Schema):
    """`final_artifacts`: sha256 of each site's model at the end, by site name."""

    arm: str
    method: str
    seed: int
    state: RunState
    reason: Text | None
    rounds: list[RoundResult]
    bytes_exchanged: int
    bytes_uploaded: int
    bytes_evaluation: int
    bytes_wasted: int
    busy_s: float
    seconds: float | None
    final_artifacts: dict[str, str]


class ResultPilot(Schema):
    name: str
    spec_sha256: str
    sites: list[str]
    rounds: int


class Result(Schema):
    """A whole pilot, in the shape that `demo --json` and `simulate --json` write."""

    pilot: ResultPilot
    runs: list[RunResult]
