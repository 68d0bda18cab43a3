"""What all figures share: language, theme, fonts, margins, axes. Panels stand one above the other, so that a
figure is readable at 390 px; the page has the title, the figure has none."""

import html
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from backend.figures import palette
from backend.figures.palette import Colours
from backend.figures.schemas import Theme
from backend.roi.numbers import byte_unit
from backend.text.catalogue import say

FONT = 'system-ui, "Noto Sans JP", "Noto Sans CJK JP", "Hiragino Sans", "Yu Gothic UI", sans-serif'
PANEL_HEIGHT, SPACE, LEGEND_HEIGHT = 260, 0.16, 110
TRANSPARENT = "rgba(0,0,0,0)"
HEADING_LIFT = 10
"""Pixels by which a heading stands clear of the marks of amendments, which lie on the upper edge of its panel."""
ROUNDS_LABELLED = 8
MARKED_UP_TO = 60
"""Points of a line."""
Trace = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Look:
    """Language and theme of a figure."""

    lang: str
    theme: Theme

    @property
    def colours(self) -> Colours:
        return palette.colours(self.theme)

    def t(self, code: str, **params: Any) -> str:
        """A text of the catalogue's section `figures`."""
        return say(self.lang, f"figures.{code}", params)

    def basis(self, name: str) -> str:
        return self.t(f"basis_{name}")

    def num_bytes(self, count: int) -> str:
        """1234567 -> '1.2 MB', 0 -> '0 bytes' or '0バイト': as the tables of the pages write them."""
        divisor, unit = byte_unit(count)
        return self.t("num_bytes", count=count) if divisor == 1 else f"{count / divisor:,.1f} {unit}"

    def joined(self, sentences: Sequence[str]) -> str:
        return ("" if self.lang == "ja" else " ").join(sentence for sentence in sentences if sentence)


def plain(text: str) -> str:
    """Text of a person as Plotly shows it: its own markup is not obeyed."""
    return html.escape(text, quote=False)


def layout(look: Look, axes: Mapping[str, Any], panels: int = 1, height: int | None = None) -> dict[str, Any]:
    """The layout around `axes`."""
    colours = look.colours
    return {
        "autosize": True,
        "height": height or panels * PANEL_HEIGHT + LEGEND_HEIGHT,
        "paper_bgcolor": TRANSPARENT,
        "plot_bgcolor": TRANSPARENT,
        "font": {"family": FONT, "size": 13, "color": colours.text},
        "margin": {"l": 12, "r": 12, "t": 26 + HEADING_LIFT, "b": 12, "pad": 2},
        "separators": ".,",
        "hovermode": "closest",
        "hoverlabel": {
            "bgcolor": colours.hover,
            "bordercolor": colours.muted,
            "font": {"family": FONT, "size": 13, "color": colours.text},
            "align": "left",
        },
        "legend": {
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": -58 / (panels * PANEL_HEIGHT),
            "yanchor": "top",
            "bgcolor": TRANSPARENT,
            "font": {"size": 12},
        },
        "showlegend": True,
        # Zoom and hidden lines of the reader survive a redraw with newer numbers.
        "uirevision": "keep",
        **axes,
    }


def axis_name(letter: str, panel: int) -> str:
    """'y', 2 -> 'y2': how a trace names its axis; `layout_axis` is the key in the layout."""
    return letter if panel == 1 else f"{letter}{panel}"


def layout_axis(letter: str, panel: int) -> str:
    return f"{letter}axis" if panel == 1 else f"{letter}axis{panel}"


def domain(panel: int, panels: int) -> list[float]:
    """The share of the height that a panel takes; panel 1 is on top."""
    space = SPACE if panels > 1 else 0.0
    height = (1 - space * (panels - 1)) / panels
    top = 1 - (panel - 1) * (height + space)
    return [round(max(0.0, top - height), 4), round(top, 4)]


def heading(look: Look, text: str, y: float) -> dict[str, Any]:
    """A panel's name, above its upper edge `y` (share of the height): an axis title of that length would not fit on a phone."""
    return {
        "text": text, "x": 0, "xref": "paper", "xanchor": "left", "align": "left", "showarrow": False,
        "y": y, "yref": "paper", "yanchor": "bottom", "yshift": HEADING_LIFT,
        "font": {"size": 13, "color": look.colours.text},
    }  # fmt: skip


def axis(look: Look, title: str, **more: Any) -> dict[str, Any]:
    colours = look.colours
    return {
        "title": {"text": title, "standoff": 8, "font": {"size": 13}},
        "automargin": True,
        "gridcolor": colours.grid,
        "linecolor": colours.grid,
        "zeroline": False,
        "tickfont": {"size": 12, "color": colours.muted},
        **more,
    }


def round_axis(
    look: Look, rounds: int, panel: int, first: float = -0.3, title: str = "axis_round", **more: Any
) -> dict[str, Any]:
    """The x axis of rounds, from the start to `rounds`: see `rounds_shown`."""
    return axis(
        look,
        look.t(title),
        anchor=axis_name("y", panel),
        range=[first, rounds + 0.5],
        tick0=0,
        dtick=round_step(rounds),
        **more,
    )


def rounds_shown(measured: float, planned: int) -> int:
    """How far an axis of rounds goes: of few all that are planned, so that lines grow into it; of many to the next label after what is
    `measured`, or the beginning of a long run would be squeezed to the left."""
    following = int(measured) + 1
    step = round_step(following)
    return min(planned, max(ROUNDS_LABELLED, -(-following // step) * step))


def last_round(data: Sequence[Trace]) -> float:
    """The last place on the x axis at which lines are drawn."""
    return max((x for trace in data for x in trace["x"]), default=0)


def round_step(rounds: int) -> int:
    """From label to label on an axis of rounds: 1, 2, 5, 10, 20, 25 or 50 and so on, so that few are written, and round ones."""
    sizes = (size * int(10**power) for power in count() for size in (1, 2, 5, 10, 20, 25))
    return next(size for size in sizes if size * ROUNDS_LABELLED >= rounds)


def line_mode(points: int) -> str:
    """Of many points the markers would hide the line."""
    return "lines+markers" if points <= MARKED_UP_TO else "lines"


def accuracy_axis(look: Look, title: str, panel: int, panels: int) -> dict[str, Any]:
    """No accuracy lies outside 0 to 100 %: around a single point the scale would. A little room is for its marker."""
    return axis(
        look, title, domain=domain(panel, panels), tickformat=".1~%", hoverformat=".1%",
        autorangeoptions={"clipmin": -0.02, "clipmax": 1.02},
    )  # fmt: skip


def empty(look: Look, text: str) -> dict[str, Any]:
    """The layout of a figure without data: it says why."""
    width = 22 if look.lang == "ja" else 42
    hidden = {"visible": False, "range": [0, 1]}
    shown = "<br>".join(plain(part) for part in textwrap.wrap(text, width))
    note = {
        "text": shown, "x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper", "showarrow": False,
        "font": {"size": 14, "color": look.colours.muted},
    }  # fmt: skip
    return layout(look, {"xaxis": hidden, "yaxis": hidden, "annotations": [note]}, height=220)
