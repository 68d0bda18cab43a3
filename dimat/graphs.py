"""The graphs a pilot can choose, as links over sites 0..n-1. Pure; what is random follows from a seed.

Reference: Ying et al. 2021, "Exponential graph is provably efficient for decentralized deep training"
(exponential, one-peer exponential); Watts, Strogatz 1998 (small world).
"""

import math
from itertools import combinations

import numpy as np

from dimat.errors import RegularDegreeOdd, SmallWorldDegree, TopologyDegreeTooHigh, TopologyDegreeTooLow
from dimat.topology import Link, Topology

SWAPS_PER_LINK = 10
MOST_SITES_SWAPPED = 200
"""Of a dense random graph: up to so many, seeds have always meant these graphs."""
LEAST_SMALL_WORLD_DEGREE = 4
"""With fewer links a site, rewiring soon cuts the graph into parts."""


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


def bipartite(n: int) -> list[Link]:
    """Each site of the first half (the larger one if n is odd) linked to each of the second."""
    half = (n + 1) // 2
    return [(i, j) for i in range(half) for j in range(half, n)]


def torus_shape(n: int) -> tuple[int, int]:
    """Rows and columns of the torus of n sites: the most nearly square ones; (1, n) if n is prime."""
    rows = next(a for a in range(math.isqrt(n), 0, -1) if n % a == 0)
    return rows, n // rows


def torus(n: int) -> list[Link]:
    """A grid of `torus_shape` whose rows and columns are rings; a ring if n is prime."""
    rows, columns = torus_shape(n)
    right = [(r * columns + c, r * columns + (c + 1) % columns) for r in range(rows) for c in range(columns)]
    down = [(r * columns + c, (r + 1) % rows * columns + c) for r in range(rows) for c in range(columns)]
    return [(i, j) for i, j in right + down if i != j]


def exponential(n: int) -> list[Link]:
    """Each site linked to those 1, 2, 4, 8... places further on, around the end."""
    return [(i, (i + (1 << k)) % n) for i in range(n) for k in range(_doublings(n))]


def one_peer_period(n: int) -> int:
    """Merges after which `one_peer` begins anew: log2 n, rounded up."""
    return max(1, _doublings(n))


def one_peer(n: int, turn: int) -> Topology:
    """The graph of the merge number `turn` (0, 1, 2...), in which each site reads one other, 1, 2, 4, 8... places away.

    Where n is a power of two, i and i XOR 2^k read each other, and with weights of a half all sites hold the mean after
    log2 n merges. For any other n, i reads i + 2^k around the end: one-way, as no such pairing comes round evenly. Each
    site is then read by exactly one other, so that the columns of W sum to 1 as well. Only the links of a
    whole period together connect all sites.
    """
    step = 1 << turn % one_peer_period(n)
    if n & (n - 1):
        return Topology(n, tuple((i, (i + step) % n) for i in range(n)), one_way=True)
    return Topology(n, tuple((i, i ^ step) for i in range(n) if i < i ^ step < n))


def random_regular(n: int, degree: int, seed: int) -> list[Link]:
    """A connected random graph in which each site has `degree` links; `degree` 2 is a ring in random order.

    From a regular graph in random order by swaps of link ends, which keep every degree. Of many sites with more than half of all links
    what is drawn so are the links that are missing, which are fewer.

    Raises:
        TopologyDegreeTooHigh: not enough sites. TopologyDegreeTooLow: below 2, but for a pair of sites and their one link.
        RegularDegreeOdd: n * degree is odd.
    """
    _check_degree(n, degree)
    if degree < min(2, n - 1):
        raise TopologyDegreeTooLow(degree=degree, n=n)
    if n * degree % 2:
        raise RegularDegreeOdd(n=n, degree=degree)
    rng = np.random.default_rng(seed)
    order = rng.permutation(n).tolist()
    missing = n - 1 - degree
    if n > MOST_SITES_SWAPPED and missing < degree:
        # Connected: any two sites that are not linked have one in common.
        absent = set(_swapped(_regular(order, missing), rng) if missing else ())
        return [link for link in full(n) if link not in absent]
    links = _regular(order, degree)
    if degree == 2:
        return links
    while True:
        links = _swapped(links, rng)
        # All but a few of them are connected from 3 links a site on.
        if Topology(n, tuple(links)).is_connected():
            return links


def _regular(order: list[int], degree: int) -> list[Link]:
    """Each site linked to the nearest ones in a ring of this order."""
    n = len(order)
    around = [(order[i], order[(i + k) % n]) for i in range(n) for k in range(1, degree // 2 + 1)]
    across = [(order[i], order[i + n // 2]) for i in range(n // 2)] if degree % 2 else []
    return [_ordered(*link) for link in around + across]


def small_world(n: int, degree: int, probability: float, seed: int) -> list[Link]:
    """A ring in which each site is linked to the `degree` nearest, and each link is then turned, with `probability`, to
    a random other site. Hardly ever in parts; `from_links` refuses it then, and another seed helps.

    Raises:
        SmallWorldDegree: `degree` odd or below 4. TopologyDegreeTooHigh: not enough sites.
    """
    if degree % 2 or degree < LEAST_SMALL_WORLD_DEGREE:
        raise SmallWorldDegree(degree=degree)
    _check_degree(n, degree)
    rng = np.random.default_rng(seed)
    near: list[set[int]] = [set() for _ in range(n)]
    for i in range(n):
        for k in range(1, degree // 2 + 1):
            near[i].add((i + k) % n)
            near[(i + k) % n].add(i)
    for k in range(1, degree // 2 + 1):
        for i, draw in enumerate(rng.random(n).tolist()):
            if draw < probability and len(near[i]) < n - 1:
                j, other = (i + k) % n, i
                while other == i or other in near[i]:
                    other = int(rng.integers(n))
                near[i] ^= {j, other}
                near[j].remove(i)
                near[other].add(i)
    return [(i, j) for i in range(n) for j in sorted(near[i]) if i < j]


def _check_degree(n: int, degree: int) -> None:
    if degree >= n:
        raise TopologyDegreeTooHigh(degree=degree, n=n)


def _doublings(n: int) -> int:
    """How many of 1, 2, 4, 8... are smaller than n."""
    return (n - 1).bit_length()


def _ordered(i: int, j: int) -> Link:
    return (i, j) if i < j else (j, i)


def _swapped(links: list[Link], rng: np.random.Generator) -> list[Link]:
    """The links after many random swaps (a-b, c-d become a-d, c-b), without doubling any."""
    found, known = list(links), set(links)
    picks = rng.integers(len(links), size=(SWAPS_PER_LINK * len(links), 2)).tolist()
    turned = rng.integers(2, size=len(picks)).tolist()
    for (one, other), turn in zip(picks, turned, strict=True):
        a, b = found[one]
        c, d = found[other][::-1] if turn else found[other]
        first, second = _ordered(a, d), _ordered(c, b)
        if len({a, b, c, d}) == 4 and first not in known and second not in known:
            known -= {found[one], found[other]}
            known |= {first, second}
            found[one], found[other] = first, second
    return found
