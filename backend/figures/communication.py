"""Bytes over links: by round and by link for a run, by arm for a pilot."""

from collections.abc import Mapping
from typing import Any
from unicodedata import east_asian_width

from backend.figures import marks, palette
from backend.figures.frame import (
    Look,
    Trace,
    axis,
    domain,
    empty,
    heading,
    layout,
    plain,
    round_axis,
    rounds_shown,
)
from backend.figures.schemas import Figure, Table
from backend.roi.facts import PilotFacts, RunFacts
from backend.roi.numbers import byte_unit

# Purposes of an exchange in the order in which they happen; wasted bytes are a kind of their own.
KINDS = ("align", "join", "merge", "moments", "wasted")
_PATTERNS = {"align": "/", "join": "+", "merge": "", "moments": ".", "wasted": "x"}
_COLOURS = {"align": 4, "join": 5, "merge": 0, "moments": 2, "wasted": 7}  # places in the palette
Totals = dict[str, int]
# The names of the sites beside and under the map take the rest.
MAP_WIDTH, MAP_HEIGHT = [0.27, 1.0], [0.0, 0.36]
LEGEND_LINE = 22
ON_TOP = {"y": 1.02, "yanchor": "bottom"}
NAMES_UP_TO, NUMBERS_UP_TO = 16, 12


def of_run(facts: PilotFacts, run: RunFacts, look: Look) -> Figure:
    """Bars per round with the sum so far, and a map of the links."""
    by_round = _by_round(run)
    if not by_round:
        text = look.t("communication_alone" if run.method == "local_only" else "communication_none")
        return _nothing(look, text, run.revision)
    rounds = sorted(by_round)
    so_far = _cumulated([_accepted(by_round[round]) for round in rounds])
    divisor, unit = byte_unit(max(sum(by_round[round].values()) for round in rounds))
    total_divisor, total_unit = byte_unit(so_far[-1])
    data: list[Trace] = [
        _bars(look, kind, rounds, [by_round[round].get(kind, 0) for round in rounds], divisor)
        for kind in KINDS
        if any(by_round[round].get(kind) for round in rounds)
    ]
    data.append(_sum_line(look, rounds, so_far, total_divisor))
    links, links_heading = _link_map(facts, run, look)
    data.append(links)
    names = {
        "tickvals": list(range(len(facts.sites))),
        "ticktext": [plain(_short(site.label)) for site in facts.sites],
        "showgrid": False,
        "tickfont": {"size": 11, "color": look.colours.muted},
    }
    amended, shown = marks.of_run(facts, run), rounds_shown(rounds[-1], facts.rounds)
    axes = {
        **marks.drawn(look, amended, 1, marks.BEFORE_BARS, [links_heading]),
        "barmode": "stack",
        "bargap": 0.35,
        "xaxis": round_axis(look, shown, 1, first=-0.6),
        "yaxis": axis(look, look.t("axis_bytes_round", unit=unit), domain=domain(1, 2), rangemode="tozero"),
        "yaxis2": axis(
            look, look.t("axis_bytes_sum", unit=total_unit),
            overlaying="y", side="right", anchor="x", rangemode="tozero", showgrid=False, tickmode="auto", nticks=6,
        ),
        "xaxis3": axis(look, "", anchor="y3", domain=MAP_WIDTH, tickangle=-45, **names),
        # Its names stand beside the map only: with a margin for them the bars above would be as narrow.
        "yaxis3": {
            **axis(look, "", anchor="x3", domain=MAP_HEIGHT, autorange="reversed", **names),
            "automargin": False,
        },
    }  # fmt: skip
    shape = layout(look, axes, height=720)
    # The bars' legend stands on top, since the map below needs the room of its names.
    shape["legend"] |= ON_TOP
    return Figure(
        data=[*data, *marks.legend(look, amended, shown)],
        layout=shape,
        summary=_run_summary(facts, run, by_round, look),
        notes=marks.notes(look, amended),
        table=_run_table(by_round, so_far, look),
        revision=run.revision,
    )


