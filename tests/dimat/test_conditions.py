"""Sites that see under conditions of their own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimat import cases
from dimat.conditions import Condition, Scale, condition_of
from dimat.data_spec import ColumnPartition, ConditionShift, DataSpec, IidPartition
from dimat.rows import Table, all_site_rows

STRAIGHT = ConditionShift(rotation=0)
CLEAR = Condition(angle=0, contrast=1, brightness=0, noise=0)
NAMES = ("a", "b", "c", "d", "e")


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


@given(st.integers(0, 10_000), st.integers(0, 1000))
def test_a_condition_stays_within_its_ranges(seed: int, site: int) -> None:
    shift = ConditionShift(rotation=30, contrast=2, brightness=0.4, noise=0.7)
    found = condition_of(shift, seed, site)
    assert -30 <= found.angle <= 30
    assert 0.5 <= found.contrast <= 2
    assert -0.4 <= found.brightness <= 0.4
    assert 0 <= found.noise <= 0.7
    assert found != condition_of(shift, seed, site + 1)


def test_without_strengths_a_site_sees_things_as_they_are() -> None:
    assert condition_of(ConditionShift(rotation=0, contrast=1, brightness=0, noise=0), 1, 0) == CLEAR


def test_a_condition_does_what_it_says(images: Table) -> None:
    x, scale = images.x, Scale.of(images.x)
    deviation = float(scale.deviation.squeeze())
    mean = float(scale.mean.squeeze())
    np.testing.assert_allclose(CLEAR.seen(x, scale, rng()), x, atol=1e-6)
    brighter = Condition(0, 1, 0.5, 0).seen(x, scale, rng())
    np.testing.assert_allclose(brighter - x, 0.5 * deviation, atol=1e-5)
    flatter = Condition(0, 0.5, 0, 0).seen(x, scale, rng())
    np.testing.assert_allclose(flatter - mean, 0.5 * (x - mean), atol=1e-5)
    noise = Condition(0, 1, 0, 0.3).seen(x, scale, rng()) - x
    assert noise.std() == pytest.approx(0.3 * deviation, rel=0.05)
    quarter = Condition(90, 1, 0, 0).seen(x, scale, rng())
    np.testing.assert_allclose(quarter, np.rot90(x, axes=(-2, -1)), atol=1e-4)
    askew = Condition(33, 1, 0, 0).seen(x, scale, rng())
    assert askew.shape == x.shape
    assert askew.dtype == np.float32
    assert x.min() <= askew.min()
    assert askew.max() <= x.max() + 1e-5


@pytest.mark.parametrize(
    "partition", [IidPartition(), ColumnPartition(column="person")], ids=lambda p: p.kind
)
def test_conditions_follow_from_the_seed_and_the_site_alone(table: Table, partition: object) -> None:
    people = Table(table.x, table.y, 10, {"person": np.arange(1200) % 5})
    data = DataSpec.model_validate({"partition": partition, "rows_per_site": 60, "shift": STRAIGHT})
    prints = [[one.fingerprint() for one in all_site_rows(people, data, NAMES, seed)] for seed in (1, 1, 2)]
    assert prints[0] == prints[1]
    assert not set(prints[0]) & set(prints[2])


def test_all_rows_of_a_site_are_seen_under_its_condition_and_on_one_scale(table: Table) -> None:
    """No noise here, so that each row can be found again: as it is, stretched and moved as the condition says."""
    shift = ConditionShift(rotation=0, noise=0)
    data = DataSpec(partition=IidPartition(), rows_per_site=60)
    plain = all_site_rows(table, data, NAMES, seed=4)
    shifted = all_site_rows(table, data.model_copy(update={"shift": shift}), NAMES, seed=4)
    for site, (before, after) in enumerate(zip(plain, shifted, strict=True)):
        condition = condition_of(shift, 4, site)
        for rows, seen in (
            (before.train_x, after.train_x),
            (before.validation_x, after.validation_x),
            (before.test_x, after.own_test[0]),
        ):
            np.testing.assert_allclose(seen, rows * condition.contrast + condition.brightness, atol=1e-5)
        assert after.test_sites is not None
        dealt = after.test_sites == site
        np.testing.assert_allclose(
            after.test_x[dealt], before.test_x[dealt] * condition.contrast + condition.brightness, atol=1e-5
        )


@given(st.integers(1, 100), st.integers(1, 400), st.integers(0, 9))
def test_test_rows_are_dealt_out_evenly_and_their_copies_are_bounded(
    sites: int, rows: int, seed: int
) -> None:
    labels = np.random.default_rng(seed).integers(0, 4, size=rows)
    of, own = cases.dealt(labels, sites, np.random.default_rng(seed))
    for c in range(4):
        counts = np.bincount(of[labels == c], minlength=sites)
        assert counts.max() - counts.min() <= 1
    assert sum(len(places) for places in own) <= cases.OWN_COPIES * rows + sites
    if sites <= cases.OWN_COPIES:
        assert all(places.tolist() == list(range(rows)) for places in own)


def test_all_sites_weigh_the_same_whatever_the_number_of_their_rows() -> None:
    hits = np.array([True, True, True, False, False, True])
    assert cases.mean_over_sites(hits, np.array([0, 0, 0, 0, 3, 3])) == pytest.approx((0.75 + 0.5) / 2)
