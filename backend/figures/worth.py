"""ROI over time: net value with its low-to-high band, zero line and break-even, one panel per basis.

The panels share one scale, so that own-site and all-site value can be compared at a glance.
"""

from collections.abc import Sequence
from decimal import Decimal

from backend.figures import marks, palette
from backend.figures.frame import (
    Look,
    Trace,
    axis,
    axis_name,
    domain,
    empty,
    heading,
    last_round,
    layout,
    layout_axis,
    line_mode,
    plain,
    round_axis,
    rounds_shown,
)
from backend.figures.schemas import Figure, Table
from backend.roi import report
from backend.roi.facts import Mark, PilotFacts, RunFacts
from backend.roi.numbers import currency_symbol, money
from backend.roi.schemas import ArmRoi, RoiBase, RoiReport
from backend.text.catalogue import find, say

BANDS_UP_TO = 4
HOVER = "<b>%{fullData.name}</b><br>%{customdata}<extra></extra>"


def of_run(facts: PilotFacts, run: RunFacts, look: Look) -> Figure:
    """One arm with one seed."""
    return _figure(facts, report.build(facts, run=run), marks.of_run(facts, run), look)


def of_pilot(facts: PilotFacts, look: Look) -> Figure:
    """All arms against the control arm."""
    return _figure(facts, report.build(facts), marks.of_pilot(facts), look)


def _figure(facts: PilotFacts, roi: RoiReport, amended: Sequence[Mark], look: Look) -> Figure:
    bases = [base for base in roi.bases if base.arms]
    if not bases or roi.currency is None:
        text = _said(look, roi)
        return Figure(
            data=[], layout=empty(look, text), summary=text, notes=[],
            table=Table(columns=[], rows=[]), revision=facts.revision,
        )  # fmt: skip
    divisor, unit = _unit(roi, look)
    data: list[Trace] = []
    axes: dict[str, object] = {}
    for number, base in enumerate(bases, 1):
        for arm in base.arms:
            data += _arm(facts, base, arm, roi.currency, divisor, number, look)
    rounds = rounds_shown(last_round(data), facts.rounds)
    for number in range(1, len(bases) + 1):
        axes[layout_axis("x", number)] = round_axis(look, rounds, number)
        axes[layout_axis("y", number)] = axis(
            look,
            look.t("axis_net", unit=unit),
            domain=domain(number, len(bases)),
            zeroline=True,
            zerolinecolor=look.colours.zero,
            zerolinewidth=2,
            tickformat=",",
            **({"matches": "y"} if number > 1 else {}),
        )
    headings = [
        heading(look, look.basis(base.basis), domain(number, len(bases))[1])
        for number, base in enumerate(bases, 1)
    ]
    axes |= marks.drawn(look, amended, len(bases), marks.BEFORE_BARS, headings)
    return Figure(
        data=[*data, *marks.legend(look, amended, rounds)],
        layout=layout(look, axes, len(bases)),
        summary=look.joined([_said(look, roi), *(_arm_words(look, base, roi.currency) for base in bases)]),
        notes=marks.notes(look, amended),
        table=_table(bases, roi.currency, look),
        revision=facts.revision,
    )


