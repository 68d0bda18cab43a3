"""Figures are what Plotly accepts, in two languages and two themes, and say their numbers in words too."""

import dataclasses
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import plotly.graph_objects as go
import pytest
from measured_pilots import MODEL_BYTES, assumptions, flat, pilot, run

from backend.figures import accuracy, build, palette
from backend.figures.frame import Look, round_step, rounds_shown
from backend.figures.schemas import Figure, FigureName, Theme
from backend.roi.facts import Mark, PilotFacts, Point, SiteLabel, Traffic, Usage
from backend.runs.schemas import ArmChanges, SettingChange
from backend.summary.outcome import summarise

LOOKS = [Look(lang, theme) for lang in ("en", "ja") for theme in ("light", "dark")]
NAMES: tuple[FigureName, ...] = ("accuracy", "communication", "roi")
EN = Look("en", "light")
WHEN = datetime(2026, 11, 25, 20, 41, 56, tzinfo=UTC)
PAGES: dict[Theme, str] = {"light": "#ffffff", "dark": "#1a1f29"}


def two_arms(num_sites: int = 2, **changes: Any) -> PilotFacts:
    control = run("local_only", flat(0.8, 0.6), num_sites)
    return pilot(control, run("dimat", flat(0.7, 0.9), num_sites, **changes), num_sites=num_sites)


def shapes() -> Iterator[tuple[str, PilotFacts]]:
    yield "2 sites", two_arms()
    yield "50 sites", two_arms(50)
    yield "200 sites", two_arms(200)
    yield "half-way", two_arms(done=2, state="running")
    yield "failed", two_arms(done=1, state="failed")
    yield "not started", two_arms(done=-1, state="queued")
    yield "draft", pilot()
    bare = (run("local_only", flat(0.8, None)), run("dimat", flat(0.7, None)))
    yield "all-site not measured", pilot(*bare, all_site_measured=False)
    yield "no money", pilot(*bare, assumptions=None, assumptions_version=None)
    seeds = [
        run(arm, flat(own, 0.7), seed=s) for s in (1, 2) for arm, own in (("local_only", 0.8), ("dimat", 0.9))
    ]
    yield "two seeds", pilot(*seeds)
    yield "no control arm", pilot(run("dimat", flat(0.7, 0.9)))

    yield "amended", amended()


def amended() -> PilotFacts:
    """In round 3: the arm `dimat` for one of two reasons; its second seed had ended."""
    rarer = SettingChange(field="merge.merge_every", old=1, new=2, stays=False, otherwise=None, limited=[])
    longer = SettingChange(field="train.epochs", old=1, new=3, stays=False, otherwise=None, limited=[])
    marks = (
        Mark(3, (ArmChanges(round=3, arms=["dimat"], settings=[rarer]),), "aiko", "Weekly <b>is</b> enough", frozenset({"run-dimat-2"}), WHEN),
        Mark(3, (ArmChanges(round=3, arms=["local_only", "dimat"], settings=[longer]),), "ben", "Too little"),
    )  # fmt: skip
    seeds = [run(arm, flat(0.8, 0.7), seed=s) for s in (1, 2) for arm in ("local_only", "dimat")]
    return pilot(*seeds, amendments=marks)


SHAPES = dict(shapes())


def figures(facts: PilotFacts, look: Look) -> Iterator[Figure]:
    for name in NAMES:
        yield build.pilot_figure(facts, name, look)
        for one in facts.runs:
            yield build.run_figure(facts, one, name, look)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: f"{look.lang}-{look.theme}")
@pytest.mark.parametrize("shape", SHAPES)
def test_plotly_accepts_every_figure_of_every_pilot(shape: str, look: Look) -> None:
    for figure in figures(SHAPES[shape], look):
        go.Figure(data=figure.data, layout=figure.layout)
        assert figure.summary
        assert all(len(row) == len(figure.table.columns) for row in figure.table.rows)
        Figure.model_validate_json(figure.model_dump_json())


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("shape", SHAPES)
def test_no_text_is_left_as_a_code_or_with_an_empty_place(shape: str, lang: str) -> None:
    for figure in figures(SHAPES[shape], Look(lang, "light")):
        text = figure.model_dump_json()
        assert "figures." not in text
        # Plotly's own places look like %{x}.
        assert not re.search(r"(?<!%)\{[a-z_]+\}", figure.summary + " ".join(figure.table.columns))


