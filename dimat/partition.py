"""Which rows are for training, validation and test, and which site holds which.

Two different questions. The *side* of a row follows from a keyed hash of the row and never changes,
whatever the number of sites, the seed or the partition. The *share* of a site is drawn with the run's seed.

Legend: C = classes, N = sites.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dimat.data_spec import (
    ColumnPartition,
    DataSpec,
    DirichletPartition,
    DrawnPartition,
    IidPartition,
    ShardsPartition,
    SplitSpec,
)
from dimat.errors import TooFewRows

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Split:
    """Row indices of each side, ascending; no row on two. Together every row once, but for windows of recordings that overlap
    one of another side: they are left out."""

    train: Indices
    validation: Indices
    test: Indices


@dataclass(frozen=True, slots=True)
class Share:
    """Row indices that one site holds, in random order. `test`: test rows that are its own; None where all sites share them."""

    train: Indices
    validation: Indices
    test: Indices | None = None


def split_rows(labels: Indices, num_classes: int, split: SplitSpec) -> Split:
    """Sides of the rows of a closed data set, with exact, stratified shares.

    Every row gets a number in [0, 1) from a keyed hash of its index; within a class the lowest go to
    test, the next to validation, the rest to train. Shares are exact to the row: largest remainder over classes.
    """
    order = np.argsort(_hash_fractions(len(labels), split.key), kind="stable")
    counts = np.bincount(labels, minlength=num_classes)
    num_test = largest_remainder(counts * split.test_fraction, round(len(labels) * split.test_fraction))
    num_validation = largest_remainder(
        counts * split.validation_fraction, round(len(labels) * split.validation_fraction)
    )
    test, validation, train = [], [], []
    for c in range(num_classes):
        of_class = order[labels[order] == c]
        first, second = num_test[c], num_test[c] + num_validation[c]
        test.append(of_class[:first])
        validation.append(of_class[first:second])
        train.append(of_class[second:])
    return Split(*(np.sort(np.concatenate(side)) for side in (train, validation, test)))


def share_out(
    labels: Indices,
    num_classes: int,
    split: Split,
    data: DataSpec,
    site_names: Sequence[str],
    rng: np.random.Generator,
) -> tuple[Share, ...]:
    """Training and validation rows of each site by a partition that draws them; no row is held by two sites.

    Every site gets exactly `data.rows_per_site` training rows. A class that is used up is replaced by
    the other classes in the site's mix. Validation rows follow the site's class mix, in the proportion
    of validation to training rows in the split; there may be fewer where classes run out.

    Raises:
        TooFewRows: naming the first site that cannot be served.
    """
    assert not isinstance(data.partition, ColumnPartition), "natural groups are not drawn: see dimat.natural"
    mixes_NC = class_mixes(data.partition, num_classes, len(site_names), labels[split.train], rng)
    pools = _Pools(labels, num_classes, split.train, rng)
    spare = _Pools(labels, num_classes, split.validation, rng)
    num_validation = max(1, min(num_validation_rows(data), len(split.validation) // len(site_names)))
    shares = []
    for name, mix_C in zip(site_names, mixes_NC, strict=True):
        train = pools.take(mix_C, data.rows_per_site, rng)
        if len(train) < data.rows_per_site:
            raise TooFewRows(site=name, rows=len(train), side="training", needed=data.rows_per_site)
        own_C = np.bincount(labels[train], minlength=num_classes) / len(train)
        validation = spare.take(own_C, num_validation, rng)
        if len(validation) == 0:
            raise TooFewRows(site=name, rows=0, side="validation", needed=1)
        shares.append(Share(train, validation))
    return tuple(shares)


def num_validation_rows(data: DataSpec) -> int:
    """How many validation rows go with `data.rows_per_site` training rows in the proportion of the split, at least 1."""
    training = 1.0 - data.split.test_fraction - data.split.validation_fraction
    return max(1, round(data.rows_per_site * data.split.validation_fraction / training))


def class_mixes(
    partition: DrawnPartition, num_classes: int, num_sites: int, labels: Indices, rng: np.random.Generator
) -> NDArray[np.float64]:
    """The class mix each site wants: (N, C) float64, rows sum to 1.

    Args:
        labels: of the rows that are shared out; their mix is what `iid` sites get.
    """
    match partition:
        case IidPartition():
            mix_C = np.bincount(labels, minlength=num_classes) / len(labels)
            return np.tile(mix_C, (num_sites, 1))
        case DirichletPartition(alpha=alpha):
            return rng.dirichlet(np.full(num_classes, alpha), size=num_sites)
        case ShardsPartition(classes_per_site=wanted):
            return _shards(min(wanted, num_classes), num_classes, num_sites, rng)


def largest_remainder(wanted: NDArray[np.floating], total: int) -> Indices:
    """Whole numbers near `wanted` (>= 0) with the given sum; a tie goes to the lower index.

    `wanted` must sum to about `total` (the difference is below its length).
    """
    floor: Indices = np.floor(wanted + 1e-9).astype(np.int64)
    missing = total - int(floor.sum())
    order = np.argsort(floor - wanted, kind="stable")
    floor[order[:missing]] += 1
    return floor


def _hash_fractions(num_rows: int, key: str) -> NDArray[np.float64]:
    secret = hashlib.blake2b(key.encode(), digest_size=32).digest()
    digests = b"".join(
        hashlib.blake2b(str(row).encode(), key=secret, digest_size=8).digest() for row in range(num_rows)
    )
    return np.frombuffer(digests, dtype=">u8").astype(np.float64) / 2.0**64


def _shards(wanted: int, num_classes: int, num_sites: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Each site takes the classes taken least often so far, at random among equals."""
    mixes_NC, used = np.zeros((num_sites, num_classes)), np.zeros(num_classes)
    for site in range(num_sites):
        chosen = np.lexsort((rng.random(num_classes), used))[:wanted]
        mixes_NC[site, chosen] = 1.0 / wanted
        used[chosen] += 1
    return mixes_NC


class _Pools:
    """Rows by class, drawn without replacement."""

    def __init__(self, labels: Indices, num_classes: int, rows: Indices, rng: np.random.Generator) -> None:
        shuffled = rng.permutation(rows)
        self._of_class = [shuffled[labels[shuffled] == c] for c in range(num_classes)]
        self._taken = np.zeros(num_classes, dtype=np.int64)

    def take(self, mix_C: NDArray[np.float64], num_rows: int, rng: np.random.Generator) -> Indices:
        """`num_rows` rows with the given mix, fewer if its classes are used up, in random order."""
        left_C = np.array([len(rows) for rows in self._of_class]) - self._taken
        counts_C = _allocate(mix_C, num_rows, left_C)
        parts = [
            rows[start : start + count]
            for rows, start, count in zip(self._of_class, self._taken, counts_C, strict=True)
        ]
        self._taken += counts_C
        return rng.permutation(np.concatenate(parts))


def _allocate(mix_C: NDArray[np.float64], num_rows: int, left_C: Indices) -> Indices:
    """How many rows of each class: `mix_C` * `num_rows`, what is used up going to the site's other classes."""
    counts_C = np.zeros(len(mix_C), dtype=np.int64)
    while (missing := num_rows - int(counts_C.sum())) > 0:
        open_C = np.where((left_C > counts_C) & (mix_C > 0), mix_C, 0.0)
        if not open_C.any():
            break
        extra_C = largest_remainder(open_C / open_C.sum() * missing, missing)
        counts_C = np.minimum(counts_C + extra_C, left_C)
    return counts_C
