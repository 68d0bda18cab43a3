"""The rows of one site, ready to train on: split, shared out and scaled.

Pure: arrays in, tensors out. Reading files is the worker's business (`worker/data`).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dimat import cases
from dimat.checked import check_kind
from dimat.conditions import Scale, condition_of
from dimat.data_spec import ColumnPartition, ConditionShift, DataSpec
from dimat.errors import (
    ClassMixMalformed,
    FeaturesMalformed,
    NonFiniteData,
    RowsDiffer,
    TargetsMalformed,
    TooFewRows,
    UnknownLabel,
)
from dimat.natural import share_groups
from dimat.partition import Indices, Share, Split, share_out, split_rows
from dimat.recordings import Recordings, cut
from dimat.training.seeding import numpy_rng
from dimat.training.targets import Classes, Numbers, Targets

MIX_TOLERANCE = 1e-4
"""Shares may be in float32."""


@dataclass(frozen=True, slots=True)
class SiteRows:
    """What one site holds. `...` is the shape of a row.

    Attributes:
        train_x, train_y: (rows, ...) float32 features and targets: (rows,) int64 labels 0..num_classes-1; or (rows, outputs) float32
            numbers, scaled by the same mean and deviation at all sites as features are (`conditions.Scale`).
        validation_x, validation_y: the site's own validation rows, for decisions inside a pilot.
        test_x, test_y: the test rows that all sites share, for reported accuracy.
        class_mix: None for numbers; for labels (num_classes,) float64, sum 1: the shares of the classes in the site's cases, by which its own-site accuracy is
            weighed. Those of its training rows; of a natural group those of its own test rows, so that each of them counts the same.
        test_sites: (rows,) int64, the site whose case each shared test row is; None where they are alike for all sites.
        own_x, own_y: test rows of the site alone, where its cases differ from those of others; None: the shared ones are its own.
    """

    train_x: Tensor
    train_y: Tensor
    validation_x: Tensor
    validation_y: Tensor
    test_x: Tensor
    test_y: Tensor
    class_mix: NDArray[np.float64] | None = None
    test_sites: NDArray[np.int64] | None = None
    own_x: Tensor | None = None
    own_y: Tensor | None = None

    def __post_init__(self) -> None:
        """Raises: FeaturesMalformed, ClassMixMalformed. TargetsMalformed: neither labels with a class mix nor numbers without.
        TypeError: rows are no tensors."""
        for name in _TENSORS:
            given = getattr(self, name)
            if given is None and name in ("own_x", "own_y"):
                continue
            check_kind(f"'{name}'", given, Tensor, "a tensor, as torch.from_numpy(...) makes it")
            if name.endswith("_x") and given.dtype != torch.float32:
                raise FeaturesMalformed(name=name, dtype=str(given.dtype))
        if self.class_mix is not None:
            _check_mix(np.asarray(self.class_mix))
        like, num_dims = (torch.float32, 2) if self.class_mix is None else (torch.int64, 1)
        for name in ("train_y", "validation_y", "test_y", "own_y"):
            y = getattr(self, name)
            if y is not None and (y.dtype != like or y.ndim != num_dims):
                raise TargetsMalformed(name=name, dtype=str(y.dtype), shape=str(tuple(y.shape)))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        return tuple(self.train_x.shape[1:])

    @property
    def targets(self) -> Targets:
        """What they are, and what follows from it."""
        if self.class_mix is None:
            return Numbers(self.train_y.shape[1])
        return Classes(self.class_mix, self.train_y)

    @property
    def num_outputs(self) -> int:
        """How many a model for these rows has: one for each class, or for each number."""
        return self.targets.num_outputs

    @property
    def own_test(self) -> tuple[Tensor, Tensor]:
        """The test rows by which own-site accuracy is measured, and their labels."""
        if self.own_x is None or self.own_y is None:
            return self.test_x, self.test_y
        return self.own_x, self.own_y

    def on(self, device: str) -> Self:
        """The same rows on a device (`cpu`, `cuda:0`)."""
        if device == "cpu":
            return self
        held = {name: getattr(self, name) for name in _TENSORS}
        return replace(self, **{name: rows.to(device) for name, rows in held.items() if rows is not None})

    def fingerprint(self) -> str:
        """sha256 over all arrays: equal rows, equal digests."""
        digest = hashlib.sha256()
        held = {name: getattr(self, name) for name in _TENSORS}
        arrays = {name: rows.cpu().numpy() for name, rows in held.items() if rows is not None}
        if self.test_sites is not None:
            arrays["test_sites"] = self.test_sites
        for name, array in arrays.items():
            digest.update(f"{name} {array.shape} {array.dtype};".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


_TENSORS = ("train_x", "train_y", "validation_x", "validation_y", "test_x", "test_y", "own_x", "own_y")


@dataclass(frozen=True, slots=True)
class Table:
    """A labelled data set before any split.

    Attributes:
        x: (rows, ...) float32 features. y: (rows,) int64 labels 0..num_classes-1.
        columns: by name (rows,) int64, what is known of each row beside.
        recordings: where rows are windows of recordings, which of them; None where each row stands for itself.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    num_classes: int
    columns: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    recordings: Recordings | None = None