def test_a_run_shows_each_site_before_and_after_each_merge() -> None:
    facts = two_arms()
    figure = build.run_figure(facts, facts.run("run-dimat-1"), "accuracy", EN)
    first = next(trace for trace in figure.data if trace["name"] == "Site 0")
    assert first["x"] == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4]
    assert first["y"][:3] == pytest.approx([0.9, 0.8, 0.9])
    assert first["customdata"][:3] == ["Start", "Round 1, after merge", "Round 1, after training"]
    assert [figure.layout[axis]["title"]["text"] for axis in ("yaxis", "yaxis2")] == [
        "All-site accuracy",
        "Own-site accuracy",
    ]


def test_only_an_axis_with_merges_explains_its_half_rounds() -> None:
    facts = two_arms()
    control, dimat = (build.run_figure(facts, one, "accuracy", EN) for one in facts.runs)
    titles = [
        one.layout["xaxis"]["title"]["text"]
        for one in (control, dimat, build.pilot_figure(facts, "accuracy", EN))
    ]
    merging = "Round (halfway: right after merging)"
    assert titles == ["Round", merging, merging]


def test_numbers_stand_in_the_cells_of_up_to_twelve_sites() -> None:
    texts = []
    for num_sites in (12, 13):
        facts = two_arms(num_sites)
        data = build.run_figure(facts, facts.runs[1], "communication", EN).data
        texts += [bool(trace["texttemplate"]) for trace in data if trace["type"] == "heatmap"]
    assert texts == [True, False]


def test_a_site_looks_the_same_in_every_run_and_panel() -> None:
    facts = two_arms(12)
    looks: dict[str, set[tuple[str, str, str]]] = {}
    for one in facts.runs:
        for trace in build.run_figure(facts, one, "accuracy", EN).data:
            shown = (trace["line"]["color"], trace["line"].get("dash", ""), trace["marker"].get("symbol", ""))
            looks.setdefault(trace["name"], set()).add(shown)
    sites = [looks[site.label] for site in facts.sites]
    assert all(len(one) == 1 for one in sites)
    assert len(set.union(*sites)) == 12


def test_many_sites_are_a_band_and_a_mean() -> None:
    facts = two_arms(50)
    figure = build.run_figure(facts, facts.run("run-dimat-1"), "accuracy", EN)
    assert len(figure.data) == 6
    assert any(trace.get("fill") == "tonexty" for trace in figure.data)
    assert figure.table.columns[-2:] == ["Lowest", "Highest"]


def test_without_all_site_accuracy_there_is_one_panel() -> None:
    facts = SHAPES["all-site not measured"]
    figure = build.run_figure(facts, facts.run("run-dimat-1"), "accuracy", EN)
    assert "yaxis2" not in figure.layout
    assert "All-site" not in figure.summary


def test_a_mean_waits_for_every_site() -> None:
    facts = two_arms(done=1)
    whole = facts.run("run-dimat-1")
    half = dataclasses.replace(
        whole, points=(*whole.points, Point(2, "after_merge", (0.5, None), (0.5, None)))
    )
    figure = build.run_figure(facts, half, "accuracy", EN)
    mean = next(trace for trace in figure.data if trace["name"] == "Mean over sites")
    assert mean["y"][-1] is None
    assert "Round 1, after training" in figure.summary


