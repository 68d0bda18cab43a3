"""Sides of rows that are windows of longer recordings.

Windows of one recording overlap and resemble each other, so a hash of each window would put nearly the same values into
training and test. They are split by time instead: a recording begins in training and ends in test.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dimat.data_spec import SplitSpec

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Recordings:
    """Which stretch of which recording each row is.

    Attributes:
        recording: (rows,) int64, the number of the recording.
        begin, end: (rows,) int64, samples from the beginning of the recording; `end` is the first sample after the window.
    """

    recording: Indices
    begin: Indices
    end: Indices


def cut(recordings: Recordings, split: SplitSpec) -> tuple[Indices, Indices, Indices]:
    """Rows for training, validation and test, each ascending: the first, middle and last windows of every recording.

    A window that overlaps one of an earlier side belongs to no side, so no sample is on two sides. Which row is on which side
    follows from the recording and the fractions alone; `split.key` plays no part.
    """
    train, validation, test = [], [], []
    for number in np.unique(recordings.recording):
        rows = np.flatnonzero(recordings.recording == number)
        rows = rows[np.argsort(recordings.begin[rows], kind="stable")]
        first = round(len(rows) * (1.0 - split.test_fraction - split.validation_fraction))
        second = round(len(rows) * (1.0 - split.test_fraction))
        train.append(rows[:first])
        validation.append(_clear_of(train[-1], rows[first:second], recordings))
        test.append(_clear_of(rows[:first], _clear_of(validation[-1], rows[second:], recordings), recordings))
    return _sorted(train), _sorted(validation), _sorted(test)


def _clear_of(earlier: Indices, later: Indices, recordings: Recordings) -> Indices:
    """The rows of `later` that begin where all of `earlier` have ended."""
    clear: Indices = later[recordings.begin[later] >= recordings.end[earlier].max(initial=0)]
    return clear


def _sorted(rows: list[Indices]) -> Indices:
    return np.sort(np.concatenate(rows))
