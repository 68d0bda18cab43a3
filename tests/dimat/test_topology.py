"""Graphs and mixing matrices."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimat import topology as graphs
from dimat.errors import (
    MixingNegative,
    MixingOffLink,
    MixingRowSum,
    MixingShape,
    TopologyDisconnected,
    TopologySelfLink,
    TopologyTooSmall,
)
from dimat.topology import Topology, from_links

PRESETS = {"ring": graphs.ring, "line": graphs.line, "full": graphs.full, "star": graphs.star}


@st.composite
def connected(draw: st.DrawFn) -> Topology:
    n = draw(st.integers(2, 9))
    tree = [(draw(st.integers(0, child - 1)), child) for child in range(1, n)]
    return from_links(n, tree + draw(st.lists(st.sampled_from(list(combinations(range(n), 2))))))


@pytest.mark.parametrize("n", [2, 3, 4, 9])
@pytest.mark.parametrize("kind", PRESETS)
def test_weights_of_every_preset_are_stochastic(kind: str, n: int) -> None:
    topology = from_links(n, PRESETS[kind](n))
    for W_NN in (graphs.metropolis(topology), graphs.uniform(topology)):
        assert (W_NN >= 0).all()
        np.testing.assert_allclose(W_NN.sum(axis=1), 1, atol=1e-12)


def test_ring_of_two_is_one_link_with_half_the_weight_each() -> None:
    topology = from_links(2, graphs.ring(2))
    assert topology.links == ((0, 1),)
    np.testing.assert_allclose(graphs.metropolis(topology), 0.5)


def test_single_site_keeps_its_own_model() -> None:
    assert graphs.metropolis(Topology(1, ())).tolist() == [[1.0]]
    assert graphs.second_eigenvalue(np.eye(1)) == 0.0


def test_pilot_of_one_site_is_refused() -> None:
    with pytest.raises(TopologyTooSmall, match="at least 2 sites, this one has 1"):
        from_links(1, [])


@given(connected())
def test_metropolis_is_symmetric_and_doubly_stochastic(topology: Topology) -> None:
    W_NN = graphs.metropolis(topology)
    np.testing.assert_array_equal(W_NN, W_NN.T)
    np.testing.assert_allclose(W_NN.sum(axis=0), 1, atol=1e-12)
    assert (W_NN >= -1e-12).all()
    graphs.check_mixing(np.abs(W_NN).tolist(), topology, [str(i) for i in range(topology.n)])


@pytest.mark.parametrize(("n", "expected"), [(5, 0.539), (10, 0.873), (20, 0.967)])
def test_differences_on_a_ring_die_at_the_known_rate(n: int, expected: float) -> None:
    W_NN = graphs.metropolis(from_links(n, graphs.ring(n)))
    assert graphs.second_eigenvalue(W_NN) == pytest.approx(expected, abs=5e-4)


def test_unreachable_site_is_named() -> None:
    with pytest.raises(TopologyDisconnected, match="no path leads from 'Osaka' to 'Nagoya'"):
        from_links(3, [(0, 2)], ["Osaka", "Nagoya", "Sendai"])


def test_link_to_itself_is_named() -> None:
    with pytest.raises(TopologySelfLink, match="'Nagoya' is linked to itself"):
        from_links(2, [(0, 1), (1, 1)], ["Osaka", "Nagoya"])


def test_links_in_any_order_and_direction_are_one_topology() -> None:
    assert from_links(3, [(2, 1), (0, 1), (1, 2)]) == from_links(3, [(1, 0), (1, 2)])


@pytest.mark.parametrize(
    ("rows", "error", "words"),
    [
        ([[1.0, 0.0]], MixingShape, "row 1 has 0"),
        ([[1.0], [0.5, 0.5]], MixingShape, "row 1 has 1"),
        ([[0.5, 0.5, 0.0], [0.2, 0.5, 0.2], [0.0, 0.5, 0.5]], MixingRowSum, "'b' sum to 0.9"),
        ([[0.5, 0.5, 0.0], [-0.5, 1.0, 0.5], [0.0, 0.5, 0.5]], MixingNegative, "'a' in the row of site 'b'"),
        (
            [[0.5, 0.2, 0.3], [0.5, 0.5, 0.0], [0.0, 0.5, 0.5]],
            MixingOffLink,
            "'a' gives weight 0.3 to site 'c'",
        ),
    ],
)
def test_wrong_weights_are_named(rows: list[list[float]], error: type[Exception], words: str) -> None:
    line = from_links(3, graphs.line(3)) if len(rows) == 3 else from_links(2, graphs.line(2))
    with pytest.raises(error, match=words):
        graphs.check_mixing(rows, line, ["a", "b", "c"][: line.n])


@given(connected())
def test_spanning_tree_reaches_every_site_over_links(topology: Topology) -> None:
    parents = graphs.spanning_tree(topology)
    root = parents.index(None)
    assert topology.degrees()[root] == max(topology.degrees())
    for site, parent in enumerate(parents):
        if parent is not None:
            assert parent in topology.neighbours(site)
        steps, at = 0, site
        while (above := parents[at]) is not None:
            at, steps = above, steps + 1
            assert steps < topology.n
        assert at == root