def all_site_rows(
    table: Table, data: DataSpec, site_names: tuple[str, ...], seed: int
) -> tuple[SiteRows, ...]:
    """The rows of every site of a simulated pilot, in the order of `site_names`.

    Scaling uses the mean and deviation of the *pooled* training rows, without their conditions. This is possible because the
    sites are simulated from one data set; real sites have to agree on a scale in another way.

    Raises:
        TooFewRows: naming the first site that does not get its rows, or has no test row to be judged by. NonFiniteData: see `check_finite`.
    """
    check_finite(table.x, site_names[0])
    split = split_table(table, data)
    rng = numpy_rng(seed, "partition")
    if isinstance(data.partition, ColumnPartition):
        shares = share_groups(table.columns[data.partition.column], split, data, site_names, rng)
        sites, own = cases.of_groups(split.test, shares)
    else:
        shares = share_out(table.y, table.num_classes, split, data, site_names, rng)
        sites, own = None, (np.arange(len(split.test)),) * len(shares)
        if isinstance(data.shift, ConditionShift):
            sites, own = cases.dealt(table.y[split.test], len(shares), numpy_rng(seed, "cases"))
    _check_testable(table.y, shares, [split.test[places] for places in own], site_names)
    view = _View(table, data, Scale.of(table.x[split.train]), seed)
    test_x, test_y = view.shared(split.test, sites)
    found = []
    for site, (share, places) in enumerate(zip(shares, own, strict=True)):
        train_x, train_y = view.rows(share.train, site, "train")
        validation_x, validation_y = view.rows(share.validation, site, "validation")
        own_x, own_y = None, None
        if share.test is not None:
            own_x, own_y = test_x[places], test_y[places]
        elif sites is not None:
            own_x, own_y = view.rows(split.test[places], site, "own")
        mixed = table.y[share.train if share.test is None else share.test]
        class_mix = np.bincount(mixed, minlength=table.num_classes) / len(mixed)
        found.append(
            SiteRows(
                train_x, train_y, validation_x, validation_y, test_x, test_y, class_mix, sites, own_x, own_y
            )
        )
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _View:
    """The rows of a table as sites see them: each under its condition, if they have conditions, and all on one scale.

    The scale is that of rows without a condition. On a scale of its own a site would see nothing of its contrast and brightness,
    and to share one of conditions it would have to tell something of them.
    """

    table: Table
    data: DataSpec
    scale: Scale
    seed: int

    def rows(self, rows: Indices, site: int, purpose: str) -> tuple[Tensor, Tensor]:
        """Features and labels. `purpose` tells noise on one set of rows from that on another."""
        x = self.table.x[rows]
        if isinstance(self.data.shift, ConditionShift):
            noise = numpy_rng(self.seed, "condition", site, purpose)
            x = condition_of(self.data.shift, self.seed, site).seen(x, self.scale, noise)
        if self.data.standardise:
            x = self.scale.standardised(x)
        return torch.from_numpy(x), torch.from_numpy(self.table.y[rows])

    def shared(self, test: Indices, sites: Indices | None) -> tuple[Tensor, Tensor]:
        """The test rows, each as the site sees it whose case it is; `sites` None: all sites see them alike."""
        if sites is None:
            return self.rows(test, 0, "test")
        x = torch.empty(len(test), *self.table.x.shape[1:])
        for site in np.unique(sites):
            x[sites == site], _ = self.rows(test[sites == site], int(site), "test")
        return x, torch.from_numpy(self.table.y[test])


