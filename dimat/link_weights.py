"""Weights on the links of a graph as a vector and as a matrix, and products whose bits do not depend on the order of adding.

Legend: N = sites; L = links; S = columns of a block.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MANTISSA_BITS = 53


@dataclass(frozen=True)
class Links:
    """Links (i[k], j[k]) between n sites, each with a weight w[k] >= 0.

    Attributes:
        i, j: (L,) of 0..n-1, i < j.
    """

    n: int
    i: NDArray[np.intp]
    j: NDArray[np.intp]

    def matrix(self, w_L: Floats) -> Floats:
        """W: (N, N) with the weights on the links and the rest on the diagonal."""
        W_NN = np.zeros((self.n, self.n))
        W_NN[self.i, self.j] = W_NN[self.j, self.i] = w_L
        np.fill_diagonal(W_NN, np.maximum(1.0 - W_NN.sum(axis=1), 0.0))
        return W_NN

    def allowed(self, w_L: Floats) -> Floats:
        """Non-negative weights of which no site gives away more than 1: (L,)."""
        w_L = np.maximum(w_L, 0.0)
        given = np.bincount(self.i, w_L, self.n) + np.bincount(self.j, w_L, self.n)
        too_much = np.maximum(given, 1.0)
        allowed: Floats = w_L / np.maximum(too_much[self.i], too_much[self.j])
        return allowed


def rounded(A: Floats, num_terms: int) -> Floats:
    """Values within -1..1 with so few bits that a sum of `num_terms` products of two of them needs no more than a float64 has.

    A product of matrices of such values is exact, and so the same for any number of threads.
    """
    scale = 2.0 ** ((MANTISSA_BITS - math.ceil(math.log2(num_terms))) // 2)
    coarse: Floats = np.rint(A * scale) / scale
    return coarse
