"""The graphs a pilot can choose."""

import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from dimat import graphs
from dimat.errors import (
    MixingTooLarge,
    RegularDegreeOdd,
    SmallWorldDegree,
    TopologyDegreeTooHigh,
    TopologyDegreeTooLow,
    TopologyTooSmall,
)
from dimat.topology import Link, Topology, second_eigenvalue
from dimat.topology_spec import TopologySpec

SIMPLE = ["ring", "line", "full", "star", "bipartite", "torus", "exponential"]
MIXINGS = ["metropolis", "uniform", "optimised"]
sizes = st.integers(1, 40)


def named(n: int) -> list[str]:
    return [f"s{i}" for i in range(n)]


def spec(**options: Any) -> TopologySpec:
    return TopologySpec.model_validate(options)


def assert_mixes_as_it_should(
    W_NN: NDArray[np.float64], topology: Topology, doubly: bool = True, symmetric: bool = True
) -> None:
    n = topology.n
    assert (W_NN >= 0).all()
    np.testing.assert_allclose(W_NN.sum(axis=1), 1, atol=1e-12)
    if doubly:
        np.testing.assert_allclose(W_NN.sum(axis=0), 1, atol=1e-12)
    if symmetric:
        np.testing.assert_array_equal(W_NN, W_NN.T)
    allowed = np.eye(n, dtype=bool)
    for site in range(n):
        allowed[site, list(topology.neighbours(site))] = True
    assert not W_NN[~allowed].any()


def assert_fixed_graph(chosen: TopologySpec, n: int) -> None:
    topology = chosen.build(named(n))
    assert topology.is_connected()
    W_NN = chosen.mixing_matrix(named(n))
    balanced = chosen.mixing != "uniform"
    assert_mixes_as_it_should(W_NN, topology, doubly=balanced, symmetric=balanced)
    assert second_eigenvalue(W_NN) < 1 - 1e-9
    np.testing.assert_array_equal(chosen.mixing_over_period(named(n)), W_NN)


@given(n=sizes, kind=st.sampled_from(SIMPLE), mixing=st.sampled_from(MIXINGS))
def test_every_fixed_graph_of_every_size_is_connected_and_mixes(n: int, kind: str, mixing: str) -> None:
    chosen = spec(kind=kind, mixing=mixing)
    if n < 2:
        with pytest.raises(TopologyTooSmall):
            chosen.check(named(n))
        return
    chosen.check(named(n))
    assert_fixed_graph(chosen, n)


@given(n=sizes, degree=st.integers(2, 12), seed=st.integers(0, 5), mixing=st.sampled_from(MIXINGS))
def test_random_regular_graphs_have_the_degree_asked_for_or_are_refused(
    n: int, degree: int, seed: int, mixing: str
) -> None:
    chosen = spec(kind="random_regular", degree=degree, seed=seed, mixing=mixing)
    if degree >= n:
        with pytest.raises(TopologyDegreeTooHigh, match=f"Of {n} sites none can have {degree} links"):
            chosen.check(named(n))
    elif n * degree % 2:
        with pytest.raises(RegularDegreeOdd, match=f"{n} times {degree} is odd"):
            chosen.check(named(n))
    else:
        assert chosen.build(named(n)).degrees() == (degree,) * n
        assert_fixed_graph(chosen, n)


@given(n=sizes, degree=st.integers(2, 12), probability=st.floats(0, 1), seed=st.integers(0, 5))
def test_small_worlds_keep_the_number_of_links_or_are_refused(
    n: int, degree: int, probability: float, seed: int
) -> None:
    chosen = spec(kind="small_world", degree=degree, probability=probability, seed=seed)
    if degree % 2 or degree < 4:
        with pytest.raises(SmallWorldDegree, match=f"not {degree}"):
            chosen.check(named(n))
    elif degree >= n:
        with pytest.raises(TopologyDegreeTooHigh):
            chosen.check(named(n))
    else:
        lattice = graphs.small_world(n, degree, 0.0, seed)
        assert len(chosen.build(named(n)).links) == len(lattice)
        assert_fixed_graph(chosen, n)


