"""Whose cases the test rows are, where sites differ in more than their class mixes.

All-site accuracy is then the mean over sites of the accuracy on the rows dealt to each; own-site accuracy is that on the site's own.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dimat.partition import Indices, Share

OWN_COPIES = 16
"""The test rows that sites see each under its own condition are together at most so many times the test rows (or one for each site):
a thousand sites shall not hold a thousand test sets."""


def dealt(labels: Indices, num_sites: int, rng: np.random.Generator) -> tuple[Indices, tuple[Indices, ...]]:
    """Deals test rows out to sites that differ in their condition.

    Args:
        labels: (rows,) int64 of the test rows.

    Returns:
        The site of each row, (rows,) int64: every row to one site, each class evenly, so that all sites together keep the size of the
        test set. And for each site the places of the rows by which it is judged under its own condition, ascending: with up to
        `OWN_COPIES` sites all, with more of each class an equal part.
    """
    shuffled = rng.permutation(len(labels))
    order = shuffled[np.argsort(labels[shuffled], kind="stable")]
    sites = np.empty(len(labels), dtype=np.int64)
    sites[order] = np.arange(len(labels)) % num_sites
    step = -(-num_sites // OWN_COPIES)
    return sites, tuple(np.sort(order[site % step :: step]) for site in range(num_sites))


def of_groups(test: Indices, shares: Sequence[Share]) -> tuple[Indices, tuple[Indices, ...]]:
    """As `dealt`, for natural groups: each test row is of the site that holds its group, and is judged by there."""
    sites = np.empty(len(test), dtype=np.int64)
    own = []
    for site, share in enumerate(shares):
        assert share.test is not None, "a natural group has test rows of its own"
        own.append(np.flatnonzero(np.isin(test, share.test)))
        sites[own[-1]] = site
    return sites, tuple(own)


def mean_over_sites(hits: NDArray[np.bool_], sites: Indices) -> float:
    """Mean over sites of the share of hits among the rows of each, 0..1; sites without a row do not count.

    Args:
        hits, sites: (rows,), whether a row was classified rightly, and whose it is.
    """
    rows, right = np.bincount(sites), np.bincount(sites, weights=hits)
    return float((right[rows > 0] / rows[rows > 0]).mean())
