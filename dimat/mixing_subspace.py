"""Weights with which differences between many sites die out fast: a descent that looks at the slowest differences only.

`dimat.fastest_mixing` goes down with all eigenvalues at once, for which it multiplies N x N matrices thousands of times. Here a
block of vectors follows the eigenvectors with the largest |eigenvalue| while the weights change, and only what W does to these
counts. As there, no bit depends on the number of threads: products with N x N are exact, all others are sums that numpy adds
up itself.

Legend: N = sites; L = links; S = columns of the block; M_NN = W - J, J the matrix of 1/N.
Reference: Boyd, Diaconis, Xiao 2004, "Fastest mixing Markov chain on a graph", sec. 5 (subgradient method); several
eigenvectors in place of the one with which it zigzags.
"""

import math

import numpy as np

from dimat.link_weights import Floats, Links, rounded

COLUMNS = 16
STEPS = 100
WARM_UP = 5
"""Steps of the block before the weights begin to change."""
PRODUCTS_A_STEP = 6
FIRST_STEP, LAST_STEP = 0.3, 1e-3
"""Typical change of a weight in a step, in mean weights."""
SQUARINGS = (5, 9)
"""First and last: how much more the slowest differences count than the next ones."""
NOTHING = 1e-9


def descend(links: Links, w_L: Floats) -> Floats:
    """Weights that mix faster than `w_L` as a rule; whoever needs certainty compares. (L,), allowed in the sense of `Links`.

    Args:
        w_L: allowed weights of a connected graph.
    """
    # A fixed start: the same answer every time.
    block_NS = _orthonormal(np.random.default_rng(0).normal(size=(links.n, COLUMNS)))
    for step in range(-WARM_UP, STEPS):
        W_NN = rounded(links.matrix(w_L), links.n)
        for _ in range(PRODUCTS_A_STEP):
            block_NS = _mixed(W_NN, block_NS)
        block_NS = _orthonormal(block_NS)
        if step < 0:
            continue
        done = step / STEPS
        slope_L = _slope(links, W_NN, block_NS, round(SQUARINGS[0] + (SQUARINGS[1] - SQUARINGS[0]) * done))
        typical = math.sqrt(float(np.square(slope_L).mean()))
        if typical < NOTHING:
            break  # what is left does not depend on the weights, or nothing is left
        change = (FIRST_STEP * (1 - done) + LAST_STEP) * float(w_L.mean()) / typical
        w_L = links.allowed(w_L - change * slope_L)
    return w_L


def _mixed(W_NN: Floats, block_NS: Floats) -> Floats:
    """M times the block. `W_NN` is rounded already."""
    peak = max(float(np.abs(block_NS).max()), NOTHING)
    mixed_NS = (W_NN @ rounded(block_NS / peak, len(W_NN))) * peak
    less: Floats = mixed_NS - mixed_NS.mean(axis=0)
    return less


def _slope(links: Links, W_NN: Floats, block_NS: Floats, squarings: int) -> Floats:
    """By w, of log tr(H^q), H what M does within the block, q = 2^squarings + 2; up to a factor > 0: (L,)."""
    H_SS = np.einsum("ns,nt->st", block_NS, _mixed(W_NN, block_NS))
    H_SS = (H_SS + H_SS.T) / max(2 * float(np.abs(H_SS).max()), NOTHING)
    power_SS = H_SS
    for _ in range(squarings):
        power_SS = np.einsum("st,tu->su", power_SS, power_SS)
        power_SS = power_SS / max(float(np.abs(power_SS).max()), NOTHING)
    G_SS = np.einsum("st,tu->su", power_SS, H_SS)
    between_LS = block_NS[links.i] - block_NS[links.j]
    slope_L: Floats = -np.einsum("ls,ls->l", np.einsum("ls,st->lt", between_LS, G_SS), between_LS)
    return slope_L


def _orthonormal(block_NS: Floats) -> Floats:
    """The same space by vectors of length 1 at right angles (Gram-Schmidt, twice over); zero where a vector adds nothing to it."""
    found_SN = np.zeros_like(block_NS.T)
    for k, vector_N in enumerate(block_NS.T):
        given = _length(vector_N)
        for _ in range(2):
            shares = np.einsum("kn,n->k", found_SN[:k], vector_N)
            vector_N = vector_N - np.einsum("k,kn->n", shares, found_SN[:k])
        left = _length(vector_N)
        if left > NOTHING * given:
            found_SN[k] = vector_N / left
    return np.ascontiguousarray(found_SN.T)


def _length(vector_N: Floats) -> float:
    return math.sqrt(float(np.einsum("n,n->", vector_N, vector_N)))