def test_arms_are_said_after_training_in_the_round_that_all_have_finished_as_in_their_table() -> None:
    """Right after a merge a model is worse (here by 0.1): said as the round's it would contradict the table."""
    facts = two_arms(done=2, state="running")
    merged = facts.run("run-dimat-1")
    lower = Point(3, "after_merge", (0.6, 0.6), (0.8, 0.8))
    facts = dataclasses.replace(
        facts, runs=(facts.runs[0], dataclasses.replace(merged, points=(*merged.points, lower)))
    )
    said = build.pilot_figure(facts, "accuracy", EN).summary
    assert (
        "All-site accuracy (Round 2, after training), mean over sites: local_only 60.0%; dimat 90.0%." in said
    )
    assert [arm.round for arm in summarise(facts).arms] == [2, 2]
    ended = pilot(facts.runs[0], run("dimat", flat(0.7, 0.9), done=1, state="failed"))
    said = build.pilot_figure(ended, "accuracy", EN).summary
    assert (
        "(Round 4, after training), mean over sites: local_only 60.0%; dimat 90.0% (Round 1, after training)"
        in said
    )
    begun = build.pilot_figure(pilot(run("local_only", flat(0.8, 0.6), done=0)), "accuracy", EN).summary
    assert "All-site accuracy (Start), mean over sites: local_only 60.0%." in begun


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_951, "1.0 MB"),
        (999_951_000, "1.0 GB"),
        (10**15, "1,000.0 TB"),
    ],
)
def test_bytes_are_written_as_on_the_pages_with_at_most_three_digits_before_the_point(
    count: int, said: str
) -> None:
    """As `formats.bytes` of the pages, which write the table beside the sentence."""
    assert EN.num_bytes(count) == said
    assert Look("ja", "light").num_bytes(0) == "0バイト"


def test_of_a_run_that_was_restarted_rounds_and_links_are_those_of_the_bytes_that_count() -> None:
    facts = two_arms(3)
    one = facts.run("run-dimat-1")
    by_round = {
        (1, "merge"): Traffic(600, 0),
        (2, "merge"): Traffic(0, 9000),
        (3, "merge"): Traffic(0, 9000),
    }
    by_link = {(0, 1): Traffic(200, 9000), (1, 0): Traffic(400, 0), (1, 2): Traffic(0, 9000)}
    restarted = dataclasses.replace(one, by_round=by_round, by_link=by_link)
    figure = build.run_figure(facts, restarted, "communication", EN)
    assert "600 bytes went over 2 links (each direction counted) in 1 round." in figure.summary
    assert "The link with the most is from Site 1 to Site 0 with 400 bytes." in figure.summary
    assert "Another 18.0 kB did not count" in figure.summary
    links = next(trace for trace in figure.data if trace["type"] == "heatmap")
    assert links["z"] == [[None, 200, None], [400, None, 0], [None, None, None]]
    headings = [one["text"] for one in figure.layout["annotations"]]
    assert any("Counted: from (row) to (column)" in heading for heading in headings)
    nothing = {at: Traffic(0, 100) for at in by_round}
    figure = build.run_figure(
        facts, dataclasses.replace(restarted, by_round=nothing, by_link={(0, 1): Traffic(0, 300)}), "communication", EN
    )  # fmt: skip
    assert figure.summary.startswith("None of the 300 bytes that were fetched count")
    begun = dataclasses.replace(one, by_round={(1, "merge"): Traffic(0, 0)}, by_link={(0, 1): Traffic(0, 0)})
    assert build.run_figure(facts, begun, "communication", EN).summary == "No model has been exchanged."


def test_bytes_are_counted_by_round_and_by_link() -> None:
    facts = two_arms()
    one = facts.run("run-dimat-1")
    wasted = {**one.by_round, (2, "merge"): Traffic(2 * MODEL_BYTES, 5000)}
    figure = build.run_figure(facts, dataclasses.replace(one, by_round=wasted), "communication", EN)
    bars = next(trace for trace in figure.data if trace["name"] == "Merge")
    total = next(trace for trace in figure.data if trace["name"] == "Sum so far")
    links = next(trace for trace in figure.data if trace["type"] == "heatmap")
    assert bars["y"] == [150, 150, 150, 150]
    assert figure.layout["yaxis"]["title"]["text"] == "Per round (kB)"
    assert total["y"] == [150, 300, 450, 600]
    assert links["z"] == [[None, 300], [300, None]]
    assert "600.0 kB went over 2 links" in figure.summary
    assert "Another 5.0 kB did not count" in figure.summary
    assert "The link with the most" not in figure.summary  # both carry the same
    uneven = dataclasses.replace(one, by_link={**one.by_link, (1, 0): Traffic(400_000, 0)})
    said = build.run_figure(facts, uneven, "communication", EN).summary
    assert "The link with the most is from Site 1 to Site 0 with 400.0 kB" in said


