"""HTTP bodies of runs, their steps and their result."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from backend.text.schemas import Schema, Text
from backend.web import Page
from dimat.absence import RunAbsence
from dimat.frozen import PLAIN, Name, Whole
from dimat.plan import Amendment, Patch, check_members
from dimat.spec import PilotSpec

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


class UndoneStep(Schema):
    """A step that a site owed."""

    round: int
    kind: str


class Absence(Schema):
    """A site that the run went on without, as it was silent: in the rounds from `from_round` up to `until_round`, in which it came back;
    null: not yet, or never. `undone`: steps before that it never did. `at`: when it was left out; `back_at`: when it was taken back."""

    site: str
    display_name: str
    from_round: int
    until_round: int | None
    undone: list[UndoneStep]
    at: datetime
    back_at: datetime | None


class MethodFrom(Schema):
    """The method of a run from a round on."""

    round: int
    method: str


class Run(Schema):
    """One execution of one arm with one seed.

    `method`: as its arm was launched; `methods_since`: those that followed by amendments that are in force, in the order of rounds.
    `own_site_mean`, `all_site_mean`: fractions after the last round all sites finished, each site weighing
    the same; `mean_over`: over how many, as sites that were left out or take no part have no value. `rounds_done`: that last round; -1: not
    even the start state (round 0) is finished everywhere. `seconds`: from start to end, or until now. `progress`: `progress.<code>` of the
    catalogue. `reason`: how it ended, or
    who asked for its state. `parent_run_id`: it goes on after the round `from_round` of that run, whose work up to then is
    its own, too; `restarted` (`reasons.<code>` of the catalogue): by whom, when and why, where that is known. `replaced_by`: the run
    that took its place when it was restarted; `counts_instead`: the one that counts now, another where that was restarted, too. `next_round` of the pilot is due at `next_round_at`, where it has a
    timetable and the run is at work; a time that is over waits for runs that have not done the round before.
    `bytes_exchanged` and `bytes_wasted` add up to the total of the run's ledger: what was of use, and what is `wasted` there (of rounds that do
    not stand since the run was restarted, too).
    """

    id: str
    pilot_id: str
    pilot_name: str
    pilot_title: str
    arm: str
    method: str
    methods_since: list[MethodFrom]
    seed: int
    state: RunState
    reason: Text | None
    parent_run_id: str | None
    from_round: int | None
    restarted: Text | None
    replaced_by: str | None
    counts_instead: str | None
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
    mean_over: int | None
    progress: Text
    next_round: int | None
    next_round_at: datetime | None
    absences: list[Absence]
    revision: int


class RunPage(Page[Run]):
    pass


class Why(Schema):
    """Why somebody asks, in their words; it is shown beside who and when."""

    why: str | None = Field(None, max_length=500, pattern=r"^[^\x00]*$")


class Restart(Why):
    """`from_round`: the last round that stands; 0 is the start state."""

    from_round: int = Field(ge=0, le=100_000)


class RunsAsked(Schema):
    """How many runs of a pilot an ask has moved; 0 when it had been asked before."""

    num_runs: int


class EpochsDone(Schema):
    """Epochs of a step that are done, of those asked for; of both models where the site trains one alone, too."""

    done: int
    asked: int


class Step(Schema):
    """One unit of work of a run. State `waiting`: not started, because the sites in `waits_for` have not
    finished what it needs (only listed when a round is asked for; such a step has no id yet). `waits_until`: it does not begin before.
    `num_epochs`: how many epochs a finished step trained, fewer than asked for where training ended early; null for steps that do
    not train. `behind` (`explain.wait.<code>` of the catalogue): whose steps the site works at before this one, which is ready or sent; null: it
    is about to begin. `resumed`: after which epoch of a lost attempt this one goes on; null: it trains from the first. `words`: `steps.<code>` of the catalogue."""

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
    resumed: EpochsDone | None
    next_try_at: datetime | None
    artifact_sha256: str | None
    reason: Text | None
    waits_for: list[str]
    waits_until: datetime | None
    behind: Text | None
    words: Text


class StepPage(Page[Step]):
    pass


class LoggedLine(Schema):
    at: datetime
    level: Literal["info", "warning", "error"]
    text: str


class StepLogs(Schema):
    """What one attempt of a step logged at its site: the first lines and the last, between which `left_out` were dropped. `attempts`: the
    present one; `logged`: those that told theirs. `is_known` false: the attempt runs yet, its worker died, or it is of an older version."""

    step_id: str
    state: StepState
    attempt: int
    attempts: int
    logged: list[int]
    is_known: bool
    first: list[LoggedLine]
    last: list[LoggedLine]
    left_out: int


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
    """`amendments`: those in force, as `[[amendments]]` of a pilot file has them, each with the runs that count and that it came too late
    for (`left_out`). `absences`: without which sites the runs that count went on. With
    `spec` they are all that `awase simulate` needs."""

    name: str
    spec_sha256: str
    sites: list[str]
    rounds: int
    spec: PilotSpec
    amendments: list[Amendment]
    absences: list[RunAbsence]


class Result(Schema):
    """A whole pilot, in the shape that `demo --json` and `simulate --json` write."""

    pilot: ResultPilot
    runs: list[RunResult]


class AmendmentCreate(Schema):
    """`arm` null: every arm, of the control arm only how it trains. `from_round` null: the next round if
    what was sent for it fits the change, otherwise the one after it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"patch": {"merge": {"merge_every": 5}}, "why": "Weekly merges show little more."}]
        }
    )

    arm: Name | None = None
    from_round: Annotated[Whole, Field(ge=1, le=100_000)] | None = None
    patch: Patch
    why: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000, pattern=PLAIN)
    ]

    @model_validator(mode="after")
    def _can_be_an_amendment(self) -> Self:
        check_members(self.arm, self.patch)
        return self


