"""Sites that are natural groups of rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dimat.data_spec import ColumnPartition, DataSpec
from dimat.errors import TooFewRows
from dimat.natural import groups_of, share_groups
from dimat.partition import Share, Split, split_rows
from dimat.rows import Table, all_site_rows

PEOPLE = np.random.default_rng(2).permutation(np.repeat(np.arange(1, 8), [40, 400, 100, 260, 90, 210, 100]))
LABELS = np.random.default_rng(3).integers(0, 10, size=1200)
NAMES = ("a", "b", "c")


def shares(
    rows_per_site: int = 10_000, names: tuple[str, ...] = NAMES, seed: int = 1
) -> tuple[Split, list[Share]]:
    data = DataSpec(partition=ColumnPartition(column="person"), rows_per_site=rows_per_site)
    split = split_rows(LABELS, 10, data.split)
    return split, list(share_groups(PEOPLE, split, data, names, np.random.default_rng(seed)))


@given(st.integers(1, 50), st.integers(1, 50))
def test_every_group_is_taken_once_and_numbers_of_groups_differ_by_one_at_most(
    groups: int, sites: int
) -> None:
    taken = groups_of(groups, sites)
    assert np.concatenate(taken).tolist() == list(range(groups))
    counts = [len(one) for one in taken]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] - counts[-1] <= 1


def test_a_site_holds_all_rows_of_its_people_and_nobody_else_s() -> None:
    split, held = shares()
    for share, people in zip(held, ({1, 2, 3}, {4, 5}, {6, 7}), strict=True):
        assert share.test is not None
        for side, rows in (
            (split.train, share.train),
            (split.validation, share.validation),
            (split.test, share.test),
        ):
            assert set(rows.tolist()) == {int(row) for row in side if PEOPLE[row] in people}


def test_rows_per_site_is_the_most_a_site_holds() -> None:
    _, whole = shares()
    _, held = shares(rows_per_site=150)
    assert [len(share.train) for share in held] == [min(150, len(share.train)) for share in whole]
    assert {len(share.train) for share in held} == {150}
    assert [len(share.validation) for share in held] == [23, 23, 23]  # 150 * 0.1 / 0.65
    for share, all_of_it in zip(held, whole, strict=True):
        assert set(share.train) < set(all_of_it.train)
        np.testing.assert_array_equal(share.test, all_of_it.test)


def test_the_seed_decides_only_what_the_limit_leaves_out() -> None:
    for limit, same in ((10_000, True), (150, False)):
        (_, first), (_, other) = shares(limit, seed=1), shares(limit, seed=2)
        assert all((set(a.train) == set(b.train)) is same for a, b in zip(first, other, strict=True))


def test_a_site_with_too_few_rows_is_named() -> None:
    column = np.where(np.arange(1200) < 8, 0, 1)
    data = DataSpec(partition=ColumnPartition(column="person"))
    with pytest.raises(TooFewRows, match=r"Site 'small' has \d training rows, at least 10 are needed"):
        share_groups(
            column, split_rows(LABELS, 10, data.split), data, ("small", "large"), np.random.default_rng(1)
        )


def test_people_are_judged_by_their_own_test_rows(table: Table) -> None:
    """Each of which counts the same; and the shared rows are those of all sites."""
    x = table.x.copy()
    x[:, 0] = PEOPLE  # so that a row tells whose it is
    people = Table(x, table.y, 10, {"person": PEOPLE})
    data = DataSpec(partition=ColumnPartition(column="person"), standardise=False)
    rows = all_site_rows(people, data, NAMES, seed=1)
    for site, (held, of_it) in enumerate(zip(rows, ({1, 2, 3}, {4, 5}, {6, 7}), strict=True)):
        own_x, own_y = held.own_test
        assert set(own_x[:, 0].tolist()) == of_it
        assert held.test_sites is not None
        np.testing.assert_array_equal(held.test_x[held.test_sites == site], own_x)
        np.testing.assert_array_equal(held.class_mix, np.bincount(own_y, minlength=10) / len(own_y))
    assert sum(len(held.own_test[0]) for held in rows) == len(rows[0].test_x) == 300
