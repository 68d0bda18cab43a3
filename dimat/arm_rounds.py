"""How each round of an arm runs: its plan, who reads whom, and with which weights. Answers are remembered, as they are asked for often."""

from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from dimat.plan import Amendment, ArmPlan, effective_spec
from dimat.spec import PilotSpec
from dimat.topology import Topology, spanning_tree
from dimat.topology_spec import TopologySpec
from dimat.tree import Tree


class ArmRounds:
    """Rounds 1..R of one arm. Plans and topologies are built once for each set of amendments in force.

    Of a graph that changes with every merge, the one whose turn it is: merges are counted, not rounds, so that no graph is left out
    where only some rounds merge.

    Raises: as `effective_spec`.
    """

    def __init__(self, spec: PilotSpec, arm: str, amendments: Sequence[Amendment] = ()) -> None:
        self._spec, self._amendments = spec, tuple(amendments)
        self._names = names = spec.site_names

        @cache
        def plan_under(in_force: tuple[int, ...], rounds_left: int) -> ArmPlan:
            some_round = spec.rounds - rounds_left
            return effective_spec(spec, arm, [amendments[k] for k in in_force], some_round)

        @cache
        def built(topology: TopologySpec, turn: int) -> Topology:
            return topology.build(names, turn)

        # Rounds of all sites lie close together: no need to keep many matrices of a thousand sites squared.
        @lru_cache(maxsize=2)
        def mixed(topology: TopologySpec, turn: int) -> NDArray[np.float64]:
            return topology.mixing_matrix(names, turn)

        @cache
        def tree(topology: TopologySpec, is_star: bool) -> Tree:
            over = Tree.of(spanning_tree(topology.whole(names)))
            return over.as_star() if is_star else over

        self._plan_under, self._built, self._mixed, self._tree = plan_under, built, mixed, tree

    def plan(self, round: int) -> ArmPlan:
        """All overrides and amendments applied."""
        in_force = tuple(k for k, a in enumerate(self._amendments) if a.from_round <= round)
        # Beyond the last two rounds it does not matter how many are left.
        return self._plan_under(in_force, min(self._spec.rounds - round, 2))

    def topology(self, round: int) -> Topology:
        """Who reads whom where neighbours are merged."""
        return self._built(*self._turn(round))

    def mixing(self, round: int) -> NDArray[np.float64]:
        """W: (N, N) float64, read only."""
        return self._mixed(*self._turn(round))

    def tree(self, round: int) -> Tree | None:
        """Over which all sites are added up; None where neighbours are merged."""
        plan = self.plan(round)
        return None if plan.over == "neighbours" else self._tree(plan.topology, plan.over == "star")

    def align_tree(self, round: int) -> Tree:
        """Along which sites align before the merge of a round, 0: before round 0. All links count, of a graph that changes those of
        a whole period."""
        return self._tree(self.plan(max(round, 1)).topology, False)

    def _turn(self, round: int) -> tuple[TopologySpec, int]:
        plan = self.plan(round)
        period = plan.topology.period(len(self._names))
        return plan.topology, (round // plan.merge.merge_every - 1) % period
