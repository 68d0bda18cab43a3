"""Graphs and mixing matrices."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimat import graphs
from dimat.errors import (
    DuplicateName,
    MixingNegative,
    MixingOffLink,
    MixingRowSum,
    MixingShape,
    TopologyDisconnected,
    TopologySelfLink,
    TopologyTooSmall,
)
from dimat.topology import (
    Topology,
    check_mixing,
    distances,
    from_links,
    metropolis,
    nearest,
    rounds_to_mix,
    second_eigenvalue,
    spanning_tree,
    uniform,
    without,
)
from dimat.topology_spec import TopologySpec

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
    for W_NN in (metropolis(topology), uniform(topology)):
        assert (W_NN >= 0).all()
        np.testing.assert_allclose(W_NN.sum(axis=1), 1, atol=1e-12)


def test_ring_of_two_is_one_link_with_half_the_weight_each() -> None:
    topology = from_links(2, graphs.ring(2))
    assert topology.links == ((0, 1),)
    np.testing.assert_allclose(metropolis(topology), 0.5)


@pytest.mark.parametrize("kind", ["ring", "one_peer"])
def test_sites_of_one_name_are_refused(kind: Any) -> None:
    spec = TopologySpec(kind=kind)
    for ask in (spec.mixing_matrix, spec.check):
        with pytest.raises(DuplicateName, match="site name 'a' is used more than once"):
            ask(["a", "a", "b"])


def test_single_site_keeps_its_own_model() -> None:
    assert metropolis(Topology(1, ())).tolist() == [[1.0]]
    assert second_eigenvalue(np.eye(1)) == 0.0


def test_pilot_of_one_site_is_refused() -> None:
    with pytest.raises(TopologyTooSmall, match="at least 2 sites, this one has 1"):
        from_links(1, [])


@given(connected())
def test_metropolis_is_symmetric_and_doubly_stochastic(topology: Topology) -> None:
    W_NN = metropolis(topology)
    np.testing.assert_array_equal(W_NN, W_NN.T)
    np.testing.assert_allclose(W_NN.sum(axis=0), 1, atol=1e-12)
    assert (W_NN >= -1e-12).all()
    check_mixing(np.abs(W_NN).tolist(), topology, [str(i) for i in range(topology.n)])


@pytest.mark.parametrize(("n", "expected"), [(5, 0.539), (10, 0.873), (20, 0.967)])
def test_differences_on_a_ring_die_at_the_known_rate(n: int, expected: float) -> None:
    W_NN = metropolis(from_links(n, graphs.ring(n)))
    assert second_eigenvalue(W_NN) == pytest.approx(expected, abs=5e-4)


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
        ([[1.0, 0.0]], MixingShape, "row 2 has 0"),
        ([[1.0]], MixingShape, "row 1 has 1"),
        ([[0.5, 0.5]] * 4, MixingShape, "row 3 has 2"),
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
        check_mixing(rows, line, ["a", "b", "c"][: line.n])


@given(connected())
def test_spanning_tree_reaches_every_site_over_links(topology: Topology) -> None:
    parents = spanning_tree(topology)
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


@given(connected(), st.data())
def test_the_nearest_is_the_one_with_the_fewest_links_and_then_the_lowest(
    topology: Topology, data: st.DataObject
) -> None:
    places = data.draw(st.sets(st.integers(0, topology.n - 1)))
    silent = data.draw(st.sets(st.integers(0, topology.n - 1)))
    left = topology.without(silent)
    found = nearest(left, places)
    for site in range(topology.n):
        away = distances(left, site)
        expected = min(
            (place for place in places if place in away), key=lambda place: (away[place], place), default=None
        )
        assert found.get(site) == expected


@given(connected(), st.data())
def test_the_weight_of_a_silent_neighbour_goes_to_the_own_model(
    topology: Topology, data: st.DataObject
) -> None:
    sites = list(range(topology.n))
    silent = data.draw(st.lists(st.sampled_from(sites)))
    for W_NN in (metropolis(topology), uniform(topology)):
        given_NN = W_NN.copy()
        left_NN = without(W_NN, silent)
        np.testing.assert_array_equal(W_NN, given_NN)
        np.testing.assert_allclose(left_NN.sum(axis=1), 1, atol=1e-12)
        assert (left_NN >= 0).all()
        for i, j in combinations(sites, 2):
            apart = i in silent or j in silent
            assert left_NN[i, j] == (0 if apart else W_NN[i, j])
            assert left_NN[j, i] == (0 if apart else W_NN[j, i])
        if (W_NN == W_NN.T).all():
            np.testing.assert_array_equal(left_NN, left_NN.T)


def test_the_own_share_grows_by_what_the_silent_would_have_given() -> None:
    W_NN = np.array([[0.5, 0.2, 0.3], [0.2, 0.5, 0.3], [0.3, 0.3, 0.4]])
    expected = [[0.8, 0.2, 0.0], [0.2, 0.8, 0.0], [0.0, 0.0, 1.0]]
    np.testing.assert_allclose(without(W_NN, [2, 2]), expected)
    np.testing.assert_allclose(without(W_NN, []), W_NN)
    assert without(W_NN, range(3)).tolist() == np.eye(3).tolist()


@pytest.mark.parametrize(
    ("eigenvalue", "period", "rounds"),
    [(1.0, 1, None), (0.0, 1, 1), (0.0, 3, 3), (0.5, 1, 7), (0.5, 3, 21), (0.01, 1, 1)],
)
def test_rounds_until_a_hundredth_of_the_differences_is_left(
    eigenvalue: float, period: int, rounds: int | None
) -> None:
    assert rounds_to_mix(eigenvalue, period) == rounds


def test_a_one_way_graph_knows_who_reads_and_who_is_read() -> None:
    topology = Topology(3, ((0, 1), (1, 2), (2, 0)), one_way=True)
    assert [topology.neighbours(site) for site in range(3)] == [(1,), (2,), (0,)]
    assert [topology.readers(site) for site in range(3)] == [(2,), (0,), (1,)]
    assert topology.degrees() == (1, 1, 1)
    assert uniform(topology).tolist() == [[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.5, 0.0, 0.5]]


def test_eigenvalues_of_weights_that_are_not_symmetric_are_found() -> None:
    assert second_eigenvalue(np.array([[0.9, 0.1], [0.4, 0.6]])) == pytest.approx(0.5)
