"""Which sites join a round, or come back to it, and whose model they go on with. Pure; answers are remembered."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cache, cached_property

from dimat.methods import CONTROL_METHOD
from dimat.plan import ArmPlan
from dimat.topology import Topology, nearest


class Joining:
    """Sites that take part in a round 2..R and did not in the one before.

    Where models are merged they take over the latest model of a neighbour: their own is of long ago, or was never in the others' order
    of units. Where nobody merges they go on with their own.
    """

    def __init__(
        self,
        turns: AbstractSet[int],
        plan_of: Callable[[int], ArmPlan],
        members_of: Callable[[int], frozenset[int]],
        planned_whole_of: Callable[[int], Topology],
        finished: Callable[[int, int], bool],
    ) -> None:
        """As `Schedule`. `turns`: rounds 2..R in which members may be others than in the round before. `finished`: whether (site, round), of a round in which the site takes part, has a last model."""
        self._turns = turns

        @cache
        def sources(round: int) -> Mapping[int, int | None]:
            if round not in turns:
                return {}
            before = members_of(round - 1)
            new = sorted(members_of(round) - before)
            if not new or plan_of(round).method == CONTROL_METHOD:
                return dict.fromkeys(new)
            ready = {site for site in before if finished(site, round - 1)}
            near, any_other = nearest(planned_whole_of(round), ready), min(ready, default=None)
            return {site: near.get(site, any_other) for site in new}

        self.sources = sources
        """Of a round 0..R who joins, and who it is whose model each takes over: the nearest in the graph that finished the round
        before, of several, and where there is no way to any, the first. None: its own goes on. Who falls silent in the round itself changes nothing: that may be after
        the model was taken over, and what others left is there."""

    def joins(self, site: int, round: int) -> bool:
        return site in self.sources(round)

    def rounds_of(self, site: int) -> Sequence[int]:
        """In which the site joins or comes back, ascending."""
        return self._rounds_of.get(site, ())

    @cached_property
    def _rounds_of(self) -> Mapping[int, Sequence[int]]:
        found: dict[int, list[int]] = {}
        for round in sorted(self._turns):
            for site in self.sources(round):
                found.setdefault(site, []).append(round)
        return found
