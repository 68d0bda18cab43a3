"""Weights with which differences between sites die out fastest on a given graph.

Whoever plans a run works them out: the coordinator, which sends them with every merge, and `simulate`. Both must find the
same bits, whatever else their processes do. So nothing here depends on the order in which a library of linear algebra
adds up: factors are rounded to so few bits that every sum of products is exact.

Above `ALL_EIGENVALUES_UP_TO` sites that takes too long, and `dimat.mixing_subspace` finds weights that are compared here.

Legend: N = sites; L = links; M_NN = W - J, J the matrix of 1/N: its largest |eigenvalue| is |lambda_2(W)|.
Reference: Boyd, Diaconis, Xiao 2004, "Fastest mixing Markov chain on a graph".
"""

import math
from functools import lru_cache

import numpy as np

from dimat import mixing_subspace
from dimat.errors import MixingTooLarge
from dimat.link_weights import Floats, Links, rounded
from dimat.topology import Topology, metropolis

MOST_SITES = 1_000
"""Comparing two W takes 34 products of N x N matrices: a few seconds for so many sites."""
ALL_EIGENVALUES_UP_TO = 200
"""Each of a few hundred steps multiplies N x N matrices several times: about a second for so many sites."""
SQUARINGS = range(2, 9)
MOST_STEPS = 40
FINAL_SQUARINGS = 16
TOLERANCE = 1e-7


def check_size(n: int) -> None:
    """Raises: MixingTooLarge: more sites than weights can be optimised for."""
    if n > MOST_SITES:
        raise MixingTooLarge(n=n, most=MOST_SITES)


@lru_cache(maxsize=16)
def optimised(topology: Topology) -> Floats:
    """Symmetric, non-negative weights on the links with the smallest |lambda_2| found: (N, N) float64, read-only.

    Never slower than `metropolis`, which is the start and the answer where nothing better is found. The same bits in every
    process on a machine. Remembered, as every run of a pilot asks for the same.

    Raises: MixingTooLarge.
    """
    check_size(topology.n)
    start_NN = metropolis(topology)
    ends = np.array(topology.links, dtype=np.intp).reshape(-1, 2)
    links = Links(topology.n, ends[:, 0], ends[:, 1])
    start_L = start_NN[links.i, links.j]
    q, limit = _exponent(FINAL_SQUARINGS), _log_size(links, start_L, FINAL_SQUARINGS)
    if limit == -math.inf:
        found_L = start_L  # all is mixed at once
    else:
        few = topology.n <= ALL_EIGENVALUES_UP_TO
        found_L = _descend(links, start_L) if few else mixing_subspace.descend(links, start_L)
    # The size is at most N^(1/q) times the eigenvalue: with this margin the eigenvalue itself is smaller.
    better = _log_size(links, found_L, FINAL_SQUARINGS) < limit - math.log(topology.n) / q - TOLERANCE
    W_NN = links.matrix(found_L) if better else start_NN
    W_NN.flags.writeable = False
    return W_NN


def _exponent(squarings: int) -> int:
    return (1 << squarings) + 2


def _descend(links: Links, w_L: Floats) -> Floats:
    """The largest |eigenvalue| of M is approached from above by tr(M^q)^(1/q), which is smooth: projected gradient descent for
    q = 6, 10, 18, ... 258, each from the weights found before."""
    step = 0.1
    for squarings in SQUARINGS:
        size, slope_L = _size(links, w_L, squarings)
        for _ in range(MOST_STEPS):
            before = size
            while step > TOLERANCE:
                scale = step * float(w_L.max()) / max(float(np.abs(slope_L).max()), TOLERANCE)
                tried_L = links.allowed(w_L - scale * slope_L)
                new_size, new_slope_L = _size(links, tried_L, squarings)
                if new_size < size:
                    w_L, size, slope_L = tried_L, new_size, new_slope_L
                    step *= 1.5
                    break
                step /= 2
            if before - size < TOLERANCE:
                break
        step = max(step, 1e-3)
    return w_L


def _log_size(links: Links, w_L: Floats, squarings: int) -> float:
    return _size(links, w_L, squarings)[0]


def _size(links: Links, w_L: Floats, squarings: int) -> tuple[float, Floats]:
    """log(tr(M^q)) / q, -inf where M is nothing but rounding, and its gradient by w up to a factor > 0."""
    M_NN = links.matrix(w_L) - 1.0 / links.n
    largest = float(np.abs(M_NN).max())
    if largest < TOLERANCE:
        return -math.inf, np.zeros_like(w_L)
    M_NN /= largest
    power_NN, log = M_NN, 0.0
    for _ in range(squarings):
        power_NN = _product(power_NN, power_NN)
        peak = float(np.abs(power_NN).max())
        power_NN, log = power_NN / peak, 2 * log + math.log(peak)
    G_NN = _product(power_NN, M_NN)
    trace = float((G_NN * M_NN).sum())
    diagonal = np.diag(G_NN)
    slope_L = 2 * G_NN[links.i, links.j] - diagonal[links.i] - diagonal[links.j]
    return math.log(largest) + (math.log(trace) + log) / _exponent(squarings), slope_L / trace


def _product(A_NN: Floats, B_NN: Floats) -> Floats:
    """A B of factors within -1..1, exact after rounding them."""
    product: Floats = rounded(A_NN, len(A_NN)) @ rounded(B_NN, len(B_NN))
    return product
