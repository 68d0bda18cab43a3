"""`--figure`: one picture of a sweep, that needs nothing else to be seen."""

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.cli import workers
from worker.data.samples import DATA_DIR
from worker.sweeps import axes
from worker.sweeps.curves import curves
from worker.sweeps.figure import svg, write_figure

SVG = "{http://www.w3.org/2000/svg}"


def run(arm: str, seed: int, accuracies: list[float], sent: int | None, **other: Any) -> dict[str, Any]:
    rounds = [
        {
            "round": number,
            "after_train": {"own_site": {"mean": value}, "all_site": {"mean": value / 2}},
            "bytes_so_far": None if sent is None else sent * number,
        }
        for number, value in enumerate(accuracies)
    ]
    return {"arm": arm, "seed": seed, "state": "completed", "rounds": rounds} | other


def setting(number: int, runs: list[dict[str, Any]], **values: Any) -> dict[str, Any]:
    return {"setting": number, "values": values, "pilot": {"name": "p"}, "runs": runs}


def texts(drawn: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(drawn).iter(f"{SVG}text")]


def test_a_curve_is_the_mean_of_the_seeds_with_their_spread_without_those_that_failed() -> None:
    runs = [
        run("x", 1, [0.2, 0.4], 100),
        run("x", 2, [0.4, 0.8], 100),
        run("x", 3, [0.0], 100, state="failed"),
    ]
    (curve,) = curves(setting(1, runs), "own_site")
    last = curve.points[-1]
    assert (last.round, last.low, last.high, last.num_bytes, curve.num_seeds) == (1, 0.4, 0.8, 100, 2)
    assert last.mean == pytest.approx(0.6)
    assert "Setting 1: k = 3. Seeds failed and left out: x (1)" in texts(svg([setting(1, runs, k=3)]))


def test_every_setting_has_its_charts_and_every_arm_its_line() -> None:
    settings = [
        setting(number, [run("alone", 1, [0.1, 0.2], 0), run("mean", 1, [0.1, 0.9], 5_000_000)], **{"train.lr": lr})
        for number, lr in ((1, 0.1), (2, "<&>"))
    ]  # fmt: skip
    drawn = svg(settings)
    said = texts(drawn)
    assert [t for t in said if "Setting" in t] == ["Setting 1: train.lr = 0.1", 'Setting 2: train.lr = "<&>"']
    assert [said.count(words) for words in ("alone", "mean", "round", "MB exchanged by all sites")] == [
        1,
        1,
        4,
        4,
    ]
    assert said.count("all-site accuracy, %") == said.count("own-site accuracy, %") == 4
    tips = [element.text for element in ElementTree.fromstring(drawn).iter(f"{SVG}title")]
    assert "mean, round 1: 90.0%, 5 MB" in tips
    assert "alone: exchanges no models, at the end 20.0%" in tips


def test_bytes_that_differ_much_stand_at_powers_of_ten() -> None:
    drawn = svg([setting(1, [run("little", 1, [0.1, 0.2], 10_000), run("much", 1, [0.1, 0.9], 5_000_000)])])
    assert "MB exchanged by all sites (powers of ten)" in texts(drawn)
    assert "nan" not in drawn.lower()


def test_a_sweep_of_which_nothing_was_completed_is_still_a_picture() -> None:
    drawn = svg([setting(1, [run("x", 1, [], 0, state="failed")], k=1)])
    assert "Setting 1: k = 1. Seeds failed and left out: x (1)" in texts(drawn)


def test_a_page_fetches_nothing_and_has_the_numbers(tmp_path: Path) -> None:
    results = [setting(1, [run("x<", 1, [0.1, 0.5], 1_000_000)], k="<script>")]
    write_figure(tmp_path / "f.html", results)
    page = (tmp_path / "f.html").read_text(encoding="utf-8")
    assert not re.search(r"<script|<link|src=|href=|url\(|@import", page)
    assert re.findall(r"https?://\S+", page) == ['http://www.w3.org/2000/svg"']
    assert "<td>x&lt;</td><td>1</td><td>25.0%</td><td>50.0%</td><td>1</td>" in page


@pytest.mark.parametrize("name", ["f.png", "figure", "f.svg.gz"])
def test_another_kind_of_picture_is_refused_before_anything_runs(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        workers.simulate(DATA_DIR / "pilots" / "demo.toml", figure=tmp_path / name)
    (line,) = capsys.readouterr().err.splitlines()
    assert (
        line
        == f"awase: a figure is written as .svg or .html, not as '{name}'. Name such a file with --figure."
    )


def test_one_file_for_two_results_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = tmp_path / "f.svg"
    with pytest.raises(SystemExit):
        workers.simulate(DATA_DIR / "pilots" / "demo.toml", json=one, figure=one)
    assert "two results would go into one file" in capsys.readouterr().err


NUMBERS = st.floats(-1e6, 1e6)


@given(NUMBERS, st.floats(0, 1e6), st.integers(2, 10))
def test_a_scale_holds_what_it_is_for_with_some_ticks_at_round_numbers(
    low: float, span: float, about: int
) -> None:
    scale = axes.linear(low, low + span, about)
    slack = 1e-6 * (abs(low) + span + 1)
    assert scale.low <= low + slack
    assert scale.high >= low + span - slack
    assert (scale.ticks[0], scale.ticks[-1]) == (scale.low, scale.high)
    assert 2 <= len(scale.ticks) <= about + 3
    assert (scale.at(scale.low), scale.at(scale.high)) == (0.0, 1.0)


@given(st.lists(st.tuples(st.floats(1e-6, 1e6), st.floats(1, 1000)), min_size=1, max_size=5))
def test_bytes_of_every_arm_have_a_place(arms: list[tuple[float, float]]) -> None:
    starts, ends = [start for start, _ in arms], [start * times for start, times in arms]
    scale = axes.of_bytes(ends, starts)
    assert all(-1e-6 <= scale.at(value) <= 1 + 1e-6 for value in starts + ends)