def test_random_graphs_follow_from_their_seed() -> None:
    regular = [graphs.random_regular(30, 4, seed) for seed in (1, 1, 2)]
    world = [graphs.small_world(30, 4, 0.3, seed) for seed in (1, 1, 2)]
    for first, again, other in (regular, world):
        assert first == again != other
    assert spec(kind="random_regular", degree=4).whole(named(30)) == spec(
        kind="random_regular", degree=4, seed=0
    ).whole(named(30))


@pytest.mark.parametrize(
    ("n", "degree", "seed", "digest"),
    [
        (30, 4, 1, "cc08a50886fc765b"), (200, 150, 2, "b7f8cf1eeaa34252"), (200, 199, 0, "58fcc2d842533e95"),
        (300, 8, 3, "6190a54758ff927e"), (301, 150, 5, "603ccb955f2a2d8c"), (9, 2, 3, "4ce9a2e2af062ec5"),
    ],
)  # fmt: skip
def test_a_seed_means_the_graph_it_always_meant(n: int, degree: int, seed: int, digest: str) -> None:
    """Pilots that run on one are continued, and repeated."""
    links = str(graphs.random_regular(n, degree, seed))
    assert hashlib.sha256(links.encode()).hexdigest()[:16] == digest


@pytest.mark.parametrize("degree", [301, 398, 399, 400, 403, 402])
def test_of_a_dense_graph_of_many_sites_the_links_that_are_missing_are_drawn(
    degree: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    n, drawn = 404, []

    def swapped(links: list[Link], rng: np.random.Generator) -> list[Link]:
        drawn.append(len(links))
        return swap(links, rng)

    swap = graphs._swapped
    monkeypatch.setattr(graphs, "_swapped", swapped)
    first, again, other = (Topology(n, tuple(graphs.random_regular(n, degree, seed))) for seed in (1, 1, 2))
    assert first == again
    assert (first != other) == (degree < n - 1)
    assert first.degrees() == (degree,) * n
    assert first.is_connected()
    assert set(drawn) == ({n * (n - 1 - degree) // 2} if degree < n - 1 else set())


def test_a_regular_graph_that_comes_out_in_parts_is_drawn_anew() -> None:
    # With this seed the first is two full graphs of four sites each.
    assert Topology(8, tuple(graphs.random_regular(8, 3, 2480))).is_connected()


def test_random_ring_is_a_ring_in_random_order() -> None:
    topology = spec(kind="random_regular", degree=2, seed=3).whole(named(9))
    assert topology.is_connected()
    assert topology.degrees() == (2,) * 9
    assert topology != spec(kind="ring").whole(named(9))


@given(n=sizes)
def test_one_peer_connects_and_mixes_over_a_period(n: int) -> None:
    chosen = spec(kind="one_peer")
    if n < 2:
        with pytest.raises(TopologyTooSmall):
            chosen.check(named(n))
        return
    period = chosen.period(n)
    assert 2 ** (period - 1) < n <= 2**period
    power_of_two = n & (n - 1) == 0
    whole, read = chosen.whole(named(n)), set()
    for turn in range(period):
        topology = chosen.build(named(n), turn)
        assert topology == chosen.build(named(n), turn + period)
        assert topology.degrees() == (1,) * n
        assert [len(topology.readers(site)) for site in range(n)] == [1] * n
        assert_mixes_as_it_should(chosen.mixing_matrix(named(n), turn), topology, symmetric=power_of_two)
        read |= {tuple(sorted((i, j))) for i in range(n) for j in topology.neighbours(i)}
    assert read == set(whole.links)
    assert second_eigenvalue(chosen.mixing_over_period(named(n))) < 0.3


@pytest.mark.parametrize("n", [2, 4, 8, 16, 32])
def test_one_peer_averages_exactly_in_log2_n_merges(n: int) -> None:
    chosen = spec(kind="one_peer")
    assert chosen.period(n) == n.bit_length() - 1
    for first in range(chosen.period(n)):
        product_NN = np.eye(n)
        for turn in range(first, first + chosen.period(n)):
            product_NN = chosen.mixing_matrix(named(n), turn) @ product_NN
        np.testing.assert_array_equal(product_NN, np.full((n, n), 1 / n))


def test_graphs_of_one_site_have_no_links() -> None:
    for make in (graphs.ring, graphs.line, graphs.full, graphs.star, graphs.bipartite, graphs.torus):
        assert make(1) == []
    assert graphs.exponential(1) == []
    assert graphs.one_peer(1, 0).links == ()


@pytest.mark.parametrize(
    ("n", "shape", "degree"), [(12, (3, 4), 4), (16, (4, 4), 4), (6, (2, 3), 3), (4, (2, 2), 2), (7, (1, 7), 2)]
)  # fmt: skip
def test_torus_is_as_square_as_can_be(n: int, shape: tuple[int, int], degree: int) -> None:
    assert graphs.torus_shape(n) == shape
    assert spec(kind="torus").whole(named(n)).degrees() == (degree,) * n


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"kind": "random_regular"}, "topology_option_missing"),
        ({"kind": "small_world", "degree": 4}, "topology_option_missing"),
        ({"kind": "small_world", "probability": 0.1}, "topology_option_missing"),
        ({"kind": "ring", "degree": 4}, "topology_option_unused"),
        ({"kind": "random_regular", "degree": 4, "probability": 0.1}, "topology_option_unused"),
        ({"kind": "one_peer", "seed": 1}, "topology_option_unused"),
        ({"kind": "one_peer", "mixing": "optimised"}, "one_peer_mixing"),
        ({"kind": "one_peer", "mixing": "custom", "weights": [[1.0]]}, "one_peer_mixing"),
        ({"kind": "random_regular", "degree": 1}, "greater_than_equal"),
        ({"kind": "random_regular", "degree": True}, "int_type"),
        ({"kind": "random_regular", "degree": 4, "seed": -1}, "greater_than_equal"),
        ({"kind": "small_world", "degree": 4, "probability": 1.5}, "less_than_equal"),
        ({"kind": "small_world", "degree": 4, "probability": float("nan")}, "finite_number"),
    ],
)
def test_options_that_do_not_belong_are_refused(options: dict[str, Any], code: str) -> None:
    with pytest.raises(ValidationError) as caught:
        spec(**options)
    assert caught.value.errors()[0]["type"] == code


