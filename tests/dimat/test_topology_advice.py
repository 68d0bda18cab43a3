"""Which graph to choose."""

from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from dimat import errors
from dimat.topology import second_eigenvalue
from dimat.topology_advice import DENSE_UP_TO, Advice, advise

KINDS = {
    "ring", "full", "star", "line", "bipartite", "torus", "exponential", "one_peer", "random_regular",
    "small_world",
}  # fmt: skip


def by_kind(found: list[Advice]) -> dict[str, Advice]:
    return {one.spec.kind: one for one in found}


@settings(deadline=None)
@drawn(n=st.integers(2, 60) | st.sampled_from([128, 210, 241]))
def test_closed_forms_agree_with_the_weights_themselves(n: int) -> None:
    found = advise(n, 1000)
    assert set(by_kind(found)) == (KINDS if n > 4 else KINDS - {"random_regular", "small_world"})
    for one in found:
        names = [f"s{i}" for i in range(n)]
        W_NN = one.spec.mixing_over_period(names)
        assert one.second_eigenvalue == pytest.approx(second_eigenvalue(W_NN), abs=1e-5)
        degrees = one.spec.build(names).degrees()
        assert one.bytes_a_round == 1000 * sum(degrees)
        assert one.busiest_site_bytes_a_round == 2 * 1000 * max(degrees)
        assert one.bytes_until_mixed == one.rounds * one.bytes_a_round
        assert one.period == one.spec.period(n)


def test_ranking_is_by_bytes_until_mixed() -> None:
    found = advise(64, 1_000_000)
    costs = [one.bytes_until_mixed for one in found]
    assert costs == sorted(costs)
    best = found[0]
    # One model a site and round, and all hold the mean after log2 64 rounds.
    assert (best.spec.kind, best.rounds, best.bytes_until_mixed) == ("one_peer", 6, 6 * 64 * 1_000_000)


def test_limits_leave_out_what_is_beyond_them() -> None:
    everything = advise(100, 10)
    quick = advise(100, 10, most_rounds=10)
    assert quick == [one for one in everything if one.rounds <= 10]
    assert "full" in by_kind(quick)
    light = advise(100, 10, most_site_bytes_a_round=80)
    assert {one.spec.kind for one in light} == {"one_peer", "ring", "line", "torus", "random_regular"}
    assert advise(100, 10, most_rounds=1, most_site_bytes_a_round=100) == []


def test_options_of_random_graphs_are_used_and_what_does_not_fit_is_left_out() -> None:
    found = by_kind(advise(30, 10, degree=6, probability=0.5, seed=2))
    assert found["random_regular"].spec.degree == found["small_world"].spec.degree == 6
    assert found["small_world"].spec.probability == 0.5
    assert found["small_world"].spec.seed == 2
    assert "small_world" not in by_kind(advise(30, 10, degree=3))
    assert "random_regular" in by_kind(advise(30, 10, degree=3))


def test_ten_thousand_sites_need_no_dense_matrix() -> None:
    # 10,000 x 10,000 float64 would be 800 MB for each of ten graphs; this test would not end.
    found = by_kind(advise(10_000, 1))
    assert set(found) == KINDS
    assert DENSE_UP_TO < 10_000
    assert found["ring"].second_eigenvalue == pytest.approx(1 - 1.3159e-7, abs=1e-10)
    assert found["random_regular"].second_eigenvalue < 0.9
    assert found["one_peer"].rounds == 42
    assert advise(10_000, 1) == list(found.values())  # the same every time


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"n": 1}, errors.TopologyTooSmall, "this one has 1"),
        ({"n": 8.0}, errors.NumberNotWhole, "'n' is 8.0"),
        ({"n": "a"}, errors.NumberNotWhole, "'n' is 'a', which is no whole number"),
        ({"n": True}, errors.NumberNotWhole, "'n' is True, which is no whole number"),
        ({"most_rounds": float("nan")}, errors.NumberNotFinite, "'most_rounds' is nan"),
        ({"most_rounds": "3"}, errors.NumberNotFinite, "'most_rounds' is '3'"),
        ({"most_rounds": -2}, errors.NumberTooSmall, "'most_rounds' is -2; the least is 0"),
        ({"most_site_bytes_a_round": -1}, errors.NumberTooSmall, "'most_site_bytes_a_round' is -1"),
        ({"model_bytes": 0}, errors.NumberTooSmall, "'model_bytes' is 0; the least is 1"),
        ({"model_bytes": -5}, errors.NumberTooSmall, "'model_bytes' is -5"),
        ({"model_bytes": 1.5}, errors.NumberNotWhole, "'model_bytes' is 1.5"),
        ({"degree": 1}, errors.TopologyDegreeTooLow, "A degree of 1 is too low"),
        ({"degree": 0}, errors.TopologyDegreeTooLow, "A degree of 0 is too low"),
        ({"degree": -2}, errors.TopologyDegreeTooLow, "A degree of -2 is too low"),
        ({"degree": 1000, "n": 2000}, errors.NumberTooLarge, "'degree' is 1000; the most is 999"),
        ({"degree": 2.5}, errors.NumberNotWhole, "'degree' is 2.5"),
        ({"probability": 1.5}, errors.NumberNoFraction, "'probability' is 1.5"),
        ({"probability": float("nan")}, errors.NumberNoFraction, "'probability' is nan"),
        ({"seed": -1}, errors.NumberTooSmall, "'seed' is -1"),
        ({"seed": 2**31}, errors.NumberTooLarge, "'seed' is 2147483648"),
    ],
)
def test_what_no_graph_can_be_made_of_is_refused(given: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        advise(**{"n": 9, "model_bytes": 10, **given})
