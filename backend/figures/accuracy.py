"""Accuracy before and after each merge: the sites of a run, or the arms of a pilot."""

from collections.abc import Iterable, Sequence

from backend.figures import marks, palette, series
from backend.figures.frame import (
    Look,
    Trace,
    accuracy_axis,
    axis_name,
    empty,
    last_round,
    layout,
    layout_axis,
    line_mode,
    plain,
    round_axis,
    rounds_shown,
)
from backend.figures.schemas import Figure, Table
from backend.figures.series import Accuracies, Moment
from backend.roi.facts import Measure, PilotFacts, RunFacts
from backend.roi.numbers import percent

SITES_AS_LINES = 12
HOVER = "<b>%{fullData.name}</b><br>%{customdata}<br>%{y:.1%}<extra></extra>"
MEASURES: tuple[Measure, ...] = ("all_site", "own_site")
Panels = list[tuple[Measure, Accuracies]]


def of_run(facts: PilotFacts, run: RunFacts, look: Look) -> Figure:
    """A thin line per site and a thick one for their mean; of many sites, the band from lowest to highest."""
    both: Panels = [(measure, series.of_run(run, measure)) for measure in MEASURES]
    panels = [(measure, found) for measure, found in both if found.measured]
    if not panels:
        return _nothing(look, look.t("accuracy_never_run" if run.ended else "accuracy_none"), run.revision)
    as_lines = len(facts.sites) <= SITES_AS_LINES
    data: list[Trace] = []
    for number, (_, found) in enumerate(panels, 1):
        if as_lines:
            data += [
                _site_line(look, number, index, site.label, found) for index, site in enumerate(facts.sites)
            ]
        else:
            data += band(look, number, found, look.t("band_sites"), look.colours.muted)
        if found.last_complete() is not None:
            data.append(_mean_line(look, number, found))
    rounds = rounds_shown(last_round(data), facts.rounds)
    amended = marks.of_run(facts, run)
    axes = _axes(look, panels, rounds, [run]) | marks.drawn(look, amended, len(panels), marks.BEFORE_MERGE)
    return Figure(
        data=[*data, *marks.legend(look, amended, rounds)],
        layout=layout(look, axes, len(panels)),
        summary=_run_summary(facts, panels, look),
        notes=marks.notes(look, amended),
        table=_run_table(facts, panels, look, as_lines),
        revision=run.revision,
    )


def of_pilot(facts: PilotFacts, look: Look) -> Figure:
    """The mean over sites of every arm."""
    arms = [(label.name, facts.counted_of(label.name)) for label in facts.arms]
    by_measure = {
        measure: [(name, series.of_arm(runs, measure)) for name, runs in arms] for measure in MEASURES
    }
    shown = [measure for measure in MEASURES if any(found.measured for _, found in by_measure[measure])]
    if not shown:
        return _nothing(
            look, look.t("accuracy_never" if facts.is_over() else "accuracy_none"), facts.revision
        )
    data: list[Trace] = []
    for number, measure in enumerate(shown, 1):
        for name, found in by_measure[measure]:
            index = facts.arm_index(name)
            if any(len(runs) > 1 for _, runs in arms):
                data += band(
                    look, number, found, look.t("band_seeds"), palette.series(index, look.theme), False
                )
            data.append(_arm_line(look, number, index, name, found, name == facts.control_arm))
    panels: Panels = [(measure, by_measure[measure][0][1]) for measure in shown]
    rounds = rounds_shown(last_round(data), facts.rounds)
    amended = marks.of_pilot(facts)
    axes = _axes(look, panels, rounds, facts.runs) | marks.drawn(
        look, amended, len(shown), marks.BEFORE_MERGE
    )
    return Figure(
        data=[*data, *marks.legend(look, amended, rounds)],
        layout=layout(look, axes, len(shown)),
        summary=_pilot_summary(facts, shown, by_measure, look),
        notes=marks.notes(look, amended),
        table=_pilot_table(shown, by_measure, look),
        revision=facts.revision,
    )


def band(
    look: Look, panel: int, found: Accuracies, name: str, colour: str, legend: bool = True
) -> list[Trace]:
    """The area from lowest to highest."""
    common = {
        "type": "scatter", "mode": "lines", "x": [moment.x for moment in found.moments],
        "xaxis": axis_name("x", panel), "yaxis": axis_name("y", panel),
        "line": {"width": 0, "color": colour}, "hoverinfo": "skip", "name": name, "legendgroup": "band",
    }  # fmt: skip
    return [
        {**common, "y": list(found.low), "showlegend": False},
        {
            **common,
            "y": list(found.high),
            "fill": "tonexty",
            "fillcolor": palette.faded(colour, 0.22),
            "showlegend": legend and panel == 1,
        },
    ]


def _line(look: Look, panel: int, found: Accuracies, values: Sequence[float | None], name: str) -> Trace:
    return {
        "type": "scatter",
        "mode": line_mode(len(found.moments)),
        "x": [moment.x for moment in found.moments],
        "y": list(values),
        "xaxis": axis_name("x", panel),
        "yaxis": axis_name("y", panel),
        "name": plain(name),
        "legendgroup": name,
        "showlegend": panel == 1,
        "customdata": [moment.words(look) for moment in found.moments],
        "hovertemplate": HOVER,
    }


def _site_line(look: Look, panel: int, index: int, name: str, found: Accuracies) -> Trace:
    return {
        **_line(look, panel, found, found.by_site[index], name),
        "line": palette.line(index, look.theme, 1.4),
        "marker": palette.marker(index, look.theme, 5),
        "opacity": 0.8,
    }


