"""How each round of an arm runs: its plan, who takes part, who reads whom, and with which weights. Answers are remembered, as they are
asked for often."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from dimat.absence import Absence, silent_in
from dimat.members import among
from dimat.methods import CONTROL_METHOD
from dimat.plan import Amendment, ArmPlan, effective_spec
from dimat.spec import PilotSpec
from dimat.topology import Topology, linked, spanning_tree, without
from dimat.topology_spec import TopologySpec
from dimat.tree import Tree

MOST_ROUNDS = 256
"""Remembered of a run: its sites are all in a few of them."""
MOST_GRAPHS = 3
"""Remembered for all runs: those of a pilot have the same ones, and so has a run before and after a change. Of a thousand sites
a full graph takes 40 MB."""


@dataclass(frozen=True, slots=True)
class _Graph:
    """Of which graph a round is: the pilot's topology among the members, at its turn, without those that are absent."""

    topology: TopologySpec
    turn: int
    members: tuple[str, ...]
    silent: frozenset[int]


@lru_cache(MOST_GRAPHS)
def _merging(topology: TopologySpec, names: tuple[str, ...], members: tuple[str, ...], turn: int) -> Topology:
    """Who reads whom in a merge among the members, by their places among `names`."""
    graph = among(topology, names, members).build(members, turn)
    return linked(len(names), graph, _places(names, members))


@lru_cache(MOST_GRAPHS)
def _whole(topology: TopologySpec, names: tuple[str, ...], members: tuple[str, ...]) -> Topology:
    """As `_merging`, all links of a whole period."""
    return linked(len(names), among(topology, names, members).whole(members), _places(names, members))


@lru_cache(MOST_GRAPHS)
def _spanning(topology: TopologySpec, names: tuple[str, ...], members: tuple[str, ...]) -> Tree:
    """Over the members alone, numbered in their order."""
    return Tree.of(spanning_tree(among(topology, names, members).whole(members)))


def _places(names: Sequence[str], members: Sequence[str]) -> list[int]:
    index = {name: i for i, name in enumerate(names)}
    return [index[name] for name in members]


