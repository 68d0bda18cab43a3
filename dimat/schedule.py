"""Who may do which step now: pure functions over the steps that are done.

Barriers are local. A merge of round r waits only for the models of round r-1 of the site and its
neighbours; a train step waits only for its own site. A run's steps:

    round 0      align (methods of a common basis only, parent before child), then evaluate
    round 1..R   merge (in rounds that merge), then train; both evaluate what they made.
                 Where a merge takes in all sites: gather up a tree first, child before parent, then merge down it

`prepare` belongs to (pilot, seed, site) and comes before all of this.

A coordinator asks after every finished step, for up to a thousand sites: `ready_after` looks only at
the steps that read what was just made, `ready_steps` at the first open step of each site.
"""

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dimat.arm_rounds import ArmRounds
from dimat.parts import ALIGNED_METHODS, MOMENTS_OF, Loss, Moments, WireSpec
from dimat.plan import Amendment, ArmPlan
from dimat.spec import PilotSpec
from dimat.topology import Topology, spanning_tree
from dimat.tree import Tree

StepKind = Literal["prepare", "align", "gather", "merge", "train", "evaluate"]
PLAIN = WireSpec()
PlanOf = Callable[[int], ArmPlan]
"""The effective plan of the arm in a round 1..R."""


@dataclass(frozen=True, slots=True, order=True)
class StepKey:
    """One unit of work of a run; `site` is the index in the spec. A `prepare` has round 0.

    Keys sort by round, then kind in order of work within a round, then site.
    """

    round: int
    kind: StepKind
    site: int