def _arm(
    facts: PilotFacts, base: RoiBase, arm: ArmRoi, currency: str, divisor: int, panel: int, look: Look
) -> list[Trace]:
    index = facts.arm_index(arm.arm)
    colour = palette.series(index, look.theme)
    place = {
        "type": "scatter", "xaxis": axis_name("x", panel), "yaxis": axis_name("y", panel),
        "legendgroup": arm.arm, "x": [point.round for point in arm.points],
    }  # fmt: skip
    traces: list[Trace] = []
    if len(base.arms) <= BANDS_UP_TO:
        edge = {**place, "mode": "lines", "line": {"width": 0, "color": colour}, "hoverinfo": "skip"}
        name = look.t("band_value", arm=plain(arm.arm))
        low = [_scaled(point.low, divisor) for point in arm.points]
        high = [_scaled(point.high, divisor) for point in arm.points]
        shown = panel == 1 and len(base.arms) == 1
        fill = {"fill": "tonexty", "fillcolor": palette.faded(colour, 0.2)}
        traces += [
            {**edge, "y": low, "name": name, "showlegend": False},
            {**edge, "y": high, "name": name, "showlegend": shown, **fill},
        ]
    traces.append(
        {
            **place,
            "mode": line_mode(len(arm.points)),
            "y": [_scaled(point.likely, divisor) for point in arm.points],
            "name": plain(arm.arm),
            "showlegend": panel == 1,
            "line": palette.line(index, look.theme, 2.5),
            "marker": palette.marker(index, look.theme, 7),
            "customdata": [
                look.t(
                    "hover_net",
                    round=point.round,
                    likely=money(point.likely, currency),
                    low=money(point.low, currency),
                    high=money(point.high, currency),
                )
                for point in arm.points
            ],
            "hovertemplate": HOVER,
        }
    )
    even = next((point for point in arm.points if point.round == arm.break_even_round), None)
    if even is not None:
        traces.append(
            {
                **place,
                "mode": "markers",
                "x": [even.round],
                "y": [_scaled(even.likely, divisor)],
                "name": look.t("break_even", arm=plain(arm.arm), round=even.round),
                "showlegend": panel == 1 or len(base.arms) == 1,
                "marker": {
                    "symbol": "star", "size": 17, "color": colour,
                    "line": {"color": look.colours.text, "width": 1.5},
                },
                "customdata": [look.t("hover_break_even", round=even.round)],
                "hovertemplate": HOVER,
            }
        )  # fmt: skip
    return traces


def _scaled(amount: Decimal, divisor: int) -> float:
    return round(float(amount) / divisor, 6)


def _unit(roi: RoiReport, look: Look) -> tuple[int, str]:
    """Divisor and name of the money unit on the axis: Japanese counts in ten thousands."""
    assert roi.currency is not None
    largest = max(
        (
            max(abs(point.low), abs(point.high))
            for base in roi.bases
            for arm in base.arms
            for point in arm.points
        ),
        default=Decimal(0),
    )
    sizes = (10**8, 10**5) if look.lang == "ja" else (2 * 10**6, 10**4)
    if look.lang == "ja" and roi.currency == "JPY":
        code = (
            "yen_hundred_million"
            if largest >= sizes[0]
            else "yen_ten_thousand"
            if largest >= sizes[1]
            else "yen"
        )
        return {"yen_hundred_million": 10**8, "yen_ten_thousand": 10**4, "yen": 1}[code], look.t(code)
    symbol = find(look.lang, f"figures.currencies.{roi.currency}") or currency_symbol(roi.currency).strip()
    if look.lang == "ja":
        return (10**4, look.t("money_ten_thousand", symbol=symbol)) if largest >= sizes[1] else (1, symbol)
    if largest >= sizes[0]:
        return 10**6, look.t("money_million", symbol=symbol)
    return (1000, look.t("money_thousand", symbol=symbol)) if largest >= sizes[1] else (1, symbol)


def _said(look: Look, roi: RoiReport) -> str:
    note = say(look.lang, "roi.example_note") if roi.example else ""
    return look.joined([say(look.lang, f"roi.{roi.sentence.code}", roi.sentence.params), note])


def _arm_words(look: Look, base: RoiBase, currency: str) -> str:
    parts = [
        look.t(
            "roi_arm" if arm.break_even_round is None else "roi_arm_even",
            arm=arm.arm,
            likely=money(arm.net_at_end.likely, currency),
            low=money(arm.net_at_end.low, currency),
            high=money(arm.net_at_end.high, currency),
            round=arm.break_even_round,
        )
        for arm in base.arms
    ]
    return look.t("roi_basis", basis=look.basis(base.basis), arms=look.t("list_separator").join(parts))


def _table(bases: list[RoiBase], currency: str, look: Look) -> Table:
    columns = [
        "column_basis",
        "column_arm",
        "axis_round",
        "column_net_low",
        "column_net_likely",
        "column_net_high",
    ]
    return Table(
        columns=[look.t(code) for code in columns],
        rows=[
            [
                look.basis(base.basis),
                arm.arm,
                str(point.round),
                *(money(amount, currency) for amount in (point.low, point.likely, point.high)),
            ]
            for base in bases
            for arm in base.arms
            for point in arm.points
        ],
    )