AmendmentState = Literal["asked", "in_force", "refused"]


class LimitedSite(Schema):
    """A site that trains no more than `epochs` in a round, whatever is asked for: its own limit at the launch."""

    site: str
    display_name: str
    epochs: int


class SettingChange(Schema):
    """One setting, by its dotted place in a pilot's spec; `old` and `new` are null where it is no single value. `stays`: it is as it was
    in the round before, and would be `otherwise` without this amendment. `limited`: of the epochs of a round the sites that take part and train fewer than `new`."""

    field: str
    old: str | int | float | bool | None
    new: str | int | float | bool | None
    stays: bool
    otherwise: str | int | float | bool | None
    limited: list[LimitedSite]


class ArmChanges(Schema):
    """What changes from `round` on, the same in all of these arms."""

    round: int
    arms: list[str]
    settings: list[SettingChange]


class Overruled(Schema):
    """Of these arms another amendment, made later, decides the settings `fields` instead: it is in force from `from_round` on, asked for
    by `by`."""

    arms: list[str]
    fields: list[str]
    amendment_id: str
    from_round: int
    by: str


class ComparisonEnd(Schema):
    """From `round` on the arm and the control arm are trained differently, so that a difference is no merit of merging."""

    arm: str
    round: int


class RunOfArm(Schema):
    run_id: str
    arm: str
    seed: int


class PilotAmendment(Schema):
    """A change to a launched pilot. While it is `asked`, `from_round` is when it is expected to begin; the coordinator decides, and says
    in `reason` (`errors.<code>` of the catalogue) why it cannot. `changes`: what is, or will be, in force because of it when all amendments
    are in their order; of a refused one, what it would have changed. `overruled`: where another one decides instead. `left_out`: runs that
    had ended, or were in their last round, count, and are as they were. `begun`: it is in force, and some run that counts has got to its first round.
    `ahead`: once it is in force, the runs that have not and go on; `missed`: those that ended before it."""

    id: str
    arm: str | None
    state: AmendmentState
    asked_round: int | None
    from_round: int | None
    patch: Patch
    changes: list[ArmChanges]
    overruled: list[Overruled]
    comparison_ends: list[ComparisonEnd]
    left_out: list[RunOfArm]
    begun: bool
    ahead: list[RunOfArm]
    missed: list[RunOfArm]
    reason: Text | None
    by: str
    why: str
    at: datetime
    decided_at: datetime | None


class PlanFrom(Schema):
    """How an arm runs from a round on: `settings` by their dotted places, those that are single values; who takes part."""

    from_round: int
    settings: dict[str, str | int | float | bool | None]
    members: list[str]


class ArmNow(Schema):
    """`next_round`: from which on an amendment of the arm may count as things stand, if it leaves what was sent for that round as it is;
    null: no round is left, or its runs have ended. `first_free_round`: the same for any amendment, the next round or the one after it;
    null: none is left. `plans`: how it runs from the next round on, in the order of rounds."""

    arm: str
    next_round: int | None
    first_free_round: int | None
    plans: list[PlanFrom]


class Amendable(Schema):
    """What an amendment would begin with, in the order of the arms; none of a pilot that is not launched."""

    arms: list[ArmNow]


class PilotAmendmentPage(Page[PilotAmendment]):
    pass
