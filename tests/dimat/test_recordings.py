"""Windows of recordings go to sides by time."""

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from dimat.data_spec import SplitSpec
from dimat.recordings import Recordings, cut


@st.composite
def windows(draw: st.DrawFn) -> Recordings:
    """Of up to four recordings, in any order, of any length and step: neighbours overlap, touch or leave gaps."""
    length, step = draw(st.integers(1, 30)), draw(st.integers(1, 30))
    counts = draw(st.lists(st.integers(1, 60), min_size=1, max_size=4))
    recording = np.repeat(np.arange(len(counts)), counts)
    begin = np.concatenate([np.arange(count) * step for count in counts])
    order = np.random.default_rng(draw(st.integers(0, 99))).permutation(len(begin))
    return Recordings(recording[order], begin[order], begin[order] + length)


@st.composite
def splits(draw: st.DrawFn) -> SplitSpec:
    test, validation = draw(st.floats(0.05, 0.6)), draw(st.floats(0.05, 0.3))
    return SplitSpec(test_fraction=test, validation_fraction=validation)


def samples(recordings: Recordings, rows: np.ndarray) -> set[tuple[int, int]]:
    """Every sample that the rows show, by its recording and its time."""
    return {
        (int(recordings.recording[row]), sample)
        for row in rows
        for sample in range(recordings.begin[row], recordings.end[row])
    }


@given(windows(), splits())
def test_no_sample_is_on_two_sides(recordings: Recordings, split: SplitSpec) -> None:
    train, validation, test = (samples(recordings, rows) for rows in cut(recordings, split))
    assert not train & validation
    assert not train & test
    assert not validation & test


@given(windows(), splits())
def test_a_window_has_one_side_and_only_what_overlaps_an_earlier_side_has_none(
    recordings: Recordings, split: SplitSpec
) -> None:
    train, validation, test = cut(recordings, split)
    sided = np.concatenate([train, validation, test])
    assert len(set(sided.tolist())) == len(sided)
    before_test = samples(recordings, np.concatenate([train, validation]))
    for row in set(range(len(recordings.begin))) - set(sided.tolist()):
        assert samples(recordings, np.array([row])) & before_test


@given(windows(), splits())
def test_a_recording_begins_in_training_and_ends_in_test(recordings: Recordings, split: SplitSpec) -> None:
    sides = cut(recordings, split)
    for number in np.unique(recordings.recording):
        ends, begins = [], []
        for rows in sides:
            of_it = rows[recordings.recording[rows] == number]
            ends.append(recordings.end[of_it].max(initial=0))
            begins.append(recordings.begin[of_it].min(initial=10_000))
        assert ends[0] <= begins[1]
        assert max(ends[:2]) <= begins[2]


@given(windows(), splits())
def test_the_key_moves_no_window(recordings: Recordings, split: SplitSpec) -> None:
    other = split.model_copy(update={"key": "another"})
    for rows, again in zip(cut(recordings, split), cut(recordings, other), strict=True):
        np.testing.assert_array_equal(rows, again)


@given(windows())
def test_training_has_its_whole_share_of_every_recording(recordings: Recordings) -> None:
    train, _, _ = cut(recordings, SplitSpec(test_fraction=0.25, validation_fraction=0.25))
    for number, count in enumerate(np.bincount(recordings.recording)):
        assume(count > 1)
        assert (recordings.recording[train] == number).sum() == round(count * 0.5)
