"""Whether matches agree around the graph, and their short form."""

import base64
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimat import graphs
from dimat.cycles import MOST_CYCLES, Units, cycles, inconsistency
from dimat.packed import MOST_CHARS, MOST_UNITS, pack, unpack
from dimat.topology import Link, Topology, from_links

GRAPHS = {"ring": graphs.ring, "line": graphs.line, "full": graphs.full, "star": graphs.star}


def of_bases(topology: Topology, bases: list[Units]) -> dict[Link, Units]:
    """What sites find that hold the same units in different orders: unit k of the common basis is at `bases[i][k]` in site i."""
    return {(i, j): bases[j][np.argsort(bases[i])] for i in range(topology.n) for j in topology.neighbours(i)}


@given(name=st.sampled_from(sorted(GRAPHS)), n=st.integers(2, 7), seed=st.integers(0, 1000))
def test_matches_that_one_common_basis_explains_are_consistent(name: str, n: int, seed: int) -> None:
    topology, rng = from_links(n, GRAPHS[name](n)), np.random.default_rng(seed)
    found = of_bases(topology, [rng.permutation(12) for _ in range(n)])
    assert inconsistency(topology, found) == 0


@given(n=st.integers(3, 7), seed=st.integers(0, 1000))
def test_a_ring_that_closes_wrongly_says_how_many_units_do_not_come_back(n: int, seed: int) -> None:
    topology, rng = from_links(n, graphs.ring(n)), np.random.default_rng(seed)
    found = of_bases(topology, [rng.permutation(12) for _ in range(n)])
    (cycle,) = cycles(topology)
    first = cycle[:2]
    found[first[0], first[1]] = found[first[0], first[1]][[1, 2, 0, *range(3, 12)]]
    assert inconsistency(topology, found) == pytest.approx(3 / 12)


@given(n=st.integers(2, 8), seed=st.integers(0, 1000), extra=st.integers(0, 10))
def test_cycles_go_along_links_once_around_and_leave_a_tree_without(n: int, seed: int, extra: int) -> None:
    rng = np.random.default_rng(seed)
    links = [(i, int(rng.integers(i))) for i in range(1, n)]
    links += [(int(i), int(j)) for i, j in rng.integers(n, size=(extra, 2)) if i != j]
    topology = from_links(n, links)
    found = cycles(topology)
    num_outside = len(topology.links) - (n - 1)
    assert len(found) == (num_outside or len(topology.links))
    for cycle in found:
        assert len(set(cycle)) == len(cycle) >= (3 if num_outside else 2)
        assert all(b in topology.neighbours(a) for a, b in zip(cycle, (*cycle[1:], cycle[0]), strict=True))


def test_of_many_cycles_some_are_looked_at() -> None:
    assert len(cycles(from_links(40, graphs.full(40)))) == MOST_CYCLES


def test_without_a_cycle_known_all_around_there_is_no_number() -> None:
    topology = from_links(3, graphs.ring(3))
    found = of_bases(topology, [np.arange(4)] * 3)
    assert inconsistency(topology, {link: units for link, units in found.items() if link[0] != 0}) is None
    assert inconsistency(Topology(3, ((0, 1), (1, 2)), one_way=True), found) is None


@given(seed=st.integers(0, 1000), num=st.integers(1, 4), size=st.sampled_from([1, 7, 300, 70_000]))
def test_packed_permutations_come_back(seed: int, num: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    units = [rng.permutation(size) for _ in range(num)]
    text = pack(units)
    if text is not None:
        np.testing.assert_array_equal(unpack(text, num, size), units)


def test_units_that_stayed_take_almost_no_place_and_too_many_others_are_not_told() -> None:
    assert len(pack([np.arange(5000)] * 8) or "") < 200
    assert pack([np.random.default_rng(k).permutation(70_000) for k in range(8)]) is None
    assert pack([np.arange(MOST_UNITS // 2 + 1)] * 2) is None


def test_more_units_than_a_report_may_tell_of_take_no_memory() -> None:
    told = base64.b64encode(zlib.compress(b"\0" * (4 * 2**24))).decode()
    tracemalloc.start()
    with pytest.raises(ValueError, match="too many"):
        unpack(told, 12, 2**24 - 1)
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    "text",
    [
        "!!",
        base64.b64encode(b"not deflated").decode(),
        base64.b64encode(zlib.compress(b"\0" * 6)).decode(),
        base64.b64encode(zlib.compress(bytes([1, 0, 0, 0, 0, 0, 0, 0]))).decode(),
        base64.b64encode(zlib.compress(b"\0" * 10_000_000)).decode(),
    ],
    ids=["no base64", "no deflate", "too short", "a unit twice", "a bomb"],
)
def test_what_is_no_permutation_is_refused(text: str) -> None:
    assert len(text) < MOST_CHARS
    with pytest.raises(ValueError, match="packed permutations"):
        unpack(text, 1, 4)
