"""Shares of sites that are natural groups of rows: people, machines, branches. Nothing is drawn but what a limit leaves out."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dimat.data_spec import MIN_ROWS, DataSpec
from dimat.errors import TooFewRows
from dimat.partition import Indices, Share, Split, num_validation_rows


def groups_of(num_groups: int, num_sites: int) -> list[NDArray[np.int64]]:
    """Which groups each site takes, by their place in ascending order: neighbours in that order stay together.

    With as many groups as sites each site takes one. With more, each takes `num_groups // num_sites`, and the first
    `num_groups % num_sites` sites one more. All groups are taken.
    """
    return np.array_split(np.arange(num_groups), num_sites)


def share_groups(
    values: Indices, split: Split, data: DataSpec, site_names: Sequence[str], rng: np.random.Generator
) -> tuple[Share, ...]:
    """Rows of each site: those of its groups, on all three sides.

    A site has as many training rows as its groups, at most `data.rows_per_site`; validation rows are limited in proportion,
    test rows are not. No row is held by two sites.

    Args:
        values: (rows,) int64, the column: the group of each row.

    Raises:
        TooFewRows: naming the first site with fewer than `MIN_ROWS` training rows, or no row on another side.
    """
    groups, shares = np.unique(values), []
    for name, places in zip(site_names, groups_of(len(groups), len(site_names)), strict=True):
        train, validation, test = (
            side[np.isin(values[side], groups[places])]
            for side in (split.train, split.validation, split.test)
        )
        for side, rows, needed in (
            ("training", train, MIN_ROWS),
            ("validation", validation, 1),
            ("test", test, 1),
        ):
            if len(rows) < needed:
                raise TooFewRows(site=name, rows=len(rows), side=side, needed=needed)
        shares.append(
            Share(
                rng.permutation(train)[: data.rows_per_site],
                rng.permutation(validation)[: num_validation_rows(data)],
                test,
            )
        )
    return tuple(shares)
