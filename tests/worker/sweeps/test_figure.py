"""`--figure`: one picture of a sweep, that needs nothing else to be seen."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from matplotlib.axes import Axes
from PIL import Image, ImageColor

from backend.cli import workers
from worker.data.samples import DATA_DIR
from worker.sweeps.charts import COLOURS
from worker.sweeps.curves import curves
from worker.sweeps.figure import A_PAGE, Shared, draw, svg, write_figure
from worker.sweeps.wanted import FIGURES, MATPLOTLIB

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


def charts(settings: list[dict[str, Any]]) -> list[Axes]:
    return draw(Shared.of(settings), settings).axes


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
        setting(number, [run("alone", 1, [0.1, 0.2], 0), run("$m$ <&>", 1, [0.1, 0.9], 5_000_000)], **{"train.lr": lr})
        for number, lr in ((1, 0.1), (2, "<&>"))
    ]  # fmt: skip
    said = texts(svg(settings))
    assert [t for t in said if "Setting" in t] == ["Setting 1: train.lr = 0.1", 'Setting 2: train.lr = "<&>"']
    counted = [said.count(words) for words in ("alone", "$m$ <&>", "round", "MB exchanged by all sites")]
    assert counted == [1, 1, 4, 4]
    assert said.count("all-site accuracy, %") == said.count("own-site accuracy, %") == 4


def test_a_line_is_the_mean_of_the_seeds_and_its_band_goes_from_the_lowest_to_the_highest() -> None:
    by_round, by_bytes = charts(
        [setting(1, [run("x", 1, [0.2, 0.4], 2_000_000), run("x", 2, [0.4, 0.8], 4_000_000)])]
    )[2:]
    for chart, across in ((by_round, [0, 1]), (by_bytes, [0, 3])):
        (line,), (band,) = chart.lines, chart.collections
        assert line.get_xydata().tolist() == [[across[0], pytest.approx(30)], [across[1], pytest.approx(60)]]
        edge = band.get_paths()[0].get_extents()
        assert (edge.x0, edge.x1, edge.y0, edge.y1) == pytest.approx((*across, 20, 80))


def test_an_arm_that_exchanges_nothing_is_level_over_bytes_at_its_end() -> None:
    chart = charts([setting(1, [run("alone", 1, [0.1, 0.2], 0), run("mean", 1, [0.1, 0.9], 5_000_000)])])[3]
    assert chart.lines[0].get_ydata() == pytest.approx([20, 20])
    assert chart.lines[0].get_xdata() == [0, 1]  # of the chart's width


def test_an_arm_looks_alike_in_every_chart_and_like_no_other() -> None:
    runs = [run(f"arm {number}", 1, [0.1, 0.2], 1_000_000) for number in range(40)]
    settings = [setting(1, runs, k=1), setting(2, runs[20:], k=2)]
    looks = list(Shared.of(settings).looks.values())
    assert len({(of_arm["color"], of_arm["linestyle"]) for of_arm in looks}) == 40
    shown = charts(settings)
    colours = [of_arm["color"] for of_arm in looks]
    assert [line.get_color() for line in shown[0].lines] == colours
    assert [line.get_color() for line in shown[4].lines] == colours[20:]


def test_scales_are_alike_in_all_settings() -> None:
    settings = [
        setting(1, [run("x", 1, [0.1, 0.2], 1_000_000)], k=1),
        setting(2, [run("x", 1, [0.1, 0.9, 0.95], 3_000_000)], k=2),
    ]
    shown = charts(settings)
    assert len({chart.get_ylim() for chart in shown}) == 1
    for number in (0, 1):
        assert len({chart.get_xlim() for chart in shown[number::2]}) == 1
    assert shown[0].get_xlim() == (0, 2)
    assert shown[0].get_ylim()[0] <= 5
    assert shown[0].get_ylim()[1] >= 95


@pytest.mark.parametrize(("times", "scale"), [(19, "linear"), (21, "log")])
def test_bytes_that_differ_much_stand_at_powers_of_ten(times: int, scale: str) -> None:
    runs = [run("little", 1, [0.1, 0.2], 500_000), run("much", 1, [0.1, 0.9], times * 500_000)]
    chart = charts([setting(1, runs)])[1]
    assert chart.get_xscale() == scale
    low, high = chart.get_xlim()
    assert low <= 0.5
    assert high >= times * 0.5
    words = "MB exchanged by all sites (powers of ten)"
    assert (chart.get_xlabel() == words) == (scale == "log")


@pytest.mark.parametrize("kind", FIGURES)
def test_every_kind_of_file_is_what_it_is_called_and_always_the_same(kind: str, tmp_path: Path) -> None:
    results = [setting(1, [run("x", 1, [0.1, 0.5], 1_000_000)])]
    for name in ("a", "b"):
        write_figure(tmp_path / f"{name}{kind}", results)
    first = (tmp_path / f"a{kind}").read_bytes()
    assert first == (tmp_path / f"b{kind}").read_bytes()
    assert first.startswith(
        {".svg": b"<?xml", ".png": b"\x89PNG", ".pdf": b"%PDF", ".html": b"<!doctype html>"}[kind]
    )
    assert not re.search(rb"<dc:date|CreationDate", first)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a{kind}", f"b{kind}"]


def test_a_picture_shows_the_lines(tmp_path: Path) -> None:
    write_figure(tmp_path / "f.png", [setting(1, [run("x", 1, [0.1, 0.5], 1_000_000)])])
    with Image.open(tmp_path / "f.png") as image:
        colours = {colour for _, colour in image.convert("RGB").getcolors(image.width * image.height)}
    assert ImageColor.getrgb(COLOURS[0]) in colours


def test_settings_that_do_not_fit_on_one_page_of_paper_have_several(tmp_path: Path) -> None:
    results = [setting(number, [run("x", 1, [0.5], 0)], k=number) for number in range(1, A_PAGE + 2)]
    write_figure(tmp_path / "f.pdf", results)
    assert len(re.findall(rb"/Type /Page\b", (tmp_path / "f.pdf").read_bytes())) == 2


def test_a_sweep_of_which_nothing_was_completed_is_still_a_picture() -> None:
    drawn = svg([setting(1, [run("x", 1, [], 0, state="failed")], k=1)])
    assert "Setting 1: k = 1. Seeds failed and left out: x (1)" in texts(drawn)


def test_a_page_fetches_nothing_and_has_the_numbers(tmp_path: Path) -> None:
    results = [setting(1, [run("x<", 1, [0.1, 0.5], 1_000_000)], k="<script>")]
    write_figure(tmp_path / "f.html", results)
    page = (tmp_path / "f.html").read_text(encoding="utf-8")
    assert not re.search(r'<script|<link|src=|href="[^#]|url\([^#]|@import', page)
    assert set(re.findall(r"https?://[^\s\"]+", page)) == {
        "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink",
    }  # fmt: skip
    assert "<td>x&lt;</td><td>1</td><td>25.0%</td><td>50.0%</td><td>1</td>" in page


@pytest.mark.parametrize("name", ["f.gif", "figure", "f.svg.gz"])
def test_another_kind_of_picture_is_refused_before_anything_runs(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        workers.simulate(DATA_DIR / "pilots" / "demo.toml", figure=tmp_path / name)
    (line,) = capsys.readouterr().err.splitlines()
    assert (
        line
        == f"awase: a figure is written as .svg, .png, .pdf or .html, not as '{name}'. Name such a file with --figure."
    )


def test_one_file_for_two_results_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = tmp_path / "f.svg"
    with pytest.raises(SystemExit):
        workers.simulate(DATA_DIR / "pilots" / "demo.toml", json=one, figure=one)
    assert "two results would go into one file" in capsys.readouterr().err


def test_without_matplotlib_it_is_told_how_to_get_it_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SystemExit):
        workers.simulate(DATA_DIR / "pilots" / "demo.toml", figure=tmp_path / "f.svg")
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        f"awase: --figure needs Matplotlib, which is not installed. Get it: .venv/bin/pip install '{MATPLOTLIB}'"
    )


def test_whoever_wants_no_figure_does_not_load_matplotlib() -> None:
    code = "import sys, worker.simulate; sys.exit('matplotlib' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0