def check_finite(x: NDArray[np.float32], site: str) -> None:
    """Whether every value is a number.

    Raises:
        NonFiniteData: naming the site, the count, and the first place (rows and columns count from 1;
            a column of an image is its pixel in reading order).
        TooFewRows: there is no row at all.
    """
    if len(x) == 0:
        raise TooFewRows(site=site, rows=0, side="training", needed=1)
    bad = ~np.isfinite(x.reshape(len(x), -1))
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        raise NonFiniteData(site=site, count=int(bad.sum()), row=row + 1, column=column + 1)


def check_sane(rows: SiteRows, site: str) -> None:
    """Whether a site has rows of every kind, all alike, with features that are numbers and classes that it knows of.

    Raises: TooFewRows, NonFiniteData, RowsDiffer, UnknownLabel.
    """
    check_sides(rows, site)
    sides = [(rows.train_x, rows.train_y), (rows.validation_x, rows.validation_y), (rows.test_x, rows.test_y)]
    for x, y in (*sides, rows.own_test):
        check_finite(x.cpu().numpy(), site)
        _check_shape(site, "a row", tuple(x.shape[1:]), rows.shape)
        _check_shape(site, "targets", tuple(y.shape), (len(x), *rows.train_y.shape[1:]))
        if rows.class_mix is not None:
            unknown = y[(y < 0) | (y >= rows.num_outputs)]
            if len(unknown):
                raise UnknownLabel(site=site, label=int(unknown[0]), last=rows.num_outputs - 1)


def _check_mix(class_mix: NDArray[np.float64]) -> None:
    total = float(class_mix.sum())
    if class_mix.ndim != 1 or not (class_mix >= 0).all() or not abs(total - 1) <= MIX_TOLERANCE:
        raise ClassMixMalformed(shape=str(class_mix.shape), total=total)


def check_alike(rows: SiteRows, first: SiteRows, site: str) -> None:
    """Whether one model can be for the rows of a site and those of the first. Raises: RowsDiffer."""
    _check_shape(site, "a row", rows.shape, first.shape)
    _check_shape(site, "outputs", (rows.num_outputs,), (first.num_outputs,))


def _check_shape(site: str, what: str, actual: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if actual != expected:
        raise RowsDiffer(site=site, what=what, actual=str(actual), expected=str(expected))


def check_sides(rows: SiteRows, site: str) -> None:
    """Whether a site has rows to train on, to decide by and to be judged by. Raises: TooFewRows."""
    sides = {"training": rows.train_x, "validation": rows.validation_x}
    for side, x in (*sides.items(), ("test", rows.test_x), ("test", rows.own_test[0])):
        if len(x) == 0:
            raise TooFewRows(site=site, rows=0, side=side, needed=1)


def split_table(table: Table, data: DataSpec) -> Split:
    """Sides of all rows: by time where they are windows of recordings, otherwise by a keyed hash."""
    if table.recordings is not None:
        return Split(*cut(table.recordings, data.split))
    return split_rows(table.y, table.num_classes, data.split)


def _check_testable(
    labels: Indices, shares: Sequence[Share], own: Sequence[Indices], site_names: Sequence[str]
) -> None:
    """Whether each site can be judged: own-site accuracy is that of its classes among its `own` test rows. Raises: TooFewRows."""
    for name, share, tested in zip(site_names, shares, own, strict=True):
        if not np.isin(labels[share.train], labels[tested]).any():
            raise TooFewRows(site=name, rows=0, side="test", needed=1)
