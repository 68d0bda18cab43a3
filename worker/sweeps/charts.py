"""One chart of a figure: the courses of a setting's arms over rounds, or over what was exchanged. Needs Matplotlib, as `figure` does."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from worker.sweeps.captions import MB
from worker.sweeps.curves import Curve, Point

COLOURS = ("#0072B2", "#D55E00", "#00875F", "#B65A97", "#A87400", "#2F8FC4", "#7A6F00", "#555555")
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1.5)), (0, (6, 1.5, 1, 1.5)), (0, (3, 1, 1, 1, 1, 1)))
"""A second signal beside the colour. Their number has no divisor in common with that of the colours: 40 arms can be told apart."""
LOG_FROM = 20.0
"""Largest over smallest from which on a scale by powers of ten tells more."""
MAX_POINTS, MAX_MARKS = 300, 40
Look = Mapping[str, Any]
"""Of a line, in Matplotlib's words."""


def look(number: int) -> Look:
    """Of the arm with this number."""
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": DASHES[number % len(DASHES)]}


def chart(axes: Axes, found: Sequence[tuple[Curve, Look]], *, every: Sequence[Curve], is_bytes: bool) -> None:
    """Scales for `every` curve of the figure, and the courses of those `found` for this chart."""
    (_scale_bytes if is_bytes else _scale_rounds)(axes, every)
    _scale_accuracy(axes, every)
    for curve, its_look in found:
        _course(axes, curve, its_look, is_bytes=is_bytes)


def _scale_rounds(axes: Axes, every: Sequence[Curve]) -> None:
    axes.set_xlim(0, max((point.round for curve in every for point in curve.points), default=1) or 1)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.set_xlabel("round")


def _scale_bytes(axes: Axes, every: Sequence[Curve]) -> None:
    sent = [[p.num_bytes / MB for p in curve.points if p.num_bytes] for curve in every if curve.exchanges]
    ends, starts = [one[-1] for one in sent], [one[0] for one in sent]
    if ends and max(ends) >= LOG_FROM * min(ends):
        axes.set_xscale("log")
        axes.set_xlim(10.0 ** math.floor(math.log10(min(starts))), 10.0 ** math.ceil(math.log10(max(ends))))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))
        axes.minorticks_off()
        axes.set_xlabel("MB exchanged by all sites (powers of ten)")
        return
    axes.set_xlim(*MaxNLocator(4).view_limits(0.0, max(ends, default=1.0)))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))
    axes.set_xlabel("MB exchanged by all sites")


def _scale_accuracy(axes: Axes, every: Sequence[Curve]) -> None:
    points = [point for curve in every for point in curve.points]
    low, high = min((p.low for p in points), default=0.0), max((p.high for p in points), default=1.0)
    locator = MaxNLocator(5, steps=[1, 2, 5, 10])
    axes.set_ylim(*locator.view_limits(100 * low, 100 * high))
    axes.yaxis.set_major_locator(locator)


def _course(axes: Axes, curve: Curve, its_look: Look, *, is_bytes: bool) -> None:
    """Band of the seeds, and line of their mean."""
    if is_bytes and not curve.exchanges:
        axes.axhline(100 * curve.points[-1].mean, **its_look, alpha=0.55)
        return
    is_log = axes.get_xscale() == "log"
    points = _thinned([p for p in curve.points if not is_bytes or p.num_bytes or not is_log])
    across = [(p.num_bytes or 0.0) / MB if is_bytes else p.round for p in points]
    if curve.num_seeds > 1:
        low, high = [100 * p.low for p in points], [100 * p.high for p in points]
        axes.fill_between(across, low, high, color=its_look["color"], alpha=0.15, linewidth=0)
    marker = "o" if len(points) <= MAX_MARKS else None
    # A mark at the edge of the chart is seen whole.
    axes.plot(across, [100 * p.mean for p in points], **its_look, marker=marker, clip_on=False)


def _thinned(points: Sequence[Point]) -> list[Point]:
    """No more than can be told apart; the first and the last stay."""
    if len(points) <= MAX_POINTS:
        return list(points)
    return [points[k * (len(points) - 1) // (MAX_POINTS - 1)] for k in range(MAX_POINTS)]
