"""Who may do which step now: pure functions over the steps that are done.

Barriers are local. A merge of round r waits only for the models of round r-1 of the site and its
neighbours; a train step waits only for its own site. A run's steps:

    round 0      align (only `common_basis`, parent before child), then evaluate
    round 1..R   merge (in rounds that merge), then train; both evaluate what they made

`prepare` belongs to (pilot, seed, site) and comes before all of this.
"""

from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass
from typing import Literal

from dimat.spec import ArmPlan
from dimat.topology import Topology, spanning_tree

StepKind = Literal["prepare", "align", "merge", "train", "evaluate"]
PlanOf = Callable[[int], ArmPlan]
"""The effective plan of the arm in a round (0 = the plan of round 1)."""


@dataclass(frozen=True, slots=True, order=True)
class StepKey:
    """One unit of work of a run; `site` is the index in the spec. A `prepare` has round 0."""

    round: int
    kind: StepKind
    site: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """The steps of one run and what each waits for.

    Attributes:
        rounds: number of rounds R, >= 1.
        num_sites: N >= 2.
        plan_of: effective plan of a round 1..R.
        topology_of: topology of a round 1..R.
    """

    rounds: int
    num_sites: int
    plan_of: PlanOf
    topology_of: Callable[[int], Topology]

    def all_steps(self) -> list[StepKey]:
        """Every step of the run in a fixed order: by round, then kind in order of work, then site."""
        sites = range(self.num_sites)
        steps = [StepKey(0, "align", s) for s in sites] if self.aligns else []
        steps += [StepKey(0, "evaluate", s) for s in sites]
        for round in range(1, self.rounds + 1):
            if self.plan_of(round).merges_in(round):
                steps += [StepKey(round, "merge", s) for s in sites]
            steps += [StepKey(round, "train", s) for s in sites]
        return steps

    @property
    def aligns(self) -> bool:
        """Whether sites align once before round 0 (`common_basis`)."""
        return self.plan_of(1).method == "common_basis"

    def parent(self, site: int) -> int | None:
        """The site into whose basis `site` permutes itself; None for the root of the tree."""
        return spanning_tree(self.topology_of(1))[site]

    def inputs(self, step: StepKey) -> list[StepKey]:
        """Steps whose artifacts `step` reads, the site's own model first, then neighbours ascending."""
        match step.kind:
            case "prepare":
                return []
            case "align":
                own = StepKey(0, "prepare", step.site)
                parent = self.parent(step.site)
                return [own] if parent is None else [own, StepKey(0, "align", parent)]
            case "evaluate":
                return [self._start(step.site)]
            case "merge":
                near = self.topology_of(step.round).neighbours(step.site)
                return [self.model_after(step.round - 1, s) for s in (step.site, *near)]
            case "train":
                if self.plan_of(step.round).merges_in(step.round):
                    return [StepKey(step.round, "merge", step.site)]
                return [self.model_after(step.round - 1, step.site)]

    def model_after(self, round: int, site: int) -> StepKey:
        """The step whose artifact is the site's model at the end of `round` (0 = start state)."""
        return self._start(site) if round == 0 else StepKey(round, "train", site)

    def _start(self, site: int) -> StepKey:
        return StepKey(0, "align" if self.aligns else "prepare", site)

    def ready_steps(self, done: Set[StepKey], known: Set[StepKey] = frozenset()) -> list[StepKey]:
        """Steps that are neither done nor in `known` (already started) and whose inputs are all done."""
        return [
            step
            for step in self.all_steps()
            if step not in done
            and step not in known
            and all(needed in done for needed in self.inputs(step))
        ]

    def is_complete(self, done: Iterable[StepKey]) -> bool:
        """Whether every step of the run is done."""
        return set(self.all_steps()) <= set(done)
