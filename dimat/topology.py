"""Graphs over sites and the mixing matrices on them. Sites are indices 0..n-1 in the order of the spec.

Legend: N = number of sites; W_NN row-stochastic: row i says what site i mixes.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from dimat.errors import (
    MixingNegative,
    MixingOffLink,
    MixingRowSum,
    MixingShape,
    TopologyDisconnected,
    TopologySelfLink,
    TopologyTooSmall,
)

Link = tuple[int, int]
ROW_SUM_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Topology:
    """An undirected graph over N sites.

    Attributes:
        n: number of sites, >= 1.
        links: (i, j) with i < j, sorted, no duplicates.
    """

    n: int
    links: tuple[Link, ...]

    def neighbours(self, site: int) -> tuple[int, ...]:
        """Sites linked to `site`, ascending, `site` itself excluded."""
        return self._adjacency[site]

    def degrees(self) -> tuple[int, ...]:
        """Number of neighbours of each site."""
        return tuple(len(near) for near in self._adjacency)

    @cached_property
    def _adjacency(self) -> tuple[tuple[int, ...], ...]:
        near: list[list[int]] = [[] for _ in range(self.n)]
        for i, j in self.links:
            near[i].append(j)
            near[j].append(i)
        return tuple(tuple(sorted(sites)) for sites in near)


def from_links(n: int, links: Iterable[Link], names: Sequence[str] | None = None) -> Topology:
    """A topology from links in any order and direction.

    Raises:
        TopologyTooSmall: fewer than 2 sites. TopologySelfLink: a link (i, i).
        TopologyDisconnected: some site cannot be reached. `names` are used in the messages.
    """
    label = list(names) if names is not None else [str(i) for i in range(n)]
    if n < 2:
        raise TopologyTooSmall(n=n)
    unique = set()
    for i, j in links:
        if i == j:
            raise TopologySelfLink(name=label[i])
        unique.add((min(i, j), max(i, j)))
    topology = Topology(n, tuple(sorted(unique)))
    unreached = sorted(set(range(n)) - _reached_from(topology, 0))
    if unreached:
        raise TopologyDisconnected(a=label[0], b=label[unreached[0]])
    return topology


def ring(n: int) -> list[Link]:
    """Each site linked to the next, the last to the first; a ring of 2 is one link."""
    return [(i, (i + 1) % n) for i in range(n if n > 2 else n - 1)]


def line(n: int) -> list[Link]:
    """Each site linked to the next."""
    return [(i, i + 1) for i in range(n - 1)]


def full(n: int) -> list[Link]:
    """Every pair of sites linked."""
    return list(combinations(range(n), 2))


def star(n: int, hub: int = 0) -> list[Link]:
    """All sites linked to `hub` only."""
    return [(hub, i) for i in range(n) if i != hub]


def metropolis(topology: Topology) -> NDArray[np.float64]:
    """Metropolis-Hastings weights, symmetric and doubly stochastic: (N, N) float64.

    W_ij = 1 / (1 + max(d_i, d_j)) on links, the rest on the diagonal.
    Reference: Xiao, Boyd 2004, "Fast linear iterations for distributed averaging", sec. 4.2.
    """
    degree = topology.degrees()
    W_NN = np.zeros((topology.n, topology.n))
    for i, j in topology.links:
        W_NN[i, j] = W_NN[j, i] = 1.0 / (1 + max(degree[i], degree[j]))
    np.fill_diagonal(W_NN, 1.0 - W_NN.sum(axis=1))
    return W_NN


def uniform(topology: Topology) -> NDArray[np.float64]:
    """Every site mixes itself and its neighbours with equal weight: (N, N) float64, row-stochastic."""
    W_NN = np.eye(topology.n)
    for i, j in topology.links:
        W_NN[i, j] = W_NN[j, i] = 1.0
    normalised: NDArray[np.float64] = W_NN / W_NN.sum(axis=1, keepdims=True)
    return normalised


def check_mixing(
    rows: Sequence[Sequence[float]], topology: Topology, names: Sequence[str]
) -> NDArray[np.float64]:
    """Given weights as a matrix: (N, N) float64, rows summing to 1, zero where there is no link.

    Raises:
        MixingShape, MixingNegative, MixingOffLink, MixingRowSum: naming the site and the value.
    """
    n = topology.n
    if len(rows) != n:
        raise MixingShape(n=n, row=len(rows), width=0)
    for index, row in enumerate(rows):
        if len(row) != n:
            raise MixingShape(n=n, row=index + 1, width=len(row))
    W_NN = np.array(rows, dtype=np.float64)
    linked = set(topology.links)
    for i, j in np.ndindex(n, n):
        value = float(W_NN[i, j])
        if not 0.0 <= value <= 1.0:
            raise MixingNegative(a=names[i], b=names[j], value=value)
        if i != j and value and (min(i, j), max(i, j)) not in linked:
            raise MixingOffLink(a=names[i], b=names[j], value=value)
    for i, total in enumerate(W_NN.sum(axis=1)):
        if abs(total - 1.0) > ROW_SUM_TOLERANCE:
            raise MixingRowSum(name=names[i], total=float(total))
    return W_NN


def second_eigenvalue(W_NN: NDArray[np.float64]) -> float:
    """|lambda_2(W)|, 0..1: how fast differences between sites die out, lower is faster.

    Reference: Xiao, Boyd 2004. Ring of 5 with Metropolis weights: 0.539.
    """
    moduli = np.sort(np.abs(np.linalg.eigvals(W_NN)))[::-1]
    return float(min(moduli[1], 1.0)) if len(moduli) > 1 else 0.0


def spanning_tree(topology: Topology) -> tuple[int | None, ...]:
    """Parent of each site in a breadth-first tree from the best-connected site (lowest index on a tie).

    The root's parent is None; siblings are visited in ascending order, so the tree is unique.
    """
    degree = topology.degrees()
    root = max(range(topology.n), key=lambda i: (degree[i], -i))
    parents: list[int | None] = [None] * topology.n
    seen, queue = {root}, deque([root])
    while queue:
        site = queue.popleft()
        for neighbour in topology.neighbours(site):
            if neighbour not in seen:
                seen.add(neighbour)
                parents[neighbour] = site
                queue.append(neighbour)
    return tuple(parents)


def _reached_from(topology: Topology, start: int) -> set[int]:
    seen, queue = {start}, deque([start])
    while queue:
        for neighbour in topology.neighbours(queue.popleft()):
            if neighbour not in seen:
                seen.add(neighbour)
                queue.append(neighbour)
    return seen
