"""Weights with which differences between sites die out fastest on a given graph.

Whoever plans a run works them out: the coordinator, which sends them with every merge, and `simulate`. Both must find the
same bits, whatever else their processes do. So nothing here depends on the order in which a library of linear algebra
adds up: factors are rounded to so few bits that every sum of products is exact.

Legend: N = sites; M_NN = W - J, J the matrix of 1/N: its largest |eigenvalue| is |lambda_2(W)|.
Reference: Boyd, Diaconis, Xiao 2004, "Fastest mixing Markov chain on a graph".
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dimat.errors import MixingTooLarge
from dimat.topology import Topology, metropolis

Floats = NDArray[np.float64]
MOST_SITES = 200
"""Each of a few hundred steps multiplies N x N matrices several times: about a second for so many sites."""
SQUARINGS = range(2, 9)
MOST_STEPS = 40
FINAL_SQUARINGS = 16
TOLERANCE = 1e-7
MANTISSA_BITS = 53


def check_size(n: int) -> None:
    """Raises: MixingTooLarge: more sites than weights can be optimised for."""
    if n > MOST_SITES:
        raise MixingTooLarge(n=n, most=MOST_SITES)


@lru_cache(maxsize=16)
def optimised(topology: Topology) -> Floats:
    """Symmetric, non-negative weights on the links with the smallest |lambda_2| found: (N, N) float64, read-only.

    Never slower than `metropolis`, which is the start and the answer where nothing better is found. The same bits in every
    process on a machine. Remembered, as every run of a pilot asks for the same.

    The largest |eigenvalue| of M is approached from above by tr(M^q)^(1/q), which is smooth: projected gradient descent for
    q = 6, 10, 18, ... 258, each from the weights found before.

    Raises: MixingTooLarge.
    """
    check_size(topology.n)
    start_NN = metropolis(topology)
    ends = np.array(topology.links, dtype=np.intp).reshape(-1, 2)
    problem = _Problem(topology.n, ends[:, 0], ends[:, 1])
    start = start_NN[problem.i, problem.j]
    found = problem.descend(start)
    q, limit = _exponent(FINAL_SQUARINGS), problem.log_size(start, FINAL_SQUARINGS)
    # The size is at most N^(1/q) times the eigenvalue: with this margin the eigenvalue itself is smaller.
    better = problem.log_size(found, FINAL_SQUARINGS) < limit - math.log(topology.n) / q - TOLERANCE
    W_NN = problem.matrix(found) if better else start_NN
    W_NN.flags.writeable = False
    return W_NN


def _exponent(squarings: int) -> int:
    return (1 << squarings) + 2


@dataclass(frozen=True)
class _Problem:
    """Weights w of the links (i[k], j[k]), to be chosen."""

    n: int
    i: NDArray[np.intp]
    j: NDArray[np.intp]

    def descend(self, w: Floats) -> Floats:
        if self.log_size(w, SQUARINGS[0]) == -math.inf:
            return w  # all is mixed at once
        step = 0.1
        for squarings in SQUARINGS:
            size, slope = self._size(w, squarings)
            for _ in range(MOST_STEPS):
                before = size
                while step > TOLERANCE:
                    scale = step * float(w.max()) / max(float(np.abs(slope).max()), TOLERANCE)
                    tried = self._allowed(w - scale * slope)
                    new_size, new_slope = self._size(tried, squarings)
                    if new_size < size:
                        w, size, slope = tried, new_size, new_slope
                        step *= 1.5
                        break
                    step /= 2
                if before - size < TOLERANCE:
                    break
            step = max(step, 1e-3)
        return w

    def matrix(self, w: Floats) -> Floats:
        """W: (N, N) with the weights on the links and the rest on the diagonal."""
        W_NN = np.zeros((self.n, self.n))
        W_NN[self.i, self.j] = W_NN[self.j, self.i] = w
        np.fill_diagonal(W_NN, np.maximum(1.0 - W_NN.sum(axis=1), 0.0))
        return W_NN

    def log_size(self, w: Floats, squarings: int) -> float:
        return self._size(w, squarings)[0]

    def _size(self, w: Floats, squarings: int) -> tuple[float, Floats]:
        """log(tr(M^q)) / q, -inf where M is nothing but rounding, and its gradient by w up to a factor > 0."""
        M_NN = self.matrix(w) - 1.0 / self.n
        largest = float(np.abs(M_NN).max())
        if largest < TOLERANCE:
            return -math.inf, np.zeros_like(w)
        M_NN /= largest
        power_NN, log = M_NN, 0.0
        for _ in range(squarings):
            power_NN = self._product(power_NN, power_NN)
            peak = float(np.abs(power_NN).max())
            power_NN, log = power_NN / peak, 2 * log + math.log(peak)
        G_NN = self._product(power_NN, M_NN)
        trace = float((G_NN * M_NN).sum())
        diagonal = np.diag(G_NN)
        slope = 2 * G_NN[self.i, self.j] - diagonal[self.i] - diagonal[self.j]
        return math.log(largest) + (math.log(trace) + log) / _exponent(squarings), slope / trace

    def _product(self, A_NN: Floats, B_NN: Floats) -> Floats:
        """A B of factors within -1..1, rounded so that no sum of products needs more bits than a float64 has."""
        scale = 2.0 ** ((MANTISSA_BITS - math.ceil(math.log2(self.n))) // 2)
        product: Floats = (np.rint(A_NN * scale) @ np.rint(B_NN * scale)) / scale**2
        return product

    def _allowed(self, w: Floats) -> Floats:
        """Non-negative weights of which no site gives away more than 1."""
        w = np.maximum(w, 0.0)
        given = np.bincount(self.i, w, self.n) + np.bincount(self.j, w, self.n)
        too_much = np.maximum(given, 1.0)
        allowed: Floats = w / np.maximum(too_much[self.i], too_much[self.j])
        return allowed
