"""Reads the sample data sets that ship in `data/`, and builds a simulated site's rows from them.

Reading and sharing out are remembered per process: a worker asks for the same rows at every step.
"""

import csv
import gzip
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np

from dimat.data_spec import AnyData, DataSpec, GivenData
from dimat.errors import DataError, RowsNotGiven, UnknownSample
from dimat.recordings import Recordings
from dimat.rows import SiteRows, Table, all_site_rows
from dimat.samples import SAMPLES, SampleInfo

DATA_DIR = Path(__file__).resolve().parents[2] / "data"


class SampleDamaged(DataError):
    """A file that came with the product is not what it was."""

    code = "sample_damaged"
    template = "The sample file '{file}' is damaged: {problem}. Restore the file that came with the product."


def load_site_rows(
    site_data: AnyData, data: DataSpec, site_names: tuple[str, ...], site_index: int, seed: int
) -> SiteRows:
    """The rows of one simulated site.

    Raises:
        RowsNotGiven, UnknownSample, SampleDamaged, NonFiniteData, TooFewRows, OSError: the file cannot be read.
    """
    if isinstance(site_data, GivenData):
        raise RowsNotGiven(site=site_names[site_index])
    return _all_sites(site_data.dataset, data, site_names, seed)[site_index]


@lru_cache(maxsize=8)
def _all_sites(dataset: str, data: DataSpec, site_names: tuple[str, ...], seed: int) -> tuple[SiteRows, ...]:
    return all_site_rows(read_sample(dataset), data, site_names, seed)


@lru_cache(maxsize=2)
def read_sample(name: str, folder: Path = DATA_DIR) -> Table:
    """A sample data set as it is in its file; images are scaled to 0..1, recordings cut into windows.

    Raises:
        UnknownSample: no such set. OSError: the file cannot be read. SampleDamaged: it is not what it should be.
    """
    if name not in SAMPLES:
        raise UnknownSample(name=name, known=", ".join(SAMPLES))
    info = SAMPLES[name]
    try:
        table = _READERS[name](info, folder)
    except (EOFError, ValueError, TypeError, KeyError, zlib.error, zipfile.BadZipFile, csv.Error) as error:
        raise SampleDamaged(file=info.file, problem=f"it cannot be read ({type(error).__name__})") from error
    if table.x.shape != (info.num_rows, *info.shape):
        shapes = f"rows of shape {table.x.shape} instead of {(info.num_rows, *info.shape)}"
        raise SampleDamaged(file=info.file, problem=shapes)
    if not ((table.y >= 0) & (table.y < info.num_classes)).all():
        raise SampleDamaged(file=info.file, problem=f"a label is none of the {info.num_classes} classes")
    for column in info.columns:
        if len(np.unique(table.columns[column.name])) != column.num_values:
            raise SampleDamaged(file=info.file, problem=f"'{column.name}' has not {column.num_values} values")
    return table


def _read_csv(info: SampleInfo, folder: Path) -> Table:
    """Features, then the label: a digit or a capital letter."""
    with gzip.open(folder / info.file, "rt", encoding="ascii", newline="") as lines:
        _header, *rows = csv.reader(lines)
    labels = [int(row[-1]) if row[-1].isdigit() else ord(row[-1]) - ord("A") for row in rows]
    return Table(
        x=np.array([row[:-1] for row in rows], dtype=np.float32),
        y=np.array(labels, dtype=np.int64),
        num_classes=info.num_classes,
    )


def _read_images(info: SampleInfo, folder: Path) -> Table:
    with np.load(folder / info.file, allow_pickle=False) as arrays:
        images = np.concatenate([arrays["x_train"], arrays["x_test"]])
        labels = np.concatenate([arrays["y_train"], arrays["y_test"]])
    return Table(
        x=(images[:, None] / 255.0).astype(np.float32),
        y=labels.astype(np.int64),
        num_classes=info.num_classes,
    )


def _read_recordings(info: SampleInfo, folder: Path) -> Table:
    """Windows of `length` samples, each beginning half a window after the one before, of recordings that lie one after another."""
    with np.load(folder / info.file, allow_pickle=False) as arrays:
        values, lengths = arrays["values"].astype(np.float32), arrays["lengths"].astype(np.int64)
        labels = arrays["label"].astype(np.int64)
        columns = {column.name: arrays[column.name].astype(np.int64) for column in info.columns}
    length = info.shape[-1]
    begins = [np.arange(0, samples - length + 1, length // 2) for samples in lengths]
    recording, begin = (
        np.repeat(np.arange(len(lengths)), [len(one) for one in begins]),
        np.concatenate(begins),
    )
    first = (np.cumsum(lengths) - lengths)[recording] + begin
    return Table(
        x=np.ascontiguousarray(values[first[:, None] + np.arange(length)].swapaxes(1, 2)),
        y=labels[recording],
        num_classes=info.num_classes,
        columns={name: of_recording[recording] for name, of_recording in columns.items()},
        recordings=Recordings(recording, begin, begin + length),
    )


_READERS = {
    "pendigits": _read_csv,
    "letter": _read_csv,
    "fashion_mnist_6k": _read_images,
    "watch_imu": _read_recordings,
}