def test_the_legend_of_a_pilots_bytes_stands_above_its_bars_and_gets_room_for_many_kinds() -> None:
    """Below them it takes several lines on a phone, and runs into the title of the axis."""
    facts = two_arms()
    heights = []
    for kinds in (["merge"], ["align", "join", "merge", "moments"]):
        many = {(1, kind): Traffic(MODEL_BYTES, 0) for kind in kinds}
        runs = [dataclasses.replace(run, by_round=many) if run.arm == "dimat" else run for run in facts.runs]
        figure = build.pilot_figure(dataclasses.replace(facts, runs=tuple(runs)), "communication", EN)
        assert len(figure.data) == len(kinds)
        assert (figure.layout["legend"]["y"] > 1, figure.layout["legend"]["yanchor"]) == (True, "bottom")
        heights.append(figure.layout["height"])
    assert heights[0] < heights[1]


def test_what_a_pilot_fetched_in_vain_is_drawn_and_told_as_the_ledger_counts_it() -> None:
    """Of rounds that a restart set aside, too, of which the run that counts knows nothing."""
    facts = two_arms()
    spent = {(2, 1): Usage(num_bytes=9000, wasted_bytes=5000)}
    runs = tuple(dataclasses.replace(run, usage=spent) if run.arm == "dimat" else run for run in facts.runs)
    figure = build.pilot_figure(dataclasses.replace(facts, runs=runs), "communication", EN)
    wasted = next(trace for trace in figure.data if trace["name"] == "Wasted")
    assert list(wasted["customdata"]) == ["0 bytes", "5.0 kB"]
    assert "Fetched in vain besides: dimat 5.0 kB (" in figure.summary
    assert figure.layout["xaxis"]["title"]["text"] == "Fetched, wasted included (kB)"
    without = build.pilot_figure(facts, "communication", EN)
    assert "in vain" not in without.summary
    assert without.layout["xaxis"]["title"]["text"] == "Sent over links (kB)"


def test_a_run_that_trains_alone_says_that_nothing_was_sent() -> None:
    facts = two_arms()
    figure = build.run_figure(facts, facts.run("run-local_only-1"), "communication", EN)
    assert figure.data == []
    assert "No models were exchanged between sites" in figure.summary
    assert "No models were exchanged between sites" in figure.layout["annotations"][0]["text"].replace(
        "<br>", " "
    )


def test_roi_shows_both_bases_with_band_and_break_even() -> None:
    facts = dataclasses.replace(two_arms(), assumptions=assumptions(one_off_cost=Decimal(15000)))
    figure = build.run_figure(facts, facts.run("run-dimat-1"), "roi", EN)
    assert [note["text"] for note in figure.layout["annotations"]] == [
        "By own-site accuracy",
        "By all-site accuracy",
    ]
    assert figure.layout["yaxis2"]["matches"] == "y"
    star = next(trace for trace in figure.data if trace["mode"] == "markers")
    assert (star["x"], star["yaxis"]) == ([2], "y2")
    assert "disagree" in figure.summary
    assert figure.table.rows[0][:3] == ["By own-site accuracy", "dimat", "0"]


def test_roi_without_a_control_result_says_why() -> None:
    figure = build.pilot_figure(SHAPES["no control arm"], "roi", EN)
    assert figure.data == []
    assert "no arm trains alone" in figure.summary


def test_japanese_money_is_counted_in_ten_thousands() -> None:
    facts = dataclasses.replace(two_arms(), assumptions=assumptions(one_off_cost=Decimal(2_000_000)))
    figure = build.pilot_figure(facts, "roi", Look("ja", "light"))
    assert figure.layout["yaxis"]["title"]["text"] == "差引額（万円）"


def test_markup_in_a_site_name_is_shown_not_obeyed() -> None:
    named = (SiteLabel("a", "<b>Plant</b> %{x}"), SiteLabel("b", "B"))
    facts = dataclasses.replace(two_arms(), sites=named)
    figure = build.run_figure(facts, facts.run("run-dimat-1"), "accuracy", EN)
    assert any(trace["name"] == "&lt;b&gt;Plant&lt;/b&gt; %{x}" for trace in figure.data)
    assert all("Plant" not in trace["hovertemplate"] for trace in figure.data)