class ArmRounds:
    """Rounds 1..R of one arm. Plans and topologies are built once for each set of amendments in force.

    Of a graph that changes with every merge, the one whose turn it is: merges are counted, not rounds, so that no graph is left out
    where only some rounds merge. Graphs and trees are over all sites of the spec; those that take no part stand alone.

    Raises: as `effective_spec` and `members.among`.
    """

    def __init__(
        self,
        spec: PilotSpec,
        arm: str,
        amendments: Sequence[Amendment] = (),
        absences: Sequence[Absence] = (),
    ) -> None:
        self._spec, self._amendments = spec, tuple(amendments)
        names, n = spec.site_names, len(spec.sites)
        index = {name: i for i, name in enumerate(names)}

        @cache
        def plan_under(in_force: tuple[int, ...], rounds_left: int) -> ArmPlan:
            some_round = spec.rounds - rounds_left
            return effective_spec(spec, arm, [amendments[k] for k in in_force], some_round)

        @lru_cache(MOST_ROUNDS)
        def graph(round: int) -> _Graph:
            plan = self.plan(max(round, 1))
            period = plan.topology.period(len(plan.members))
            turn = (self._merges_until(round) - 1) % period
            return _Graph(plan.topology, turn, plan.members, silent_in(max(round, 1), absences, index))

        @cache
        def present(members: tuple[str, ...], silent: frozenset[int]) -> frozenset[int]:
            return frozenset(_places(names, members)) - silent

        @cache
        def built(of: _Graph) -> Topology:
            changes = of.topology.period(len(of.members)) > 1
            of_all = of.topology, names, of.members
            whole = _merging(*of_all, of.turn) if changes else _whole(*of_all)
            return whole.without(of.silent) if of.silent else whole

        @cache
        def whole(topology: TopologySpec, members: tuple[str, ...], silent: frozenset[int]) -> Topology:
            planned = _whole(topology, names, members)
            return planned.without(silent) if silent else planned

        # Rounds of all sites lie close together: no need to keep many matrices of a thousand sites squared.
        @lru_cache(maxsize=2)
        def mixed(of: _Graph) -> NDArray[np.float64]:
            sites = _places(names, of.members)
            W_NN = among(of.topology, names, of.members).mixing_matrix(of.members, of.turn)
            if len(sites) < n:
                among_NN, W_NN = W_NN, np.eye(n)
                W_NN[np.ix_(sites, sites)] = among_NN
            return without(W_NN, of.silent) if of.silent else W_NN

        @cache
        def tree(
            topology: TopologySpec, members: tuple[str, ...], silent: frozenset[int], is_star: bool
        ) -> Tree:
            over = _spanning(topology, names, members)
            return (over.as_star() if is_star else over).placed(_places(names, members), n).without(silent)

        # Asked at every step: to find a graph by its many names would cost more than what it is asked for.
        @lru_cache(MOST_ROUNDS)
        def members_in(round: int) -> frozenset[int]:
            of = graph(round)
            return present(of.members, of.silent)

        @lru_cache(MOST_ROUNDS)
        def topology_in(round: int) -> Topology:
            return built(graph(round))

        self._plan_under, self._graph, self._members, self._topology = (
            plan_under,
            graph,
            members_in,
            topology_in,
        )
        self._whole, self._mixed, self._tree = whole, mixed, tree

    def plan(self, round: int) -> ArmPlan:
        """All overrides and amendments applied."""
        in_force = tuple(k for k, a in enumerate(self._amendments) if a.from_round <= round)
        # Beyond the last two rounds it does not matter how many are left.
        return self._plan_under(in_force, min(self._spec.rounds - round, 2))

    def members(self, round: int) -> frozenset[int]:
        """Who takes part in a round; the start state is that of those who take part in round 1."""
        return self._members(round)

    def topology(self, round: int) -> Topology:
        """Who reads whom where neighbours are merged."""
        return self._topology(round)

    def whole(self, round: int) -> Topology:
        """All links, of a graph that changes those of a whole period."""
        of = self._graph(round)
        return self._whole(of.topology, of.members, of.silent)

    def planned_whole(self, round: int) -> Topology:
        """The same if nobody had fallen silent."""
        of = self._graph(round)
        return self._whole(of.topology, of.members, frozenset())

    def mixing(self, round: int) -> NDArray[np.float64]:
        """W: (N, N) float64, read only."""
        return self._mixed(self._graph(round))

    def tree(self, round: int) -> Tree | None:
        """Over which all sites are added up; None where neighbours are merged."""
        plan = self.plan(round)
        return None if plan.over == "neighbours" else self._tree_in(round, plan.over == "star")

    def align_tree(self, round: int) -> Tree:
        """Along which sites align before the merge of a round, 0: before round 0. All links count, of a graph that changes those of
        a whole period."""
        return self._tree_in(round, False)

    def planned_tree(self, round: int) -> Tree:
        """As `align_tree`, if nobody had fallen silent."""
        of = self._graph(round)
        return self._tree(of.topology, of.members, frozenset(), False)

    def _merges_until(self, round: int) -> int:
        """How many rounds 1..`round` merge. Between two amendments they come at equal distances."""
        begins = sorted({1, *(a.from_round for a in self._amendments if a.from_round <= round)})
        total = 0
        for begun, ended in zip(begins, [*(begin - 1 for begin in begins[1:]), round], strict=True):
            # The last round asked for speaks for its part: the end of a run has an interval of its own.
            plan = self.plan(max(round, 1) if ended == round else begun)
            if plan.method != CONTROL_METHOD:
                every = plan.merge.merge_every
                total += ended // every - (begun - 1) // every
        return total

    def _tree_in(self, round: int, is_star: bool) -> Tree:
        of = self._graph(round)
        return self._tree(of.topology, of.members, of.silent, is_star)
