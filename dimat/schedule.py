"""Who may do which step now: pure functions over the steps that are done.

Barriers are local. A merge of round r waits only for the models of round r-1 of the site and its
neighbours; a train step waits only for its own site. A run's steps:

    round 0      align (methods of a common basis only, parent before child), then evaluate
    round 1..R   adopt (only where a site joins or comes back: it takes over a neighbour's model), merge (in rounds that merge), then
                 train; the last two evaluate what they made.
                 Where a method of a common basis begins after the start: align first, as before round 0.
                 Where a merge takes in all sites: gather up a tree before it, child before parent, then merge down it

`prepare` belongs to (pilot, seed, site) and comes before all of this, also at sites that join later. A site that takes no part in a
round has no steps there.

A coordinator asks after every finished step, for up to a thousand sites: `ready_after` looks only at
the steps that read what was just made, `ready_steps` at the first open step of each site.
"""

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dimat.absence import Absence
from dimat.alignment import aligned_rounds
from dimat.arm_rounds import ArmRounds
from dimat.joining import Joining
from dimat.methods import MOMENTS_OF
from dimat.parts import Loss, WireSpec
from dimat.plan import Amendment, ArmPlan
from dimat.spec import PilotSpec
from dimat.topology import Topology
from dimat.tree import Tree

