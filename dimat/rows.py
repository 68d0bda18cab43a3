"""The rows of one site, ready to train on: split, shared out and scaled.

Pure: arrays in, tensors out. Reading files is the worker's business (`worker/data`).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dimat.errors import NonFiniteData, TooFewRows
from dimat.partition import Share, share_out, split_rows
from dimat.parts import DataSpec
from dimat.training.seeding import numpy_rng


@dataclass(frozen=True, slots=True)
class SiteRows:
    """What one site holds. `...` is the shape of a row.

    Attributes:
        train_x, train_y: (rows, ...) float32 and (rows,) int64 labels 0..num_classes-1.
        validation_x, validation_y: the site's own validation rows, for decisions inside a pilot.
        test_x, test_y: the test rows that all sites share, for reported accuracy.
        class_mix: (num_classes,) float64, the shares of the classes in the site's training rows, sum 1.
    """

    train_x: Tensor
    train_y: Tensor
    validation_x: Tensor
    validation_y: Tensor
    test_x: Tensor
    test_y: Tensor
    class_mix: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        return tuple(self.train_x.shape[1:])

    @property
    def num_classes(self) -> int:
        return len(self.class_mix)

    def log_prior(self) -> Tensor:
        """(C,) float32: log((n_c + 1) / (n + C)) of the site's own training rows; a class without rows has a share, too."""
        counts_C = torch.bincount(self.train_y.cpu(), minlength=self.num_classes).double()
        return ((counts_C + 1) / (counts_C.sum() + self.num_classes)).log().float()

    def class_weights(self) -> Tensor:
        """(C,) float32: n / (number of classes present * n_c) of the site's own training rows, so that all classes count the same
        and the mean row counts 1; 1 for a class without rows, which none of them asks for."""
        counts_C = torch.bincount(self.train_y.cpu(), minlength=self.num_classes).double()
        even = counts_C.sum() / (counts_C > 0).sum()
        return torch.where(counts_C > 0, even / counts_C.clamp(min=1), 1.0).float()

    def on(self, device: str) -> Self:
        """The same rows on a device (`cpu`, `cuda:0`)."""
        if device == "cpu":
            return self
        return replace(self, **{name: getattr(self, name).to(device) for name in _TENSORS})

    def fingerprint(self) -> str:
        """sha256 over all arrays: equal rows, equal digests."""
        digest = hashlib.sha256()
        for name in _TENSORS:
            array = getattr(self, name).cpu().numpy()
            digest.update(f"{name} {array.shape} {array.dtype};".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


_TENSORS = ("train_x", "train_y", "validation_x", "validation_y", "test_x", "test_y")


@dataclass(frozen=True, slots=True)
class Table:
    """A labelled data set before any split.

    Attributes:
        x: (rows, ...) float32 features. y: (rows,) int64 labels 0..num_classes-1.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]
    num_classes: int


def all_site_rows(
    table: Table, data: DataSpec, site_names: tuple[str, ...], seed: int
) -> tuple[SiteRows, ...]:
    """The rows of every site of a simulated pilot, in the order of `site_names`.

    Scaling uses the mean and deviation of the *pooled* training rows. This is possible because the
    sites are simulated from one data set; real sites have to agree on a scale in another way.

    Raises:
        TooFewRows: naming the first site that does not get its rows, or has no test row to be judged by. NonFiniteData: see `check_finite`.
    """
    check_finite(table.x, site_names[0])
    split = split_rows(table.y, table.num_classes, data.split)
    shares = share_out(table.y, table.num_classes, split, data, site_names, numpy_rng(seed, "partition"))
    _check_testable(table, split.test, shares, site_names)
    x = _standardised(table.x, split.train) if data.standardise else table.x
    test_x, test_y = torch.from_numpy(x[split.test]), torch.from_numpy(table.y[split.test])
    return tuple(
        SiteRows(
            train_x=torch.from_numpy(x[share.train]),
            train_y=torch.from_numpy(table.y[share.train]),
            validation_x=torch.from_numpy(x[share.validation]),
            validation_y=torch.from_numpy(table.y[share.validation]),
            test_x=test_x,
            test_y=test_y,
            class_mix=np.bincount(table.y[share.train], minlength=table.num_classes) / len(share.train),
        )
        for share in shares
    )


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


def _check_testable(
    table: Table, test: NDArray[np.int64], shares: Sequence[Share], site_names: Sequence[str]
) -> None:
    """Whether each site can be judged: own-site accuracy is that of its classes' test rows. Raises: TooFewRows."""
    tested_C = np.bincount(table.y[test], minlength=table.num_classes) > 0
    for name, share in zip(site_names, shares, strict=True):
        if not tested_C[table.y[share.train]].any():
            raise TooFewRows(site=name, rows=0, side="test", needed=1)


def _standardised(x: NDArray[np.float32], reference: NDArray[np.int64]) -> NDArray[np.float32]:
    """`x` with mean 0 and deviation 1 over the `reference` rows: per feature, for images per channel."""
    axes = (0, *range(2, x.ndim))
    known = x[reference].astype(np.float64)
    mean, deviation = known.mean(axis=axes, keepdims=True), known.std(axis=axes, keepdims=True)
    scaled: NDArray[np.float32] = ((x - mean) / np.where(deviation > 0, deviation, 1.0)).astype(np.float32)
    return scaled
