"""The data sets that ship with the product."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from dimat.data_spec import ColumnPartition, DataSpec, GivenData, SampleData
from dimat.errors import RowsNotGiven, UnknownSample
from dimat.samples import SAMPLES
from worker.data.samples import DATA_DIR, SampleDamaged, load_site_rows, read_sample

NAMES = tuple(f"site-{i}" for i in range(8))


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_is_what_the_spec_says(name: str) -> None:
    table, info = read_sample(name), SAMPLES[name]
    assert table.x.shape == (info.num_rows, *info.shape)
    assert table.x.dtype == np.float32
    assert np.isfinite(table.x).all()
    assert set(table.y.tolist()) == set(range(info.num_classes))
    found = {name: len(set(values.tolist())) for name, values in table.columns.items()}
    assert found == {column.name: column.num_values for column in info.columns}


def test_every_sample_file_has_its_origin_and_licence_beside_it() -> None:
    text = (DATA_DIR / "README.md").read_text(encoding="utf-8")
    for info in SAMPLES.values():
        row = next(line for line in text.splitlines() if f"`{info.file}`" in line)
        assert info.licence in row


def test_unknown_sample_is_named_with_those_there_are() -> None:
    with pytest.raises(UnknownSample, match=r"'mnist' .*pendigits"):
        read_sample("mnist")


def test_file_that_was_changed_is_refused(tmp_path: Path) -> None:
    lines = gzip.decompress((DATA_DIR / "pendigits.csv.gz").read_bytes()).splitlines(keepends=True)
    (tmp_path / "pendigits.csv.gz").write_bytes(gzip.compress(b"".join(lines[:-1])))
    with pytest.raises(SampleDamaged, match=r"rows of shape \(10991, 16\) instead of \(10992, 16\)"):
        read_sample("pendigits", tmp_path)


@pytest.mark.parametrize("damage", ["cut short", "another label", "no number"])
def test_a_damaged_file_is_named(damage: str, tmp_path: Path) -> None:
    whole = (DATA_DIR / "pendigits.csv.gz").read_bytes()
    header, first, *rest = gzip.decompress(whole).splitlines(keepends=True)
    head, _, _label = first.rpartition(b",")
    damaged = {
        "cut short": whole[: len(whole) // 2],
        "another label": gzip.compress(b"".join([header, head + b",x\n", *rest])),
        "no number": gzip.compress(b"".join([header, b"ten" + first, *rest])),
    }[damage]
    (tmp_path / "pendigits.csv.gz").write_bytes(damaged)
    with pytest.raises(SampleDamaged, match=r"The sample file 'pendigits.csv.gz' is damaged: "):
        read_sample("pendigits", tmp_path)


def test_demo_s_sites_share_a_quarter_of_all_rows_for_testing() -> None:
    rows = load_site_rows(SampleData(dataset="pendigits"), DataSpec(), NAMES, 3, seed=1)
    assert len(rows.test_x) == 2748
    assert len(rows.train_x) == 500
    assert rows.class_mix.sum() == pytest.approx(1)


def test_a_worker_has_no_rows_that_only_a_caller_of_simulate_gives() -> None:
    with pytest.raises(RowsNotGiven, match="'rows_of'"):
        load_site_rows(GivenData(), DataSpec(), NAMES, 0, seed=1)


def test_a_site_s_rows_are_the_same_every_time_and_differ_between_sites_and_seeds() -> None:
    source, data = SampleData(dataset="pendigits"), DataSpec()
    prints = [
        load_site_rows(source, data, NAMES, i, seed).fingerprint()
        for i, seed in [(0, 1), (0, 1), (1, 1), (0, 2)]
    ]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


def test_watch_rows_are_windows_of_their_recording_half_a_window_apart() -> None:
    table = read_sample("watch_imu")
    at = table.recordings
    assert at is not None
    with np.load(DATA_DIR / "watch_imu.npz", allow_pickle=False) as arrays:
        starts = np.cumsum(arrays["lengths"]) - arrays["lengths"]
        for row in (0, 1, 2_000, 4_676):
            start = starts[at.recording[row]] + at.begin[row]
            np.testing.assert_array_equal(table.x[row], arrays["values"][start : start + 100].T)
            assert table.columns["subject"][row] == arrays["subject"][at.recording[row]]
            assert table.y[row] == arrays["label"][at.recording[row]]
        for number, length in enumerate(arrays["lengths"]):
            begins = at.begin[at.recording == number]
            assert begins.tolist() == list(range(0, length - 99, 50))


def test_ten_people_share_the_watch_data_by_person() -> None:
    """Two each: nobody is at two sites, and no window of a site's test rows overlaps one that a site trains on."""
    table = read_sample("watch_imu")
    data = DataSpec(partition=ColumnPartition(column="subject"), rows_per_site=10_000, standardise=False)
    rows = [load_site_rows(SampleData(dataset="watch_imu"), data, NAMES[:5], i, seed=1) for i in range(5)]
    whose = {x.tobytes(): person for x, person in zip(table.x, table.columns["subject"], strict=True)}
    for site, held in enumerate(rows):
        for x in (held.train_x, held.validation_x, held.own_test[0]):
            assert {int(whose[row.numpy().tobytes()]) for row in x} == {2 * site + 1, 2 * site + 2}
    assert sum(len(held.train_x) for held in rows) == pytest.approx(len(table.x) * 0.65, abs=140 / 2)
