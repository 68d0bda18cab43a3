"""Graphs over sites and the mixing matrices on them. Sites are indices 0..n-1 in the order of the spec.

The graphs themselves are made in `dimat.graphs`, the weights that mix fastest in `dimat.fastest_mixing`.

Legend: N = number of sites; W_NN row-stochastic: row i says what site i mixes.
"""

import math
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

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
MIXED = 0.01
"""Differences between sites count as gone when a hundredth of them is left."""


@dataclass(frozen=True)
class Topology:
    """A graph over N sites: who reads whose model in a merge.

    Attributes:
        n: number of sites, >= 1.
        links: sorted, no duplicates: (i, j) with i < j, both read each other; of a one-way graph (i, j): i reads j.
        one_way: whether links are read in one direction only.
    """

    n: int
    links: tuple[Link, ...]
    one_way: bool = False

    def neighbours(self, site: int) -> tuple[int, ...]:
        """Sites whose models `site` reads, ascending, `site` itself excluded."""
        return self._reads[site]

    def readers(self, site: int) -> tuple[int, ...]:
        """Sites that read the model of `site`, ascending; its neighbours unless the graph is one-way."""
        return self._readers[site]

    def degrees(self) -> tuple[int, ...]:
        """Number of neighbours of each site."""
        return tuple(len(near) for near in self._reads)

    def without(self, silent: Collection[int]) -> "Topology":
        """The graph without the links of the `silent` sites."""
        out = set(silent)
        links = tuple((i, j) for i, j in self.links if i not in out and j not in out)
        return Topology(self.n, links, self.one_way)

    def is_connected(self) -> bool:
        """Whether a path of reads leads from the first site to every other."""
        return len(_reached_from(self, 0)) == self.n

    @cached_property
    def _reads(self) -> tuple[tuple[int, ...], ...]:
        back = [] if self.one_way else [(j, i) for i, j in self.links]
        return _by_first(self.n, [*self.links, *back])

    @cached_property
    def _readers(self) -> tuple[tuple[int, ...], ...]:
        return _by_first(self.n, [(j, i) for i, j in self.links]) if self.one_way else self._reads


def linked(n: int, topology: Topology, sites: Sequence[int]) -> Topology:
    """The same graph among the `sites` of `n`: its site k is `sites[k]`, ascending. The others have no links."""
    return Topology(n, tuple((sites[i], sites[j]) for i, j in topology.links), topology.one_way)


def from_links(n: int, links: Iterable[Link], names: Sequence[str] | None = None) -> Topology:
    """A connected topology from links in any order and direction.

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
    """Every site mixes itself and its neighbours with equal weight: (N, N) float64, row-stochastic.

    Where all sites have one and the same number of neighbours and readers, columns sum to 1 as well.
    """
    W_NN = np.eye(topology.n)
    for site in range(topology.n):
        W_NN[site, list(topology.neighbours(site))] = 1.0
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
    for index, row in enumerate(rows):
        if len(row) != n or index >= n:
            raise MixingShape(n=n, row=index + 1, width=len(row))
    if len(rows) < n:
        raise MixingShape(n=n, row=len(rows) + 1, width=0)
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
    symmetric = bool((W_NN == W_NN.T).all())
    found = np.linalg.eigvalsh(W_NN) if symmetric else np.linalg.eigvals(W_NN)
    moduli = np.sort(np.abs(found))[::-1]
    return float(min(moduli[1], 1.0)) if len(moduli) > 1 else 0.0


def rounds_to_mix(eigenvalue: float, period: int = 1) -> int | None:
    """Merges until differences fall to `MIXED`; None when they never do.

    Args:
        eigenvalue: 0..1, of W, or of the product of the `period` matrices of a graph that changes.
        period: merges after which such a graph begins anew; whole periods are counted.
    """
    if eigenvalue >= 1.0 - 1e-12:
        return None
    return period * (1 if eigenvalue <= MIXED else math.ceil(math.log(MIXED) / math.log(eigenvalue)))


def without(W_NN: NDArray[np.float64], silent: Collection[int]) -> NDArray[np.float64]:
    """W where the `silent` sites take no part: (N, N) float64, rows summing to 1 as before.

    The weight of a silent neighbour goes to the own model; a silent site keeps its own. A symmetric W stays symmetric, so
    that the mean over all sites, the silent ones with their last models, is kept.

    Args:
        W_NN: (N, N) float64, row-stochastic. silent: indices 0..N-1, each once or more.
    """
    left_NN = W_NN.copy()
    out = sorted(set(silent))
    missing_N = left_NN[:, out].sum(axis=1)
    left_NN[:, out] = 0.0
    # Rows that lose nothing keep their bits: what was sent by them stays as it is.
    own = np.flatnonzero(missing_N)
    left_NN[own, own] += missing_N[own]
    left_NN[out, :] = 0.0
    left_NN[out, out] = 1.0
    return left_NN


def distances(topology: Topology, start: int) -> dict[int, int]:
    """Links from `start` to each site that can be reached, itself included (0)."""
    found, queue = {start: 0}, deque([start])
    while queue:
        site = queue.popleft()
        for neighbour in topology.neighbours(site):
            if neighbour not in found:
                found[neighbour] = found[site] + 1
                queue.append(neighbour)
    return found


def nearest(topology: Topology, places: Iterable[int]) -> dict[int, int]:
    """By site from which one of `places` can be reached, itself among them, the nearest; of several as near the lowest."""
    found = {place: place for place in places}
    ring = sorted(found)
    while ring:
        reached: dict[int, int] = {}
        for site in ring:
            for reader in topology.readers(site):
                if reader not in found:
                    reached[reader] = min(found[site], reached.get(reader, found[site]))
        found |= reached
        ring = sorted(reached)
    return found


def spanning_tree(topology: Topology) -> tuple[int | None, ...]:
    """Parent of each site in a breadth-first tree from the best-connected site (lowest index on a tie).

    The root's parent is None; siblings are visited in ascending order, so the tree is unique. Each part of a graph that is not
    connected has a tree of its own.
    """
    degree = topology.degrees()
    parents: list[int | None] = [None] * topology.n
    seen: set[int] = set()
    for root in sorted(range(topology.n), key=lambda site: (-degree[site], site)):
        if root in seen:
            continue
        seen.add(root)
        queue = deque([root])
        while queue:
            site = queue.popleft()
            for neighbour in topology.neighbours(site):
                if neighbour not in seen:
                    seen.add(neighbour)
                    parents[neighbour] = site
                    queue.append(neighbour)
    return tuple(parents)


def _by_first(n: int, pairs: Iterable[Link]) -> tuple[tuple[int, ...], ...]:
    """For each site the second members of its pairs, ascending."""
    found: list[list[int]] = [[] for _ in range(n)]
    for first, second in pairs:
        found[first].append(second)
    return tuple(tuple(sorted(sites)) for sites in found)


def _reached_from(topology: Topology, start: int) -> set[int]:
    return set(distances(topology, start))