@dataclass(frozen=True)
class Schedule:
    """The steps of one run and what each waits for.

    Attributes:
        rounds: number of rounds R, >= 1.
        num_sites: N >= 2.
        plan_of: effective plan of a round 1..R; asked often, so it should remember its answers.
        topology_of: who reads whom in a round 1..R; likewise. Of a graph that changes with every merge, the one whose turn
            it is: merges are counted, not rounds, so that no graph is left out where only some rounds merge.
        mixing_of: W of a round 1..R, (N, N) float64, read only; likewise.
        aligned_over: the connected graph over whose spanning tree sites align.
        tree_of: in rounds whose merge takes in all sites the parent of each, None for the root; None in other rounds.
        start_loss: with which `prepare` trains.
    """

    rounds: int
    num_sites: int
    plan_of: PlanOf
    topology_of: Callable[[int], Topology]
    mixing_of: Callable[[int], NDArray[np.float64]]
    aligned_over: Callable[[], Topology]
    tree_of: Callable[[int], Tree | None]
    start_loss: Loss = "cross_entropy"

    @classmethod
    def of(cls, spec: PilotSpec, arm: str, amendments: Sequence[Amendment] = ()) -> "Schedule":
        """The schedule of an arm. Plans and topologies are built once for each set of amendments in force.

        Raises: as `effective_spec`.
        """
        rounds_of = ArmRounds(spec, arm, amendments)
        return cls(
            rounds=spec.rounds,
            num_sites=len(spec.sites),
            plan_of=rounds_of.plan,
            topology_of=rounds_of.topology,
            mixing_of=rounds_of.mixing,
            aligned_over=rounds_of.aligned_over,
            tree_of=rounds_of.tree,
            start_loss=spec.train.loss,
        )

    def all_steps(self) -> list[StepKey]:
        """Every step of the run in a fixed order: by round, then kind in order of work, then site."""
        return sorted(
            step
            for site in range(self.num_sites)
            for step in (*self._chain(site), StepKey(0, "evaluate", site))
        )

    @cached_property
    def aligns(self) -> bool:
        """Whether there are align steps, once, before round 0. Where sites do not align, they only make what neighbours need of the
        start models, which all arms share, so that `prepare` cannot know it."""
        first = self.plan_of(1)
        is_sent = first.over == "neighbours" and first.merges_in(1)
        return self._is_aligned or (is_sent and (first.method in MOMENTS_OF or not first.merge.wire.is_plain))

    @property
    def _is_aligned(self) -> bool:
        first = self.plan_of(1)
        return first.method in ALIGNED_METHODS and first.merge.align

    def wire_of(self, step: StepKey) -> WireSpec:
        """How what `step` makes travels to those who read it: in the numbers of the merge that comes, for `align` in those of the
        first round."""
        if step.kind in ("gather", "merge"):
            over_all = self.tree_of(step.round) is not None
            return self.plan_of(step.round).merge.wire if over_all else PLAIN
        if step != self.model_after(step.round, step.site) or step.kind == "prepare":
            return PLAIN
        next = step.round + 1
        if next <= self.rounds and self._merges_in(next) and self.tree_of(next) is None:
            return self.plan_of(next).merge.wire
        is_read = step.kind == "align" and self._aligning.children[step.site]
        return self.plan_of(1).merge.wire if is_read else PLAIN

    def residual_of(self, step: StepKey) -> StepKey | None:
        """The step that left over what `step` adds to what it sends: the last one before it that sent in `int8`."""
        if step.kind not in ("align", "train") or self.wire_of(step).numbers != "int8":
            return None
        earlier = (self.model_after(round, step.site) for round in range(step.round - 1, -1, -1))
        return next((one for one in earlier if self.wire_of(one).numbers == "int8"), None)

    def tells(self, step: StepKey) -> Moments | None:
        """Which second moments neighbours need beside the model that `step` makes, as the next round merges by them. Where all
        sites are added up, each makes its own when it is its turn."""
        next = step.round + 1
        if step != self.model_after(step.round, step.site) or next > self.rounds or not self._merges_in(next):
            return None
        if self.tree_of(next) is not None:
            return None
        return MOMENTS_OF.get(self.plan_of(next).method)

    def last_loss(self, step: StepKey) -> Loss:
        """The loss with which the model was trained that `step` makes or judges. The start state's is the pilot's, since
        all arms share it. A head in closed form is blind to a site's class mix, as that loss makes it."""
        if step.kind == "merge" and self.plan_of(step.round).method == "ridge_head":
            return "balanced_softmax"
        trained = step.round if step.kind == "train" else step.round - 1
        return self.plan_of(trained).train.loss if trained >= 1 else self.start_loss

    def momentum_of(self, step: StepKey) -> StepKey | None:
        """The step whose momentum goes on in `step`: that of the optimiser in a train step, the slow one in a merge by
        `slowmo`. None: it starts afresh."""
        if step.kind == "merge":
            return self._slow_momentum_of(step)
        if step.round == 1 or not self.plan_of(step.round).train.keep_momentum:
            return None
        return StepKey(step.round - 1, "train", step.site)

    def _slow_momentum_of(self, step: StepKey) -> StepKey | None:
        if self.plan_of(step.round).method != "slowmo":
            return None
        before = next((round for round in range(step.round - 1, 0, -1) if self._merges_in(round)), None)
        if before is None or self.plan_of(before).method != "slowmo":
            return None
        return StepKey(before, "merge", step.site)

    def weights(self, merge: StepKey) -> NDArray[np.float64]:
        """The share of each site's model in what the step `merge` makes: (N,) float64, its site's row of W."""
        row: NDArray[np.float64] = self.mixing_of(merge.round)[merge.site]
        return row

    def parent(self, site: int) -> int | None:
        """The site into whose basis `site` permutes itself; None for the root of the tree, and where alignment is left out."""
        return self._aligning.parents[site]

    @cached_property
    def _aligning(self) -> Tree:
        if not self._is_aligned:
            return Tree.of((None,) * self.num_sites)
        return Tree.of(spanning_tree(self.aligned_over()))

    def inputs(self, step: StepKey) -> list[StepKey]:
        """Steps whose artifacts `step` reads, the site's own model first, then neighbours ascending (for a merge over all sites:
        then its own `gather` at the root of the tree, the parent's `merge` elsewhere)."""
        return list(self._inputs(step))

    def _inputs(self, step: StepKey) -> Iterator[StepKey]:
        # One by one: on a dense graph the question "is it ready?" mostly ends at the first that is missing.
        match step.kind:
            case "prepare":
                return
            case "align":
                yield StepKey(0, "prepare", step.site)
                parent = self.parent(step.site)
                if parent is not None:
                    yield StepKey(0, "align", parent)
            case "evaluate":
                yield self._start(step.site)
            case "gather":
                yield self.model_after(step.round - 1, step.site)
                for child in self._tree_in(step).children[step.site]:
                    yield StepKey(step.round, "gather", child)
            case "merge":
                yield self.model_after(step.round - 1, step.site)
                if (tree := self.tree_of(step.round)) is not None:
                    yield _source(step, tree)
                    return
                for neighbour in self.topology_of(step.round).neighbours(step.site):
                    yield self.model_after(step.round - 1, neighbour)
            case _:  # train
                if self._merges_in(step.round):
                    yield StepKey(step.round, "merge", step.site)
                else:
                    yield self.model_after(step.round - 1, step.site)

    def followers(self, step: StepKey) -> list[StepKey]:
        """Steps that read the artifact of `step`, in the order of `all_steps`."""
        if step.kind == "evaluate":
            return []
        if step.kind == "gather":
            parent = self._tree_in(step).parents[step.site]
            above = StepKey(step.round, "gather", parent) if parent is not None else None
            return [above or StepKey(step.round, "merge", step.site)]
        if step.kind == "merge":
            tree = self.tree_of(step.round)
            below = tree.children[step.site] if tree is not None else ()
            return [StepKey(step.round, "merge", s) for s in below] + [
                StepKey(step.round, "train", step.site)
            ]
        if step.kind == "prepare" and self.aligns:
            return [StepKey(0, "align", step.site)]
        following: list[StepKey] = []
        if step.kind == "align":
            following += [StepKey(0, "align", child) for child in self._aligning.children[step.site]]
        if step.kind in ("align", "prepare"):
            following.append(StepKey(0, "evaluate", step.site))
        return following + self._next_round(step.round + 1, step.site)

    def model_after(self, round: int, site: int) -> StepKey:
        """The step whose artifact is the site's model at the end of `round` (0 = start state)."""
        return self._start(site) if round == 0 else StepKey(round, "train", site)

    def ready_after(
        self, finished: StepKey, done: AbstractSet[StepKey], known: AbstractSet[StepKey] = frozenset()
    ) -> list[StepKey]:
        """Steps that `finished` (a member of `done`) has just made ready."""
        return [step for step in self.followers(finished) if self._is_ready(step, done, known)]

    def ready_steps(
        self, done: AbstractSet[StepKey], known: AbstractSet[StepKey] = frozenset()
    ) -> list[StepKey]:
        """Steps that are neither done nor in `known` (already started) and whose inputs are all done."""
        candidates = [StepKey(0, "evaluate", site) for site in range(self.num_sites)]
        for site in range(self.num_sites):
            # Steps of a site follow one another: only the first that is not done can be ready.
            candidates += islice((step for step in self._chain(site) if step not in done), 1)
        return sorted(step for step in candidates if self._is_ready(step, done, known))

    def _chain(self, site: int) -> Iterator[StepKey]:
        """The steps that make the site's successive models."""
        if self.aligns:
            yield StepKey(0, "align", site)
        for round in range(1, self.rounds + 1):
            if self._merges_in(round):
                if self.tree_of(round) is not None:
                    yield StepKey(round, "gather", site)
                yield StepKey(round, "merge", site)
            yield StepKey(round, "train", site)

    def _next_round(self, round: int, site: int) -> list[StepKey]:
        """Steps of `round` that read the site's model of the round before."""
        if round > self.rounds:
            return []
        if not self._merges_in(round):
            return [StepKey(round, "train", site)]
        if self.tree_of(round) is not None:
            return [StepKey(round, "gather", site), StepKey(round, "merge", site)]
        readers = self.topology_of(round).readers(site)
        return [StepKey(round, "merge", s) for s in sorted((site, *readers))]

    def _is_ready(self, step: StepKey, done: AbstractSet[StepKey], known: AbstractSet[StepKey]) -> bool:
        return step not in done and step not in known and all(needed in done for needed in self._inputs(step))

    def _tree_in(self, step: StepKey) -> Tree:
        tree = self.tree_of(step.round)
        assert tree is not None, "only such rounds have this step"
        return tree

    def _merges_in(self, round: int) -> bool:
        return self.plan_of(round).merges_in(round)

    def _start(self, site: int) -> StepKey:
        return StepKey(0, "align" if self.aligns else "prepare", site)


def _source(merge: StepKey, tree: Tree) -> StepKey:
    """Where a merge over all sites takes their mean from."""
    parent = tree.parents[merge.site]
    return (
        StepKey(merge.round, "gather", merge.site)
        if parent is None
        else StepKey(merge.round, "merge", parent)
    )
