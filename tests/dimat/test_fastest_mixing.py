"""Weights with which differences die out fastest."""

import hashlib
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dimat import graphs, mixing_subspace
from dimat.fastest_mixing import ALL_EIGENVALUES_UP_TO, optimised
from dimat.link_weights import Links
from dimat.topology import Topology, from_links, metropolis, second_eigenvalue


def ring(n: int) -> float:
    """The known optimum: equal weights on a ring such that both ends of the spectrum are equally far from 0."""
    slow, fast = (1 - math.cos(2 * math.pi * k / n) for k in (1, n // 2))
    weight = min(1 / (slow + fast), 0.5)
    return max(abs(1 - 2 * weight * slow), abs(1 - 2 * weight * fast))


KNOWN = [
    *((f"ring of {n}", n, graphs.ring(n), ring(n)) for n in (3, 5, 8, 20, 60)),
    # A line mixes fastest with a half on every link, a star with 1/(n-1), halves of m sites with 1/m at both (m > 1).
    *((f"line of {n}", n, graphs.line(n), math.cos(math.pi / n)) for n in (3, 5, 10, 30)),
    *((f"star of {n}", n, graphs.star(n), 1 - 1 / (n - 1)) for n in (5, 12)),
    *((f"full graph of {n}", n, graphs.full(n), 0.0) for n in (2, 3, 20)),
    ("halves of 4", 8, graphs.bipartite(8), 1 / 3),
]


@pytest.mark.parametrize(("n", "links", "best"), [one[1:] for one in KNOWN], ids=[one[0] for one in KNOWN])
def test_known_optima_are_found(n: int, links: list[tuple[int, int]], best: float) -> None:
    found = second_eigenvalue(optimised(from_links(n, links)))
    assert best - 1e-9 <= found <= best + 2e-3


def any_graph(n: int, seed: int) -> Topology:
    """A random tree and some links more."""
    rng = np.random.default_rng(seed)
    tree = [(int(rng.integers(0, child)), child) for child in range(1, n)]
    more = [(int(a), int(b)) for a, b in rng.integers(n, size=(n // 2, 2)) if a != b]
    return from_links(n, tree + more)


def check_weights(topology: Topology) -> None:
    W_NN = optimised(topology)
    np.testing.assert_array_equal(W_NN, W_NN.T)
    np.testing.assert_allclose(W_NN.sum(axis=1), 1.0, atol=1e-12)
    assert W_NN.min() >= 0.0
    linked = {(i, j) for i, j in np.argwhere(np.triu(W_NN, 1))}
    assert linked <= set(topology.links)
    assert second_eigenvalue(W_NN) <= second_eigenvalue(metropolis(topology)) + 1e-12


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 40), st.integers(0, 1000))
def test_weights_are_symmetric_on_links_only_and_never_slower_than_metropolis(n: int, seed: int) -> None:
    check_weights(any_graph(n, seed))


@settings(max_examples=5, deadline=None)
@given(st.integers(ALL_EIGENVALUES_UP_TO + 1, ALL_EIGENVALUES_UP_TO + 60), st.integers(0, 1000))
def test_weights_of_many_sites_are_so_too(n: int, seed: int) -> None:
    check_weights(any_graph(n, seed))


@pytest.mark.parametrize(
    "links", [graphs.star(300), graphs.full(201), graphs.bipartite(202), graphs.line(201)]
)
def test_weights_of_many_sites_on_the_simplest_graphs_are_so_too(links: list[tuple[int, int]]) -> None:
    check_weights(from_links(max(map(max, links)) + 1, links))


def test_of_many_sites_a_known_optimum_is_found() -> None:
    """All links of a square torus are alike, so one weight is best for all: it makes both ends of the spectrum equally far from 0."""
    angles = 2 * np.pi * np.arange(15) / 15
    spectrum = np.sort(np.add.outer(2 - 2 * np.cos(angles), 2 - 2 * np.cos(angles)).ravel())
    best = (spectrum[-1] - spectrum[1]) / (spectrum[-1] + spectrum[1])
    torus = from_links(225, graphs.torus(225))
    assert best + 0.005 < second_eigenvalue(metropolis(torus))
    assert best - 1e-9 <= second_eigenvalue(optimised(torus)) <= best + 2e-3


@pytest.mark.parametrize("graph", [graphs.exponential(100), graphs.small_world(100, 6, 0.2, 1)])
def test_both_ways_down_end_at_the_same_speed(graph: list[tuple[int, int]]) -> None:
    topology = from_links(100, graph)
    ends = np.array(topology.links)
    links = Links(100, ends[:, 0], ends[:, 1])
    start_L = metropolis(topology)[links.i, links.j]
    found = second_eigenvalue(links.matrix(mixing_subspace.descend(links, start_L)))
    assert found == pytest.approx(second_eigenvalue(optimised(topology)), abs=3e-3)


def test_an_exponential_graph_mixes_much_faster() -> None:
    topology = from_links(100, graphs.exponential(100))
    assert second_eigenvalue(metropolis(topology)) == pytest.approx(0.733, abs=1e-3)
    assert second_eigenvalue(optimised(topology)) < 0.51


def test_where_nothing_is_better_metropolis_is_the_answer() -> None:
    full = from_links(6, graphs.full(6))
    np.testing.assert_array_equal(optimised(full), metropolis(full))
    assert optimised(Topology(1, ())).tolist() == [[1.0]]


def test_nobody_can_change_the_remembered_weights() -> None:
    with pytest.raises(ValueError, match="read-only"):
        optimised(from_links(5, graphs.ring(5)))[0, 0] = 0


@pytest.mark.parametrize("n", [150, 250])
@pytest.mark.parametrize("threads", ["1", "3"])
def test_the_bits_do_not_depend_on_the_number_of_threads(threads: str, n: int) -> None:
    """As workers, coordinator and `simulate` are started with different ones."""
    code = (
        "import hashlib; from dimat import graphs; from dimat.fastest_mixing import optimised;"
        "from dimat.topology import from_links;"
        f"print(hashlib.sha256(optimised(from_links({n}, graphs.exponential({n}))).tobytes()).hexdigest())"
    )
    variables = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **dict.fromkeys(variables, threads)}
    other = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    )
    mine = optimised(from_links(n, graphs.exponential(n)))
    assert other.stdout.strip() == hashlib.sha256(mine.tobytes()).hexdigest()
