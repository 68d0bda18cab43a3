"""Whether what sites found of each other's units agrees all around the graph. Light: numpy, no torch.

Site i says which unit of its neighbour j does what each of its own units does. Followed around a cycle of sites this should
lead back to the unit one began with; where every site keeps a basis of its own nothing makes it.

Legend: U = units of all groups one behind the other, M = neighbours.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dimat.topology import Link, Topology, spanning_tree

Units = NDArray[np.int64]
"""(U,): for each own unit the neighbour's unit that was put in its place."""
MOST_CYCLES = 256
"""Of more, evenly spread ones are looked at: a full graph of n sites has (n - 1) (n - 2) / 2."""


def cycles(topology: Topology) -> tuple[tuple[int, ...], ...]:
    """The fundamental cycles: each link outside a breadth-first spanning tree, closed by the way through the tree. Each as its
    sites in order, once around. Of a graph without a cycle every link there and back; none of a one-way graph, whose sites
    do not look at each other.
    """
    if topology.one_way:
        return ()
    parents = spanning_tree(topology)
    outside = [(i, j) for i, j in topology.links if parents[i] != j and parents[j] != i]
    if not outside:
        return topology.links
    return tuple(_around(parents, link) for link in _spread(outside))


def inconsistency(topology: Topology, found: Mapping[Link, Units]) -> float | None:
    """Mean share of units that do not come back to themselves: over the `cycles`, and in each over all units, so that a group
    counts by its size. 0 (one common basis would do) to 1; None where no cycle is known all around.

    Args:
        found: by (own site, neighbour). Cycles with a link that is missing (a rejected model), or on which the numbers of
            units differ, are left out.
    """
    shares = []
    for cycle in cycles(topology):
        steps = [found.get(link) for link in zip(cycle, (*cycle[1:], cycle[0]), strict=True)]
        known = [units for units in steps if units is not None]
        if len(known) < len(steps) or len({len(units) for units in known}) > 1 or not len(known[0]):
            continue
        at = start = np.arange(len(known[0]))
        for units in known:
            at = units[at]
        shares.append(float(np.mean(at != start)))
    return sum(shares) / len(shares) if shares else None


def is_permutation(units_U: NDArray[np.int64]) -> bool:
    """Whether every unit occurs once."""
    return bool(np.array_equal(np.sort(units_U), np.arange(len(units_U))))


def _around(parents: Sequence[int | None], link: Link) -> tuple[int, ...]:
    """From the first end over the link to the second, and through the tree back."""
    up, down = (_to_root(parents, site) for site in link)
    meeting = next(site for site in down if site in up)
    return (link[0], *down[: down.index(meeting) + 1], *reversed(up[1 : up.index(meeting)]))


def _to_root(parents: Sequence[int | None], site: int) -> list[int]:
    path = [site]
    while (above := parents[path[-1]]) is not None:
        path.append(above)
    return path


def _spread(links: list[Link]) -> Iterable[Link]:
    if len(links) <= MOST_CYCLES:
        return links
    return [links[k * len(links) // MOST_CYCLES] for k in range(MOST_CYCLES)]
