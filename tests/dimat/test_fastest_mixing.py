"""Weights with which differences die out fastest."""

import hashlib
import math
import os
import subprocess
import sys

import numpy as np
import pytest

from dimat import graphs
from dimat.fastest_mixing import optimised
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


@pytest.mark.parametrize("seed", range(12))
def test_never_slower_than_metropolis(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 40))
    tree = [(int(rng.integers(0, child)), child) for child in range(1, n)]
    more = [(int(a), int(b)) for a, b in rng.integers(n, size=(n // 2, 2)) if a != b]
    topology = from_links(n, tree + more)
    given = second_eigenvalue(metropolis(topology))
    assert second_eigenvalue(optimised(topology)) <= given + 1e-12


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


@pytest.mark.parametrize("threads", ["1", "3"])
def test_the_bits_do_not_depend_on_the_number_of_threads(threads: str) -> None:
    """As workers, coordinator and `simulate` are started with different ones."""
    code = (
        "import hashlib; from dimat import graphs; from dimat.fastest_mixing import optimised;"
        "from dimat.topology import from_links;"
        "print(hashlib.sha256(optimised(from_links(150, graphs.exponential(150))).tobytes()).hexdigest())"
    )
    variables = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **dict.fromkeys(variables, threads)}
    other = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    )
    mine = optimised(from_links(150, graphs.exponential(150)))
    assert other.stdout.strip() == hashlib.sha256(mine.tobytes()).hexdigest()
