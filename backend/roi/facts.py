"""Measured facts of a pilot's runs as plain values: what calculator, figures and summary work on.

Nothing here knows the database, money or a language. "Complete" always means: every site that takes part has a value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from backend.pilots.assumptions import Assumptions
from backend.runs import away
from backend.runs.schemas import ArmChanges
from dimat.absence import Absence

Phase = away.Phase
Measure = Literal["own_site", "all_site"]
Values = tuple[float | None, ...]
"""By site."""

ENDED_EARLY = frozenset({"failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class SiteLabel:
    """A site as it is called on pages; `label` is unique within the pilot."""

    name: str
    label: str


@dataclass(frozen=True, slots=True)
class Point:
    """Accuracies (fractions) of all sites at one point of a run, in the order of the pilot's sites. `away`: indices of those that
    take no part in it, by plan or as they fell silent."""

    round: int
    phase: Phase
    own_site: Values
    all_site: Values
    away: frozenset[int] = frozenset()

    def of(self, measure: Measure) -> Values:
        return self.own_site if measure == "own_site" else self.all_site

    def complete(self, measure: Measure) -> Values | None:
        """One value per site, None for those that take no part; or None while a site's is missing."""
        values = self.of(measure)
        missing = {site for site, value in enumerate(values) if value is None}
        return values if missing <= self.away and len(missing) < len(values) else None


@dataclass(frozen=True, slots=True)
class Usage:
    """What one site spent in one round: processor seconds, and bytes it fetched over links. All of it, also what led to
    nothing; how much of it that was is said besides, for attempts as far as they told it.

    Attributes:
        unmeasured: attempts that came to nothing and of which only the time up to their last sign of life is known.
    """

    cpu_s: float = 0.0
    gpu_s: float = 0.0
    num_bytes: int = 0
    wasted_cpu_s: float = 0.0
    wasted_gpu_s: float = 0.0
    wasted_bytes: int = 0
    unmeasured: int = 0


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes over links, of one round and purpose or of one link. `wasted`: the attempt did not count."""

    accepted_bytes: int
    wasted_bytes: int


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One run. `points` are in the order of time (after_merge before after_train).

    Attributes:
        usage: (round, site index) -> usage; absent = nothing spent.
        by_round: (round, purpose) -> traffic. by_link: (from index, to index) -> traffic.
        absences: of sites that the run went on without, as they were silent.
        comparison_ends: the round from which on an amendment lets it train otherwise than the control arm's run of its seed.
        stopped_by: of a run that somebody cancelled when that was asked for; of runs that were cancelled in one go the same. Else empty.
    """

    id: str
    arm: str
    method: str
    seed: int
    state: str
    rounds: int
    rounds_done: int
    revision: int
    bytes_exchanged: int
    busy_s: float
    points: tuple[Point, ...]
    usage: Mapping[tuple[int, int], Usage]
    by_round: Mapping[tuple[int, str], Traffic]
    by_link: Mapping[tuple[int, int], Traffic]
    comparison_ends: int | None = None
    absences: tuple[Absence, ...] = ()
    stopped_by: str = ""

    @property
    def ended_early(self) -> bool:
        return self.state in ENDED_EARLY

    @property
    def ended(self) -> bool:
        return self.ended_early or self.state == "completed"

    def after_train(self, measure: Measure) -> dict[int, Values]:
        """Round -> one accuracy per site after training, complete rounds only."""
        return {
            point.round: values
            for point in self.points
            if point.phase == "after_train" and (values := point.complete(measure)) is not None
        }