def of_pilot(facts: PilotFacts, look: Look) -> Figure:
    """A bar per arm, all its seeds together."""
    totals = {label.name: _totals(facts, label.name) for label in facts.arms}
    if not facts.runs:
        return _nothing(look, look.t("communication_none"), facts.revision)
    divisor, unit = byte_unit(max(sum(one.values()) for one in totals.values()))
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "y": [plain(arm) for arm in totals],
            "x": [round(one.get(kind, 0) / divisor, 4) for one in totals.values()],
            "customdata": [look.num_bytes(one.get(kind, 0)) for one in totals.values()],
            "name": look.t(f"kind_{kind}"),
            "marker": _bar_marker(look, kind),
            "hovertemplate": "<b>%{y}</b><br>%{fullData.name}: %{customdata}<extra></extra>",
        }
        for kind in KINDS
        if any(one.get(kind) for one in totals.values())
    ]
    if not data:
        return _nothing(look, look.t("communication_none"), facts.revision)
    vain = {arm: one["wasted"] for arm, one in totals.items() if one["wasted"]}
    axes = {
        "barmode": "stack",
        "bargap": 0.4,
        "xaxis": axis(
            look, look.t("axis_bytes_all" if vain else "axis_bytes", unit=unit), rangemode="tozero"
        ),
        "yaxis": axis(look, "", type="category", autorange="reversed", showgrid=False),
    }
    # On a phone a legend of many kinds takes several lines: below the axis it would run into its title.
    shape = layout(look, axes, height=150 + LEGEND_LINE * max(len(data) - 2, 0) + 44 * len(totals))
    shape["legend"] |= {**ON_TOP, "traceorder": "normal"}
    kinds = [look.t(f"kind_{kind}") for kind in KINDS]
    return Figure(
        data=data,
        layout=shape,
        notes=[],
        summary=look.joined(
            [
                look.t(
                    "communication_pilot",
                    arms=_by_arm(look, {arm: _accepted(one) for arm, one in totals.items()}),
                ),
                look.t("communication_in_vain", arms=_by_arm(look, vain)) if vain else "",
            ]
        ),
        table=Table(
            columns=[look.t("column_arm"), *kinds, look.t("column_total")],
            rows=[
                [arm, *(look.num_bytes(one.get(kind, 0)) for kind in KINDS), look.num_bytes(_accepted(one))]
                for arm, one in totals.items()
            ],
        ),
        revision=facts.revision,
    )


def _by_arm(look: Look, counts: Mapping[str, int]) -> str:
    parts = (
        look.t("communication_arm", arm=arm, bytes=look.num_bytes(count)) for arm, count in counts.items()
    )
    return look.t("list_separator").join(parts)


def _by_round(run: RunFacts) -> dict[int, Totals]:
    found: dict[int, Totals] = {}
    for (round, purpose), traffic in run.by_round.items():
        at = found.setdefault(round, {})
        at[purpose] = at.get(purpose, 0) + traffic.accepted_bytes
        at["wasted"] = at.get("wasted", 0) + traffic.wasted_bytes
    return found


def _accepted(kinds: Totals) -> int:
    return sum(count for kind, count in kinds.items() if kind != "wasted")


def _totals(facts: PilotFacts, arm: str) -> Totals:
    totals: Totals = {}
    for run in facts.runs_of(arm):
        for by_kind in _by_round(run).values():
            for kind, count in by_kind.items():
                totals[kind] = totals.get(kind, 0) + count
    # Not those of the runs shown: what was fetched in rounds that a restart set aside is in the ledger of the pilot, and paid for.
    totals["wasted"] = sum(usage.wasted_bytes for run in facts.runs_of(arm) for usage in run.usage.values())
    return totals


def _cumulated(counts: list[int]) -> list[int]:
    total, sums = 0, []
    for count in counts:
        total += count
        sums.append(total)
    return sums


def _bar_marker(look: Look, kind: str) -> dict[str, Any]:
    colour = palette.series(_COLOURS[kind], look.theme)
    return {"color": colour, "pattern": {"shape": _PATTERNS[kind], "solidity": 0.35}}


def _bars(look: Look, kind: str, rounds: list[int], counts: list[int], divisor: int) -> Trace:
    return {
        "type": "bar",
        "x": rounds,
        "y": [round(count / divisor, 4) for count in counts],
        "customdata": [look.num_bytes(count) for count in counts],
        "name": look.t(f"kind_{kind}"),
        "marker": _bar_marker(look, kind),
        "hovertemplate": look.t("hover_round") + "<br>%{fullData.name}: %{customdata}<extra></extra>",
    }


def _sum_line(look: Look, rounds: list[int], so_far: list[int], divisor: int) -> Trace:
    colour = palette.series(1, look.theme)
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "x": rounds,
        "y": [round(count / divisor, 4) for count in so_far],
        "yaxis": "y2",
        "customdata": [look.num_bytes(count) for count in so_far],
        "name": look.t("sum_so_far"),
        "line": {"color": colour, "width": 2.5},
        "marker": {"color": colour, "size": 7, "symbol": "diamond"},
        "hovertemplate": look.t("hover_round") + "<br>%{fullData.name}: %{customdata}<extra></extra>",
    }