def _mean_line(look: Look, panel: int, found: Accuracies) -> Trace:
    return {
        **_line(look, panel, found, found.mean, look.t("mean_sites")),
        "line": {"color": look.colours.text, "width": 4},
        "marker": {"color": look.colours.text, "size": 7},
        "legendrank": 1,
    }


def _arm_line(look: Look, panel: int, index: int, name: str, found: Accuracies, is_control: bool) -> Trace:
    shown = look.t("arm_control", arm=name) if is_control else name
    width = 3 if is_control else 2.5
    dash = "dash" if is_control else palette.dash(index)
    return {
        **_line(look, panel, found, found.mean, shown),
        "line": {**palette.line(index, look.theme, width), "dash": dash},
        "marker": palette.marker(index, look.theme, 7),
    }


def _axes(look: Look, panels: Panels, rounds: int, runs: Iterable[RunFacts]) -> dict[str, object]:
    axes: dict[str, object] = {}
    merging = any(run.method != "local_only" for run in runs)
    title = "axis_round_merge" if merging else "axis_round"
    for number, (measure, _) in enumerate(panels, 1):
        axes[layout_axis("x", number)] = round_axis(look, rounds, number, title=title)
        axes[layout_axis("y", number)] = accuracy_axis(look, look.t(f"axis_{measure}"), number, len(panels))
    return axes


def _nothing(look: Look, text: str, revision: int) -> Figure:
    return Figure(
        data=[], layout=empty(look, text), summary=text, notes=[], table=Table(columns=[], rows=[]),
        revision=revision,
    )  # fmt: skip


def _run_summary(facts: PilotFacts, panels: Panels, look: Look) -> str:
    said = []
    for measure, found in panels:
        at = found.last_complete()
        if at is None:
            said.append(_partial(measure, found, look))
            continue
        moment, over = found.moments[at], found.over[at]
        said.append(
            look.t(
                "accuracy_run" if over == len(facts.sites) else "accuracy_run_some",
                when=moment.words(look),
                measure=look.t(f"measure_{measure}"),
                mean=percent(found.mean[at] or 0.0),
                low=percent(found.low[at] or 0.0),
                high=percent(found.high[at] or 0.0),
                start=percent(found.mean[0] or 0.0),
                over=over,
                num_sites=len(facts.sites),
            )
        )
    return look.joined(said)


def _partial(measure: Measure, found: Accuracies, look: Look) -> str:
    """How many sites have a value while some have none: the last moment with any."""
    counts = [sum(line[at] is not None for line in found.by_site) for at in range(len(found.moments))]
    at = max(at for at, count in enumerate(counts) if count)
    return look.t(
        "accuracy_partial",
        measure=look.t(f"measure_{measure}"),
        when=found.moments[at].words(look),
        done=counts[at],
        num_sites=len(found.by_site),
    )


def _run_table(facts: PilotFacts, panels: Panels, look: Look, as_lines: bool) -> Table:
    spread = (
        [site.label for site in facts.sites] if as_lines else [look.t("column_low"), look.t("column_high")]
    )
    rows = []
    for measure, found in panels:
        lines = found.by_site if as_lines else (found.low, found.high)
        for at, moment in enumerate(found.moments):
            values = [found.mean[at], *(line[at] for line in lines)]
            rows.append([look.t(f"measure_{measure}"), moment.words(look), *map(_cell, values)])
    columns = [look.t("column_measure"), look.t("column_moment"), look.t("column_mean"), *spread]
    return Table(columns=columns, rows=rows)


def _pilot_summary(
    facts: PilotFacts,
    shown: Sequence[Measure],
    by_measure: dict[Measure, list[tuple[str, Accuracies]]],
    look: Look,
) -> str:
    """After training in the last round that all arms have in common, as in the table of the arms; an arm that ended
    before it is said with its own last round."""
    said = []
    for measure in shown:
        series_of = dict(by_measure[measure])
        trained = {name: found.trained() for name, found in by_measure[measure]}
        lasts = {name: max(rounds) for name, rounds in trained.items() if max(rounds, default=0) > 0}
        standing = [last for name, last in lasts.items() if facts.standing_of(name)]
        shared = min(standing or lasts.values(), default=0)
        parts = []
        for name, rounds in trained.items():
            at = max((round for round in rounds if round <= shared), default=None)
            if at is not None:
                moment, num_sites = Moment(at, "after_train"), len(facts.sites)
                over = series_of[name].sites_at(moment)
                code = "accuracy_arm" if over == num_sites else "accuracy_arm_some"
                params = {"arm": name, "mean": percent(rounds[at]), "over": over, "num_sites": num_sites}
                code += "" if at == shared else "_at"
                parts.append(look.t(code, **params, when=moment.words(look)))
        if parts:
            text, when = look.t("list_separator").join(parts), Moment(shared, "after_train").words(look)
            said.append(look.t("accuracy_pilot", measure=look.t(f"measure_{measure}"), when=when, arms=text))
    return look.joined(said)


def _pilot_table(
    shown: Sequence[Measure], by_measure: dict[Measure, list[tuple[str, Accuracies]]], look: Look
) -> Table:
    names = [name for name, _ in by_measure[shown[0]]]
    rows = []
    for measure in shown:
        lines = [dict(zip(found.moments, found.mean, strict=True)) for _, found in by_measure[measure]]
        moments = sorted({moment for line in lines for moment in line}, key=lambda moment: moment.x)
        rows += [
            [look.t(f"measure_{measure}"), moment.words(look), *(_cell(line.get(moment)) for line in lines)]
            for moment in moments
        ]
    return Table(columns=[look.t("column_measure"), look.t("column_moment"), *names], rows=rows)


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{percent(value)}%"
