"""Sides of rows and shares of sites."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dimat.data_spec import DataSpec, DirichletPartition, IidPartition, Partition, ShardsPartition, SplitSpec
from dimat.errors import NonFiniteData, TooFewRows
from dimat.partition import Share, Split, largest_remainder, share_out, split_rows
from dimat.rows import Table, all_site_rows

LABELS = np.random.default_rng(1).permutation(np.repeat(np.arange(5), [100, 200, 300, 150, 250]))
NAMES = ("a", "b", "c", "d")
PARTITIONS: list[Partition] = [
    IidPartition(),
    DirichletPartition(alpha=0.5),
    DirichletPartition(alpha=0.05),
    ShardsPartition(classes_per_site=2),
]


def shares(partition: Partition, rows_per_site: int = 50, seed: int = 1) -> tuple[Split, tuple[Share, ...]]:
    data = DataSpec(partition=partition, rows_per_site=rows_per_site)
    split = split_rows(LABELS, 5, data.split)
    return split, share_out(LABELS, 5, split, data, NAMES, np.random.default_rng(seed))


@given(st.lists(st.floats(0, 50), min_size=1, max_size=20))
def test_largest_remainder_keeps_the_sum_and_moves_no_number_by_one(wanted: list[float]) -> None:
    values = np.array(wanted)
    total = round(values.sum())
    whole = largest_remainder(values, total)
    assert whole.sum() == total
    assert (np.abs(whole - values) < 1 + 1e-6).all()


def test_every_row_has_one_side_and_shares_are_exact_in_every_class() -> None:
    split = split_rows(LABELS, 5, SplitSpec(test_fraction=0.25, validation_fraction=0.1))
    sides = [split.train, split.validation, split.test]
    assert sorted(np.concatenate(sides).tolist()) == list(range(1000))
    assert [len(side) for side in sides] == [650, 100, 250]
    for side, fraction in zip(sides, (0.65, 0.1, 0.25), strict=True):
        np.testing.assert_allclose(np.bincount(LABELS[side]), np.bincount(LABELS) * fraction, atol=1)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 1000), rows_per_site=st.integers(10, 100), partition=st.sampled_from(PARTITIONS[:3])
)
def test_a_row_never_changes_side(seed: int, rows_per_site: int, partition: Partition) -> None:
    split, held = shares(partition, rows_per_site, seed)
    original = split_rows(LABELS, 5, SplitSpec())
    np.testing.assert_array_equal(split.test, original.test)
    for share in held:
        assert set(share.train) <= set(original.train)
        assert set(share.validation) <= set(original.validation)


def test_another_key_draws_other_sides() -> None:
    first, second = (split_rows(LABELS, 5, SplitSpec(key=key)) for key in ("one", "two"))
    assert set(first.test) != set(second.test)


@pytest.mark.parametrize("partition", PARTITIONS, ids=lambda p: p.kind)
def test_sites_hold_disjoint_rows_of_the_exact_number(partition: Partition) -> None:
    _, held = shares(partition)
    assert [len(share.train) for share in held] == [50] * 4
    rows = np.concatenate([np.concatenate([share.train, share.validation]) for share in held])
    assert len(set(rows.tolist())) == len(rows)


@pytest.mark.parametrize("partition", PARTITIONS, ids=lambda p: p.kind)
def test_shares_depend_on_the_seed_alone(partition: Partition) -> None:
    (_, first), (_, again), (_, other) = shares(partition), shares(partition), shares(partition, seed=2)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.train, b.train)
        np.testing.assert_array_equal(a.validation, b.validation)
    assert any((a.train != b.train).any() for a, b in zip(first, other, strict=True))


def test_iid_sites_have_the_mix_of_the_whole() -> None:
    _, held = shares(IidPartition(), rows_per_site=100)
    for share in held:
        assert np.bincount(LABELS[share.train]).tolist() == [10, 20, 30, 15, 25]


def test_shards_hold_the_given_number_of_classes_and_together_all() -> None:
    _, held = shares(ShardsPartition(classes_per_site=2))
    classes = [set(LABELS[share.train].tolist()) for share in held]
    assert [len(found) for found in classes] == [2] * 4
    assert set.union(*classes) == set(range(5))


def test_class_that_is_used_up_is_replaced_by_the_site_s_other_classes() -> None:
    _, held = shares(DirichletPartition(alpha=0.05), rows_per_site=150)
    assert [len(share.train) for share in held] == [150] * 4


def test_too_few_rows_name_the_site_and_what_is_missing() -> None:
    with pytest.raises(TooFewRows, match=r"Site 'd' has 50 training rows, at least 200 are needed"):
        shares(IidPartition(), rows_per_site=200)


@pytest.mark.parametrize(
    ("split", "site"),
    [
        (SplitSpec(test_fraction=1e-5), "a"),
        (SplitSpec(test_fraction=2 / 1200, validation_fraction=0.1), None),
    ],
)
def test_a_site_that_cannot_be_judged_is_named_before_it_trains(
    split: SplitSpec, site: str | None, table: Table
) -> None:
    """No test row at all, or none of the classes of a site: its own-site accuracy would be no number."""
    data = DataSpec(partition=ShardsPartition(classes_per_site=1), rows_per_site=20, split=split)
    with pytest.raises(TooFewRows) as caught:
        all_site_rows(table, data, NAMES, seed=1)
    params = caught.value.params
    assert (params["side"], params["rows"], params["needed"]) == ("test", 0, 1)
    assert site in (None, params["site"])


def test_value_that_is_no_number_is_named_with_its_place(table: Table) -> None:
    x = table.x.copy()
    x[4, 2] = np.nan
    x[9, 0] = np.inf
    with pytest.raises(NonFiniteData, match=r"site 'a' has 2 values .* first in row 5, column 3"):
        all_site_rows(Table(x, table.y, 10), DataSpec(rows_per_site=60), NAMES, seed=1)


def test_features_are_scaled_by_the_pooled_training_rows(table: Table) -> None:
    data = DataSpec(rows_per_site=60, partition=IidPartition())
    rows = all_site_rows(table, data, NAMES, seed=1)
    pooled = np.concatenate([site.train_x.numpy() for site in rows])
    assert abs(pooled.mean()) < 0.1
    assert abs(pooled.std() - 1) < 0.1
    plain = all_site_rows(table, data.model_copy(update={"standardise": False}), NAMES, seed=1)
    np.testing.assert_array_equal(np.sort(plain[0].train_y), np.sort(rows[0].train_y))
    assert plain[0].fingerprint() != rows[0].fingerprint()
    assert rows[0].fingerprint() == all_site_rows(table, data, NAMES, seed=1)[0].fingerprint()
