"""Draws a sweep: for each setting accuracy against rounds and against what was exchanged, with Matplotlib.

Only those install Matplotlib who want it (the extra `figure`): import this module where a figure is asked for, never above.
The same results give the same file: no dates, fixed names inside the SVG, no one's own style of Matplotlib.
"""

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from textwrap import wrap
from typing import Any, Self

from matplotlib import font_manager, style
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from worker.sweeps.captions import explained, heading, title
from worker.sweeps.charts import Look, chart, look
from worker.sweeps.curves import VIEWS, Curve, View, curves
from worker.sweeps.files import whole
from worker.sweeps.page import page

QUIET = "#5a6273"
DOTS_PER_INCH, MOST_DOTS = 150, 32_000
"""Of a PNG and of its height, beyond which few programs show one: from about 90 settings on it gets coarser."""
A_PAGE = 6
"""Settings on a page of a PDF."""
SAYS: dict[View, str] = {"all_site": "all-site accuracy, %", "own_site": "own-site accuracy, %"}

# Inches.
WIDTH, HEIGHT = 2.55, 1.8
LEFT, GAP, RIGHT = 0.55, 0.6, 0.25
ABOVE, BELOW = 0.3, 0.65
LINE = 0.2
LETTER = 0.075
"""About the width of a letter; what is broken or put into columns by it has room to spare."""
SAMPLE = 0.75
"""Of a line's sample in the legend, with the space around it."""

JAPANESE = ("Noto Sans CJK JP", "IPAexGothic", "IPAGothic", "Hiragino Sans", "Yu Gothic", "Meiryo")
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "awase",
    "pdf.fonttype": 42,
    "text.parse_math": False,  # a name may have dollars
    "text.color": "#1a1f29",
    "axes.labelcolor": QUIET,
    "axes.titlecolor": QUIET,
    "axes.edgecolor": "#c3c8d1",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#e1e4ea",
    "font.size": 8.0,
    "axes.titlesize": 8.0,
    "axes.titlelocation": "left",
    "lines.linewidth": 1.6,
    "lines.markersize": 3.0,
    "axes.autolimit_mode": "round_numbers",
}


def write_figure(path: Path, results: Sequence[Mapping[str, Any]]) -> None:
    """SVG, PNG, PDF or HTML, by the ending of `path`; whole or not at all. A PDF has several pages. Raises: OSError."""
    kind = path.suffix.removeprefix(".")
    with whole(path) as temporary, _our_style():
        if kind == "html":
            temporary.write_text(page(results, svg(results)), encoding="utf-8")
        elif kind == "svg":
            temporary.write_text(svg(results), encoding="utf-8")
        elif kind == "png":
            figure = draw(Shared.of(results), results)
            dpi = min(DOTS_PER_INCH, MOST_DOTS / figure.get_figheight())
            figure.savefig(temporary, format="png", dpi=dpi)
        else:
            shared = Shared.of(results)
            with PdfPages(temporary, metadata={"CreationDate": None}) as pages:
                for start in range(0, len(results), A_PAGE):
                    pages.savefig(draw(shared, results[start : start + A_PAGE]))


def svg(results: Sequence[Mapping[str, Any]]) -> str:
    """As a file's text."""
    text = StringIO()
    with _our_style():
        figure = draw(Shared.of(results), results)
        figure.savefig(text, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return text.getvalue()


def _our_style() -> AbstractContextManager[None]:
    installed = set(font_manager.get_font_names())
    families = ["sans-serif", *(name for name in JAPANESE if name in installed)]
    return style.context(["default", STYLE | {"font.family": families}])


@dataclass(frozen=True, slots=True)
class Shared:
    """What all pages of a figure have in common, so that one can compare.

    Attributes:
        every: the curves of all views and settings.
        looks: of a line, by the arm's name.
    """

    title: str
    views: Sequence[View]
    every: Sequence[Curve]
    looks: Mapping[str, Look]

    @classmethod
    def of(cls, results: Sequence[Mapping[str, Any]]) -> Self:
        found = {view: [curve for result in results for curve in curves(result, view)] for view in VIEWS}
        every = [curve for view in VIEWS for curve in found[view]]
        names = dict.fromkeys(curve.name for curve in every)
        looks = {name: look(number) for number, name in enumerate(names)}
        return cls(title(results), [view for view in VIEWS if found[view]], every, looks)


def draw(shared: Shared, results: Sequence[Mapping[str, Any]]) -> Figure:
    """A line of charts for each setting in `results`."""
    num_charts = 2 * max(len(shared.views), 1)
    width = LEFT + num_charts * WIDTH + (num_charts - 1) * GAP + RIGHT

    def broken(text: str, letter: float = LETTER) -> list[str]:
        return wrap(text, int((width - 2 * RIGHT) / letter), break_on_hyphens=False)

    named, told = broken(shared.title, 1.6 * LETTER), broken(explained(shared.every))
    headings = [broken(heading(result)) for result in results]
    longest = max(map(len, shared.looks), default=1)
    columns = max(1, int((width - 2 * RIGHT) / (SAMPLE + LETTER * longest)))
    top_told = RIGHT + 1.5 * LINE * len(named)
    top_legend = top_told + LINE * len(told) + LINE / 4
    top = top_legend + LINE * math.ceil(len(shared.looks) / columns) + LINE
    head = LINE * max(map(len, headings)) + ABOVE
    a_row = head + (HEIGHT + BELOW if shared.views else 0.0)
    height = top + a_row * len(results)
    figure = Figure(figsize=(width, height))

    def write(y: float, lines: Sequence[str], **its_look: Any) -> None:
        figure.text(RIGHT / width, 1 - y / height, "\n".join(lines), va="top", **its_look)

    write(RIGHT, named, fontsize=12, fontweight="bold")
    write(top_told, told, color=QUIET)
    if shared.looks:
        figure.legend(
            [Line2D([], [], **of_arm) for of_arm in shared.looks.values()],
            list(shared.looks),
            ncols=columns,
            loc="upper left",
            bbox_to_anchor=(RIGHT / width, 1 - top_legend / height),
            borderaxespad=0.0,
            borderpad=0.0,
            frameon=False,
            handlelength=3.2,
        )
    for row, result in enumerate(results):
        y = top + a_row * row
        write(y, headings[row], fontsize=9, fontweight="bold")
        bottom = 1 - (y + head + HEIGHT) / height
        for place in range(2 * len(shared.views)):
            left = (LEFT + place * (WIDTH + GAP)) / width
            axes = figure.add_axes((left, bottom, WIDTH / width, HEIGHT / height))
            view, is_bytes = shared.views[place // 2], bool(place % 2)
            axes.set_title(SAYS[view])
            found = [(curve, shared.looks[curve.name]) for curve in curves(result, view)]
            chart(axes, found, every=shared.every, is_bytes=is_bytes)
    return figure