StepKind = Literal["prepare", "adopt", "align", "gather", "merge", "train", "evaluate"]
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
        align_tree_of: along which tree sites align before the merge of a round, if they do; 0: before round 0.
        planned_tree_of: the same if nobody had fallen silent.
        tree_of: in rounds whose merge takes in all sites the parent of each, None for the root; None in other rounds.
        members_of: who takes part in a round 0..R.
        whole_of: as `topology_of`, with all links of a graph that changes with every merge.
        planned_whole_of: the same if nobody had fallen silent.
        turns: rounds 2..R in which sites may join or come back.
        undone: steps that silent sites never did, of rounds in which they took part otherwise (`Absence.undone`).
        start_loss: with which `prepare` trains.
    """

    rounds: int
    num_sites: int
    plan_of: PlanOf
    topology_of: Callable[[int], Topology]
    mixing_of: Callable[[int], NDArray[np.float64]]
    align_tree_of: Callable[[int], Tree]
    planned_tree_of: Callable[[int], Tree]
    tree_of: Callable[[int], Tree | None]
    members_of: Callable[[int], frozenset[int]]
    whole_of: Callable[[int], Topology]
    planned_whole_of: Callable[[int], Topology]
    turns: frozenset[int] = frozenset()
    undone: frozenset[StepKey] = frozenset()
    start_loss: Loss = "cross_entropy"

    @classmethod
    def of(
        cls,
        spec: PilotSpec,
        arm: str,
        amendments: Sequence[Amendment] = (),
        absences: Sequence[Absence] = (),
    ) -> "Schedule":
        """The schedule of an arm. Plans and topologies are built once for each set of amendments in force.

        Raises: as `effective_spec` and `members.among`.
        """
        rounds_of = ArmRounds(spec, arm, amendments, absences)
        index = {name: i for i, name in enumerate(spec.site_names)}
        return cls(
            rounds=spec.rounds,
            num_sites=len(spec.sites),
            plan_of=rounds_of.plan,
            topology_of=rounds_of.topology,
            mixing_of=rounds_of.mixing,
            align_tree_of=rounds_of.align_tree,
            planned_tree_of=rounds_of.planned_tree,
            tree_of=rounds_of.tree,
            members_of=rounds_of.members,
            whole_of=rounds_of.whole,
            planned_whole_of=rounds_of.planned_whole,
            turns=frozenset(
                round
                for round in (
                    *(amendment.from_round for amendment in amendments if amendment.patch.members),
                    *(absence.until_round for absence in absences),
                )
                if round is not None and 1 < round <= spec.rounds
            ),
            undone=frozenset(
                StepKey(round, kind, index[absence.site])
                for absence in absences
                for round, kind in absence.undone
            ),
            start_loss=spec.train.loss,
        )

    def all_steps(self) -> list[StepKey]:
        """Every step of the run in a fixed order: by round, then kind in order of work, then site."""
        return [step for round in range(self.rounds + 1) for step in self.steps_in(round)]

    def steps_in(self, round: int) -> list[StepKey]:
        """Every step of one round, in that order."""
        starts = self.ends(0) if round == 0 else []
        return sorted(
            [*starts, *(step for site in range(self.num_sites) for step in self.steps_of(site, round))]
        )

    def ends(self, round: int) -> list[StepKey]:
        """The steps with which a round is finished: the last ones of those that take part."""
        ends = [StepKey(round, "train" if round else "evaluate", site) for site in self.members_of(round)]
        return sorted(end for end in ends if end not in self.undone)

    def merges(self, round: int) -> list[StepKey]:
        """The merges of a round, of all who take part; none where none merges."""
        if round == 0 or not self.merges_in(round):
            return []
        merges = [StepKey(round, "merge", site) for site in sorted(self.members_of(round))]
        return [merge for merge in merges if merge not in self.undone]

    @cached_property
    def aligns(self) -> bool:
        """Whether there are align steps before round 0. Where sites do not align, they only make what neighbours need of the
        start models, which all arms share, so that `prepare` cannot know it."""
        first = self.plan_of(1)
        is_sent = first.over == "neighbours" and first.merges_in(1)
        return 0 in self._aligned or (
            is_sent and (first.method in MOMENTS_OF or not first.merge.wire.is_plain)
        )

    @cached_property
    def wires(self) -> Sequence[WireSpec]:
        """How models travel for the merge of each round 1..R."""
        return [self.plan_of(round).merge.wire for round in range(1, self.rounds + 1)]

    @cached_property
    def _aligned(self) -> frozenset[int]:
        return aligned_rounds(self.rounds, self.plan_of)

    def older_inputs(self, round: int) -> frozenset[StepKey]:
        """Steps of rounds before `round` for which steps of rounds after it wait: what sites had made last that join, or come back, then.
        Everybody else's are of the round before."""
        return frozenset(step for turn, step in self._brought_along if step.round < round < turn)

    @cached_property
    def _brought_along(self) -> Sequence[tuple[int, StepKey]]:
        """Of each site that joins or comes back the round, and the step that made its last model before."""
        coming = ((turn, site) for turn in self.turns for site in self._joining.sources(turn))
        return [(turn, self._last_model(turn, site)) for turn, site in coming]

    def weights(self, merge: StepKey) -> NDArray[np.float64]:
        """The share of each site's model in what the step `merge` makes: (N,) float64, its site's row of W."""
        row: NDArray[np.float64] = self.mixing_of(merge.round)[merge.site]
        return row

    def parent(self, site: int, round: int = 0) -> int | None:
        """The site into whose basis `site` permutes itself in an align step of `round`; None for the root of the tree, and where
        alignment is left out."""
        return self._align_tree(round).parents[site]

    def _align_tree(self, round: int) -> Tree:
        return self.align_tree_of(round) if round in self._aligned else self._no_tree

    @cached_property
    def _no_tree(self) -> Tree:
        return Tree.of((None,) * self.num_sites)

    def inputs(self, step: StepKey) -> list[StepKey]:
        """Steps whose artifacts `step` reads, the site's own model first, then neighbours ascending (for a merge over all sites:
        then its own `gather` at the root of the tree, the parent's `merge` elsewhere)."""
        return list(self._inputs(step))

    def _inputs(self, step: StepKey) -> Iterator[StepKey]:
        # One by one: on a dense graph the question "is it ready?" mostly ends at the first that is missing.
        match step.kind:
            case "prepare":
                return
            case "adopt":
                # What it goes on with is not its own model; but it has done before what it had to do.
                yield self._last_model(step.round, step.site)
                source = self._joining.sources(step.round)[step.site]
                assert source is not None, "only sites that find one have this step"
                yield self.model_after(step.round - 1, source)
            case "align":
                if step.round == 0:
                    yield StepKey(0, "prepare", step.site)
                else:
                    yield self.model_found(step.round, step.site)
                parent = self.parent(step.site, step.round)
                if parent is not None:
                    yield StepKey(step.round, "align", parent)
            case "evaluate":
                yield self.model_after(0, step.site)
            case "gather":
                yield self.model_before(step.round, step.site)
                for child in self._tree_in(step).children[step.site]:
                    yield StepKey(step.round, "gather", child)
            case "merge":
                yield self.model_before(step.round, step.site)
                if (tree := self.tree_of(step.round)) is not None:
                    yield _source(step, tree)
                    return
                for neighbour in self.topology_of(step.round).neighbours(step.site):
                    yield self.model_before(step.round, neighbour)
            case _:  # train
                if self.merges_in(step.round):
                    yield StepKey(step.round, "merge", step.site)
                else:
                    yield self.model_before(step.round, step.site)

    def followers(self, step: StepKey) -> list[StepKey]:
        """Steps that read the artifact of `step`, in the order of `all_steps`."""
        following = [other for other in self._followers(step) if other not in self.undone]
        joining = self._joining_by(step)
        return sorted([*following, *joining]) if joining else following

    def _joining_by(self, step: StepKey) -> list[StepKey]:
        """Steps of sites that join, or come back, that read the artifact of `step`."""
        following: list[StepKey] = []
        for round in self._joining.rounds_of(step.site):
            if step == self._last_model(round, step.site):
                adopts = self._joining.sources(round)[step.site] is not None
                first = [StepKey(round, "adopt", step.site)]
                following += first if adopts else self._first_readers(round, step.site)
        next = step.round + 1
        if next <= self.rounds and step == self.model_after(step.round, step.site):
            sources = self._joining.sources(next).items()
            following += [StepKey(next, "adopt", site) for site, source in sources if source == step.site]
        return following

    def _first_readers(self, round: int, site: int) -> list[StepKey]:
        """Steps of `round` that read the model with which the site, one of its members, comes into it."""
        return [StepKey(round, "align", site)] if round in self._aligned else self._readers(round, site)

    def _followers(self, step: StepKey) -> list[StepKey]:
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
        if step.kind == "adopt":
            return self._first_readers(step.round, step.site)
        if step.kind == "prepare" and step.site not in self.members_of(0):
            return []
        if step.kind == "prepare" and self.aligns:
            return [StepKey(0, "align", step.site)]
        following: list[StepKey] = []
        if step.kind == "align":
            children = self._align_tree(step.round).children[step.site]
            following += [StepKey(step.round, "align", child) for child in children]
            if step.round > 0:
                return following + self._readers(step.round, step.site)
        if step.kind in ("align", "prepare"):
            following.append(StepKey(0, "evaluate", step.site))
        next = step.round + 1
        if next > self.rounds or step.site not in self.members_of(next):
            return following
        return following + self._first_readers(next, step.site)

    def model_after(self, round: int, site: int) -> StepKey:
        """The step whose artifact is the site's model at the end of `round` (0 = start state), in which it takes part; before it
        ever does, the one that it has prepared."""
        if round > 0:
            return StepKey(round, "train", site)
        return StepKey(0, "align" if self.aligns and site in self.members_of(0) else "prepare", site)

    def model_before(self, round: int, site: int) -> StepKey:
        """The step whose artifact is the model with which the site begins `round` (>= 1), and which is merged or trained there: what
        the round before left, in the common basis where sites align first."""
        return StepKey(round, "align", site) if round in self._aligned else self.model_found(round, site)

    def last_trained(self, site: int) -> StepKey | None:
        """The last step in which the site trains; None if it never takes part."""
        rounds = range(self.rounds, 0, -1)
        trained = (StepKey(round, "train", site) for round in rounds if site in self.members_of(round))
        return next((step for step in trained if step not in self.undone), None)

    def model_found(self, round: int, site: int) -> StepKey:
        """The step whose artifact is the model with which the site comes into `round` (>= 1): its own of the round before, or where
        it joins that of a neighbour. Where nobody merges it goes on with its own."""
        if not self._joining.joins(site, round):
            return self.model_after(round - 1, site)
        if self._joining.sources(round)[site] is not None:
            return StepKey(round, "adopt", site)
        return self._last_model(round, site)

    def _last_model(self, before: int, site: int) -> StepKey:
        """The step that made the site's last model before the round `before`."""
        for round in range(before - 1, 0, -1):
            if site in self.members_of(round):
                made = (StepKey(round, "train", site), StepKey(round, "merge", site))
                done = [step for step in made if step not in self.undone]
                if done and (done[0].kind == "train" or self.merges_in(round)):
                    return done[0]
                return self.model_before(round, site)
        return self.model_after(0, site)

    @cached_property
    def _joining(self) -> Joining:
        def finished(site: int, round: int) -> bool:
            return StepKey(round, "train", site) not in self.undone

        return Joining(self.turns, self.plan_of, self.members_of, self.planned_whole_of, finished)

    def ready_after(
        self, finished: StepKey, done: AbstractSet[StepKey], known: AbstractSet[StepKey] = frozenset()
    ) -> list[StepKey]:
        """Steps that `finished` (a member of `done`) has just made ready."""
        return [step for step in self.followers(finished) if self._is_ready(step, done, known)]

    def ready_steps(
        self, done: AbstractSet[StepKey], known: AbstractSet[StepKey] = frozenset(), since: int = 0
    ) -> list[StepKey]:
        """Steps that are neither done nor in `known` (already started) and whose inputs are all done.

        Args:
            since: a round before which every step is done. Of those `done` need hold only `older_inputs(since)`.
        """
        candidates = self.ends(0) if since == 0 else []
        for site in range(self.num_sites):
            # Steps of a site follow one another: only the first that is not done can be ready.
            if (step := self.first_open(site, done, since)) is not None:
                candidates.append(step)
        return sorted(step for step in candidates if self._is_ready(step, done, known))

    def first_open(self, site: int, done: AbstractSet[StepKey], since: int = 0) -> StepKey | None:
        """The first step towards the site's next model that is not done; None: it has made its last. `since`: see `ready_steps`."""
        return next((step for step in self._chain(site, since) if step not in done), None)

    def ready_step(
        self, site: int, done: AbstractSet[StepKey], known: AbstractSet[StepKey] = frozenset()
    ) -> StepKey | None:
        """As `ready_steps`, of one site towards its next model; None: it has to wait, or has one already."""
        step = self.first_open(site, done)
        return step if step is not None and self._is_ready(step, done, known) else None

    def steps_of(self, site: int, round: int) -> list[StepKey]:
        """The steps of `round` that make the site's model, in order of work."""
        return [step for step in self._in_round(site, round) if step not in self.undone]

    def joins(self, site: int, round: int) -> bool:
        """Whether the site takes part in `round` and did not in the one before."""
        return self._joining.joins(site, round)

    def aligns_before(self, round: int) -> bool:
        """Whether sites move into a common basis before the merge of `round`."""
        return round in self._aligned

    def _chain(self, site: int, since: int) -> Iterator[StepKey]:
        """The steps that make the site's successive models, from the round `since` on."""
        for round in range(since, self.rounds + 1):
            yield from self.steps_of(site, round)

    def _in_round(self, site: int, round: int) -> Iterator[StepKey]:
        if site not in self.members_of(round):
            return
        if self._joining.sources(round).get(site) is not None:
            yield StepKey(round, "adopt", site)
        if round in self._aligned or (round == 0 and self.aligns):
            yield StepKey(round, "align", site)
        if round == 0:
            return
        if self.merges_in(round):
            if self.tree_of(round) is not None:
                yield StepKey(round, "gather", site)
            yield StepKey(round, "merge", site)
        yield StepKey(round, "train", site)

    def _readers(self, round: int, site: int) -> list[StepKey]:
        """Steps of `round` that read the model with which the site begins it."""
        if not self.merges_in(round):
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

    def merges_in(self, round: int) -> bool:
        """Whether models are merged in a round 1..R."""
        return self.plan_of(round).merges_in(round)


def _source(merge: StepKey, tree: Tree) -> StepKey:
    """Where a merge over all sites takes their mean from."""
    parent = tree.parents[merge.site]
    return (
        StepKey(merge.round, "gather", merge.site)
        if parent is None
        else StepKey(merge.round, "merge", parent)
    )