def test_own_weights_are_the_weights() -> None:
    own = ((0.9, 0.1), (0.4, 0.6))
    chosen = spec(kind="line", mixing="custom", weights=own)
    assert chosen.mixing_matrix(named(2)).tolist() == [list(row) for row in own]


def test_optimised_weights_are_refused_for_too_many_sites() -> None:
    with pytest.raises(MixingTooLarge, match="at most 1000, not for 1001 sites"):
        spec(kind="ring", mixing="optimised").check(named(1001))


def test_options_stand_in_json_only_where_they_say_something() -> None:
    assert set(spec(kind="ring").model_dump()) == {"kind", "hub", "links", "mixing", "weights"}
    world = spec(kind="small_world", degree=4, probability=0.0)
    assert world.model_dump(mode="json", exclude={"hub", "links", "mixing", "weights"}) == {
        "kind": "small_world", "degree": 4, "probability": 0.0,
    }  # fmt: skip
    assert TopologySpec.model_validate_json(world.model_dump_json()) == world


@pytest.mark.parametrize(("n", "degree"), [(8, 1), (9, 0), (3, 1), (8, -1), (2, 0)])
def test_too_few_links_to_connect_all_sites_are_refused(n: int, degree: int) -> None:
    with pytest.raises(TopologyDegreeTooLow, match=f"{n} sites cannot all be connected"):
        graphs.random_regular(n, degree, 1)


def test_one_link_connects_a_pair() -> None:
    assert graphs.random_regular(2, 1, 1) == [(0, 1)]