def _link_map(facts: PilotFacts, run: RunFacts, look: Look) -> tuple[Trace, dict[str, Any]]:
    """The map and its heading. The numbers stand in the cells: on a full topology all colours are alike. What was wasted is left to the
    bars, and the heading says so: cells add up to the sum that the sentence tells."""
    size = range(len(facts.sites))
    counts = [
        [run.by_link[a, b].accepted_bytes if (a, b) in run.by_link else None for b in size] for a in size
    ]
    largest = max(count for row in counts for count in row if count is not None)
    divisor, unit = byte_unit(largest)
    low, middle, high = look.colours.scale
    trace = {
        "type": "heatmap",
        "x": list(size),
        "y": list(size),
        "z": [[None if count is None else round(count / divisor, 4) for count in row] for row in counts],
        "customdata": [
            [
                ["", ""]
                if count is None
                else [f"{facts.sites[a].label} → {facts.sites[b].label}", look.num_bytes(count)]
                for b, count in enumerate(row)
            ]
            for a, row in enumerate(counts)
        ],
        "xaxis": "x3",
        "yaxis": "y3",
        "zmin": 0,
        # Never zero: a scale without length is drawn with made-up ends.
        "zmax": max(largest / divisor, 1),
        "xgap": 1,
        "ygap": 1,
        "colorscale": [[0, low], [0.5, middle], [1, high]],
        "showscale": False,
        "texttemplate": "%{z:.3~g}" if len(size) <= NUMBERS_UP_TO else "",
        "textfont": {"size": 9},
        "showlegend": False,
        "hoverongaps": False,
        "hovertemplate": "<b>%{customdata[0]}</b><br>%{customdata[1]}<extra></extra>",
    }
    wasted = any(traffic.wasted_bytes for traffic in run.by_link.values())
    said = look.t("links_heading_counted" if wasted else "links_heading", unit=unit)
    return trace, heading(look, said, MAP_HEIGHT[1])


def _short(name: str) -> str:
    """Beginning and end of a long name: sites are often told apart by their last word or number."""
    if _width(name) <= NAMES_UP_TO:
        return name
    begin, end = name[: len(name) // 2], name[len(name) // 2 :]
    while _width(begin) + _width(end) >= NAMES_UP_TO:
        begin, end = (begin[:-1], end) if _width(begin) > _width(end) else (begin, end[1:])
    return f"{begin}…{end}"


def _width(text: str) -> int:
    """In Latin letters; a Japanese one takes the room of two."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def _run_summary(facts: PilotFacts, run: RunFacts, by_round: Mapping[int, Totals], look: Look) -> str:
    """Rounds and links are those that carried what counts; of wasted bytes only how many there were."""
    total = sum(_accepted(kinds) for kinds in by_round.values())
    wasted = sum(kinds["wasted"] for kinds in by_round.values())
    if not total:  # what is being fetched is noted before the first byte has come
        said = "communication_all_wasted" if wasted else "communication_none"
        return look.t(said, bytes=look.num_bytes(wasted))
    rounds = sum(round > 0 and _accepted(kinds) > 0 for round, kinds in by_round.items())
    counted = {link: found.accepted_bytes for link, found in run.by_link.items() if found.accepted_bytes}
    busiest = max(counted, key=lambda link: (counted[link], -link[0], -link[1]))
    # Mostly every link carries the same: then none stands out.
    stands_out = sum(count == counted[busiest] for count in counted.values()) == 1
    return look.joined(
        [
            look.t("communication_run", total=look.num_bytes(total), rounds=rounds, links=len(counted)),
            look.t(
                "communication_busiest",
                a=facts.sites[busiest[0]].label,
                b=facts.sites[busiest[1]].label,
                bytes=look.num_bytes(counted[busiest]),
            )
            if stands_out
            else "",
            look.t("communication_wasted", bytes=look.num_bytes(wasted)) if wasted else "",
        ]
    )


def _run_table(by_round: dict[int, Totals], so_far: list[int], look: Look) -> Table:
    kinds = [look.t(f"kind_{kind}") for kind in KINDS]
    return Table(
        columns=[look.t("axis_round"), *kinds, look.t("column_total"), look.t("sum_so_far")],
        rows=[
            [
                str(round),
                *(look.num_bytes(by_round[round].get(kind, 0)) for kind in KINDS),
                look.num_bytes(_accepted(by_round[round])),
                look.num_bytes(total),
            ]
            for round, total in zip(sorted(by_round), so_far, strict=True)
        ],
    )


def _nothing(look: Look, text: str, revision: int) -> Figure:
    return Figure(
        data=[],
        layout=empty(look, text),
        summary=text,
        notes=[],
        table=Table(columns=[], rows=[]),
        revision=revision,
    )