@pytest.mark.parametrize("theme", PAGES)
def test_every_line_stands_out_from_its_page(theme: Theme) -> None:
    for index in range(8):
        assert _contrast(palette.series(index, theme), PAGES[theme]) >= 3
    assert _contrast(palette.colours(theme).text, PAGES[theme]) >= 7
    assert _contrast(palette.colours(theme).muted, PAGES[theme]) >= 4.5


def _contrast(one: str, other: str) -> float:
    """WCAG contrast ratio of two colours."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_a_cancelled_seed_does_not_cut_the_line_of_the_others() -> None:
    others = [run(arm, flat(0.8, 0.7), seed=seed) for arm in ("local_only", "dimat") for seed in (1, 2)]
    cancelled = run("dimat", flat(0.1, 0.1), seed=3, done=1, state="cancelled")
    figure = build.pilot_figure(pilot(*others, cancelled), "accuracy", EN)
    line = next(trace for trace in figure.data if trace["name"] == "dimat" and trace["mode"] != "lines")
    assert line["x"][-1] == 4
    assert line["y"][-1] == 0.7


def test_a_run_of_which_only_some_sites_were_measured_shows_them_and_says_so() -> None:
    facts = two_arms(done=-1, state="cancelled")
    stopped = dataclasses.replace(
        facts.run("run-dimat-1"), points=(Point(0, "after_train", (0.96, None), (0.69, None)),)
    )
    figure = build.run_figure(facts, stopped, "accuracy", EN)
    assert "All-site accuracy (Start): 1 of 2 sites has a value" in figure.summary
    assert "No accuracy" not in figure.summary
    assert "Mean over sites" not in [trace["name"] for trace in figure.data]


def test_of_what_ended_before_anything_was_measured_no_accuracy_is_announced() -> None:
    both = [run(arm, flat(0.8, 0.6), done=-1, state="cancelled") for arm in ("local_only", "dimat")]
    over = pilot(*both)
    assert build.pilot_figure(over, "accuracy", EN).summary.startswith(
        "No accuracy was measured: every run ended"
    )
    waiting = pilot(both[0], run("dimat", flat(0.8, 0.6), done=-1, state="queued"))
    assert build.pilot_figure(waiting, "accuracy", EN).summary == "No accuracy has been measured yet."
    said = build.run_figure(waiting, both[0], "accuracy", EN).summary
    assert said == "No accuracy was measured: the run ended before that."


def test_the_scale_of_accuracies_ends_at_a_hundred_percent() -> None:
    facts = two_arms()
    for figure in (
        build.run_figure(facts, facts.runs[0], "accuracy", EN),
        build.pilot_figure(facts, "accuracy", EN),
    ):
        for name in ("yaxis", "yaxis2"):
            limits = figure.layout[name]["autorangeoptions"]
            assert (limits["clipmin"], limits["clipmax"]) == (-0.02, 1.02)


def hovered(figure: Figure) -> list[str]:
    return [one["hovertext"] for one in figure.layout.get("annotations", ()) if "hovertext" in one]


@pytest.mark.parametrize("name", NAMES)
def test_an_amendment_is_a_line_before_its_round_that_says_what_changed_and_why(name: FigureName) -> None:
    facts = amended()
    figure = build.run_figure(facts, facts.run("run-dimat-1"), name, EN)
    told = hovered(figure)[0]
    assert told.startswith("<b>From round 3 on</b><br>Merge interval (rounds): 1 → 2<br>")
    assert "Weekly &lt;b&gt;is&lt;/b&gt; enough" in told
    assert "Epochs in a round: 1 → 3<br>" in told
    assert all(2 < line["x0"] < 3 for line in figure.layout["shapes"])
    assert "Amended from round 3 on: Merge interval (rounds): 1 → 2." in figure.notes
    assert "<i>aiko, 2026-11-25 20:41 UTC: Weekly" in told
    assert [trace["name"] for trace in figure.data if trace.get("legendrank") == 2000] == ["Amendment"]
    ja = build.run_figure(facts, facts.run("run-dimat-1"), name, Look("ja", "dark"))
    assert "統合の間隔（ラウンド）：1 → 2<br>" in hovered(ja)[0]
    later = dataclasses.replace(
        facts, rounds=60, amendments=tuple(dataclasses.replace(one, round=40) for one in facts.amendments)
    )
    ahead = build.run_figure(later, later.run("run-dimat-1"), name, EN)
    assert not [trace for trace in ahead.data if trace.get("legendrank") == 2000]
    assert any("from round 40 on" in note for note in ahead.notes)


def test_a_run_is_marked_only_with_what_changed_it() -> None:
    facts = amended()
    for id, lines in (("run-dimat-1", 2), ("run-dimat-2", 1), ("run-local_only-1", 1)):
        figure = build.run_figure(facts, facts.run(id), "accuracy", EN)
        assert len(figure.notes) == lines
    on_both_panels = hovered(build.pilot_figure(facts, "accuracy", EN))
    assert len(on_both_panels) == 2
    assert "Merge interval (rounds): 1 → 2 (dimat)<br>" in on_both_panels[0]
    assert "Epochs in a round: 1 → 3<br>" in on_both_panels[0]  # of every arm


def test_a_mean_says_over_how_many_sites_it_is_where_some_take_no_part() -> None:
    whole = run("dimat", flat(0.9, 0.9), num_sites=3)
    points = tuple(
        dataclasses.replace(
            point,
            away=frozenset({2}),
            own_site=(*point.own_site[:2], None),
            all_site=(*point.all_site[:2], None),
        )
        if point.round >= 3
        else point
        for point in whole.points
    )
    facts = pilot(
        run("local_only", flat(0.8, 0.6), num_sites=3), dataclasses.replace(whole, points=points), num_sites=3
    )
    en, ja = Look("en", "light"), Look("ja", "light")
    assert (
        "90.0% on average over 2 of 3 sites (the others" in accuracy.of_run(facts, facts.runs[1], en).summary
    )
    assert "3拠点中2拠点の平均で90.0%" in accuracy.of_run(facts, facts.runs[1], ja).summary
    assert "over 3 sites" in accuracy.of_run(facts, facts.runs[0], en).summary
    said = accuracy.of_pilot(facts, en).summary
    assert "dimat 90.0% over 2 of 3 sites" in said
    assert "local_only 80.0%;" in said


@pytest.mark.parametrize(
    ("rounds", "step"), [(1, 1), (8, 1), (12, 2), (40, 5), (150, 20), (200, 25), (365, 50), (2000, 250)]
)
def test_rounds_are_labelled_at_round_numbers(rounds: int, step: int) -> None:
    assert round_step(rounds) == step


@pytest.mark.parametrize(
    ("measured", "planned", "shown"),
    [(0, 8, 8), (3, 5, 5), (7.5, 400, 8), (8, 400, 10), (51, 400, 60), (399.5, 400, 400), (400, 400, 400)],
)
def test_an_axis_of_rounds_ends_a_little_after_what_is_measured(
    measured: float, planned: int, shown: int
) -> None:
    assert rounds_shown(measured, planned) == shown


@pytest.mark.parametrize("name", NAMES)
def test_the_beginning_of_a_long_run_is_not_squeezed(name: FigureName) -> None:
    arms = [run(arm, flat(0.8, 0.6), rounds=90, done=10, state="running") for arm in ("local_only", "dimat")]
    facts = pilot(*arms, rounds=90)
    assert build.run_figure(facts, facts.runs[1], name, EN).layout["xaxis"]["range"][1] == 12.5


def test_a_heading_stands_clear_of_the_marks_of_amendments() -> None:
    """They lie on the upper edge of its panel."""
    layout = build.pilot_figure(amended(), "roi", EN).layout
    headings = [one for one in layout["annotations"] if one.get("xref") == "paper"]
    half_a_mark = max(one["font"]["size"] for one in layout["annotations"] if "hovertext" in one) / 2
    assert headings
    assert all(one["yshift"] > half_a_mark for one in headings)
    assert layout["margin"]["t"] >= headings[0]["yshift"] + 2 * headings[0]["font"]["size"]


def test_a_line_of_many_points_has_no_markers() -> None:
    few, many = (pilot(run("local_only", flat(0.8, 0.6), rounds=n), rounds=n) for n in (40, 90))
    modes = [build.pilot_figure(facts, "accuracy", EN).data[0]["mode"] for facts in (few, many)]
    assert modes == ["lines+markers", "lines"]