@dataclass(frozen=True, slots=True)
class ArmLabel:
    """`trains_otherwise`: it was launched with other settings of training than the control arm."""

    name: str
    method: str
    trains_otherwise: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """An amendment in force, for charts: what it changes in a round. `left_out`: ids of runs that had ended before. `at`: when it was
    asked for."""

    round: int
    changes: tuple[ArmChanges, ...]
    by: str
    why: str
    left_out: frozenset[str] = frozenset()
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PilotFacts:
    """A pilot and its runs, one of each arm and seed. `arms` and `sites` are in the order of the spec.

    Attributes:
        all_site_measured: the pilot has an all-site value. simulated: it comes from shared rows.
        control_arm: the arm that gains are measured against, or None.
        revision: grows with every change of pilot, runs or assumptions.
        amendments: those in force, in the order in which they apply.
    """

    id: str
    revision: int
    rounds: int
    sites: tuple[SiteLabel, ...]
    arms: tuple[ArmLabel, ...]
    control_arm: str | None
    all_site_measured: bool
    simulated: bool
    runs: tuple[RunFacts, ...]
    assumptions: Assumptions | None
    assumptions_version: int | None
    amendments: tuple[Mark, ...] = ()

    def runs_of(self, arm: str | None) -> tuple[RunFacts, ...]:
        """By seed."""
        return tuple(sorted((run for run in self.runs if run.arm == arm), key=lambda run: run.seed))

    def is_over(self, run: RunFacts | None = None) -> bool:
        """Whether no more will come: of one run, against its control run, or of all that were begun."""
        if run is None:
            return bool(self.runs) and all(one.ended for one in self.runs)
        control = self.control_of(run)
        return run.ended and (control is None or control.ended)

    @property
    def cancelled_after(self) -> int | None:
        """Of a pilot that was cancelled the last round that all runs which stand have finished (`cancelled_standing`). None: it was not, or
        before the first round."""
        standing = self.cancelled_standing
        return min((run.rounds_done for run in self.runs if run.id in standing), default=None)

    @property
    def cancelled_standing(self) -> frozenset[str]:
        """Ids of the runs by which a pilot that was cancelled is judged: those that were cancelled last, in one go, and those that had
        completed, of seeds in which all of these have finished a round. None without the control arm, or where an arm came through with
        a seed: there somebody chose what to cancel. Who was cancelled before, or failed, holds nobody back."""
        cancelled = [run for run in self.runs if run.state in ("cancelling", "cancelled")]
        if not cancelled or not all(run.ended or run.state == "cancelling" for run in self.runs):
            return frozenset()
        others = (label.name for label in self.arms if label.name != self.control_arm)
        if any(self.counting_seeds_of(arm) for arm in others):
            return frozenset()
        last = max(run.stopped_by for run in cancelled)
        stand = [
            run
            for run in self.runs
            if run.state == "completed" or (run in cancelled and run.stopped_by == last)
        ]
        too_early = {run.seed for run in stand if run.rounds_done < 1}
        stand = [run for run in stand if run.seed not in too_early]
        with_control = {run.seed for run in stand if run.arm == self.control_arm}
        return frozenset(run.id for run in stand if self.control_arm is None or run.seed in with_control)

    def is_lost(self, run: RunFacts) -> bool:
        """Whether nothing can be concluded from the run, as it ended early where others went on."""
        return run.ended_early and run.id not in self.cancelled_standing

    def standing_of(self, arm: str | None) -> tuple[RunFacts, ...]:
        """The runs of an arm of which something can be concluded."""
        standing = self.cancelled_standing
        return tuple(run for run in self.runs_of(arm) if run.id in standing or not run.ended_early)

    def is_at_work(self, arm: str) -> bool:
        """Whether more is to come of one of its runs."""
        return any(not run.ended for run in self.standing_of(arm))

    def seeds_of(self, arm: str | None) -> tuple[int, ...]:
        """The seeds with which the arm was begun; those of its control arm are the same."""
        begun = {run.seed for run in (*self.runs_of(arm), *self.runs_of(self.control_arm))}
        return tuple(sorted(begun))

    def lost_seeds_of(self, arm: str | None) -> tuple[int, ...]:
        """The seeds that cannot count: the arm's run or the control arm's failed or was cancelled."""
        runs = (*self.runs_of(arm), *self.runs_of(self.control_arm))
        standing = self.cancelled_standing
        return tuple(sorted({run.seed for run in runs if run.ended_early and run.id not in standing}))

    def counting_seeds_of(self, arm: str | None) -> frozenset[int]:
        """The seeds of which both the arm's run and the control arm's completed."""
        done = {run.seed for run in self.runs_of(arm) if run.state == "completed"}
        if self.control_arm is None:
            return frozenset(done)
        return frozenset(
            done & {run.seed for run in self.runs_of(self.control_arm) if run.state == "completed"}
        )

    def counted_of(self, arm: str | None) -> tuple[RunFacts, ...]:
        """The runs whose numbers are shown: those that stand; all of them where none does, to show how far the arm
        came. What may be concluded from them depends on `lost_seeds_of` too: survivors are no fair sample."""
        return self.standing_of(arm) or self.runs_of(arm)

    def control_of(self, run: RunFacts) -> RunFacts | None:
        """The control arm's run with the same seed."""
        return next((other for other in self.runs_of(self.control_arm) if other.seed == run.seed), None)

    def is_comparable(self, arm: str) -> bool:
        """Whether a round of the arm can be compared with the control arm, or may come to be."""
        ends = [run.comparison_ends for run in self.counted_of(arm)]
        return arm != self.control_arm and (not ends or any(end is None or end > 1 for end in ends))

    def run(self, run_id: str) -> RunFacts:
        """Raises: KeyError."""
        return {run.id: run for run in self.runs}[run_id]

    def arm_index(self, arm: str) -> int:
        return [label.name for label in self.arms].index(arm)


def how_ended(runs: Sequence[RunFacts]) -> str:
    """Of runs that all ended early: `failed` or `cancelled`; with `_at_start` where none has finished a round to restart from."""
    how = "failed" if any(run.state == "failed" for run in runs) else "cancelled"
    return how if any(run.rounds_done >= 0 for run in runs) else f"{how}_at_start"


def site_labels(sites: list[dict[str, Any]]) -> tuple[SiteLabel, ...]:
    """Display names, with the site's name where two are alike or one is empty."""
    shown = [site.get("display_name") or site["name"] for site in sites]
    return tuple(
        SiteLabel(site["name"], text if shown.count(text) == 1 else f"{text} ({site['name']})")
        for site, text in zip(sites, shown, strict=True)
    )


def over_sites(values: Sequence[float | None]) -> float:
    """The mean over the sites that have a value; at least one has."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known)
