"""Draws a sweep: for each setting accuracy against rounds and against what was exchanged. SVG, or a page of HTML that needs nothing else.

Drawn without a library: those that draw are larger than all of Awase, and the charts of the dashboard need its server.
Pure but for the writing at the end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from worker.data.sweep import described
from worker.sweeps import axes
from worker.sweeps.axes import Scale
from worker.sweeps.curves import VIEWS, Curve, Point, View, curves, failures
from worker.sweeps.files import whole

MB = 1e6
COLOURS = ("#0072B2", "#D55E00", "#00875F", "#B65A97", "#A87400", "#2F8FC4", "#7A6F00", "#555555")
DASHES = ("", "7 3", "2 3", "8 3 2 3")
"""A second signal, where there are more arms than colours."""
WIDTH, HEIGHT = 250, 170
LEFT, GAP, TOP, BOTTOM, HEAD = 46, 58, 44, 44, 16
LEGEND_LINE, LEGEND_WIDTH = 18, 200
MAX_POINTS, MAX_MARKS = 300, 40
SAYS = {"all_site": "all-site accuracy", "own_site": "own-site accuracy"}


def write_figure(path: Path, results: Sequence[Mapping[str, Any]]) -> None:
    """SVG or HTML, by the ending of `path`; whole or not at all. Raises: OSError."""
    drawn = svg(results)
    with whole(path) as temporary:
        temporary.write_text(_page(results, drawn) if path.suffix == ".html" else drawn, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class _Box:
    """A chart's place and scales."""

    x: float
    y: float
    across: Scale
    up: Scale

    def at(self, x: float, y: float) -> tuple[float, float]:
        return self.x + WIDTH * self.across.at(x), self.y + HEIGHT * (1 - self.up.at(y))


def svg(results: Sequence[Mapping[str, Any]]) -> str:
    """A line of charts for each setting; scales of one kind are alike in all of them, so that one can compare."""
    found = {view: [curves(result, view) for result in results] for view in VIEWS}
    views = [view for view in VIEWS if any(found[view])]
    names = list(dict.fromkeys(curve.name for view in views for one in found[view] for curve in one))
    styles = {name: _style(number) for number, name in enumerate(names)}
    every = [curve for view in views for one in found[view] for curve in one]
    by_round, by_bytes, up = _scales(every)
    width = LEFT + max(2 * len(views), 2) * (WIDTH + GAP)
    a_line = max(1, (width - 2 * HEAD) // LEGEND_WIDTH)
    top = 64 + LEGEND_LINE * -(-len(names) // a_line)
    a_row = TOP + HEIGHT + BOTTOM
    height = top + a_row * len(results) + HEAD
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{escape(_title(results))}" font-family="system-ui, sans-serif" font-size="11" fill="#1a1f29">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        _text(HEAD, 26, _title(results), size=16, weight="bold"),
        _text(HEAD, 44, _explained(every), fill="#5a6273"),
    ]
    for number, name in enumerate(names):
        x, y = HEAD + LEGEND_WIDTH * (number % a_line), 66 + LEGEND_LINE * (number // a_line)
        parts.append(f'<path d="M{x} {y - 4}h24" fill="none" stroke-width="2" {styles[name]}/>')
        parts.append(_text(x + 30, y, name))
    for row, result in enumerate(results):
        y = top + a_row * row
        parts.append(_text(HEAD, y + 20, _heading(result), size=13, weight="bold"))
        for column, view in enumerate(views):
            x = LEFT + 2 * column * (WIDTH + GAP)
            parts += _chart(_Box(x, y + TOP, by_round, up), found[view][row], styles, view, is_bytes=False)
            box = _Box(x + WIDTH + GAP, y + TOP, by_bytes, up)
            parts += _chart(box, found[view][row], styles, view, is_bytes=True)
    return "\n".join([*parts, "</svg>\n"])


def _scales(every: Sequence[Curve]) -> tuple[Scale, Scale, Scale]:
    """Of rounds, of megabytes, of accuracy in percent."""
    points = [point for curve in every for point in curve.points]
    sent = [[p.num_bytes / MB for p in curve.points if p.num_bytes] for curve in every if curve.exchanges]
    low, high = min((p.low for p in points), default=0.0), max((p.high for p in points), default=1.0)
    return (
        axes.linear(0, max((p.round for p in points), default=1), 8, smallest=1),
        axes.of_bytes([one[-1] for one in sent], [one[0] for one in sent]),
        axes.linear(100 * low, 100 * high, 5),
    )


def _chart(
    box: _Box, found: Sequence[Curve], styles: Mapping[str, str], view: View, *, is_bytes: bool
) -> list[str]:
    log = " (powers of ten)" if box.across.is_log else ""
    below = f"MB exchanged by all sites{log}" if is_bytes else "round"
    parts = [_text(box.x, box.y - 8, f"{SAYS[view]}, %", fill="#5a6273")]
    for tick in box.up.ticks:
        _, y = box.at(box.across.low, tick)
        parts.append(f'<path d="M{box.x:.1f} {y:.1f}h{WIDTH}" stroke="#e1e4ea"/>')
        parts.append(_text(box.x - 6, y + 4, f"{tick:g}", anchor="end"))
    for tick in box.across.ticks:
        x, _ = box.at(tick, box.up.low)
        parts.append(f'<path d="M{x:.1f} {box.y}v{HEIGHT}" stroke="#e1e4ea"/>')
        parts.append(_text(x, box.y + HEIGHT + 15, f"{tick:g}", anchor="middle"))
    parts.append(_text(box.x + WIDTH / 2, box.y + HEIGHT + 31, below, anchor="middle", fill="#5a6273"))
    for curve in found:
        parts += _course(box, curve, styles[curve.name], is_bytes)
    return parts


def _course(box: _Box, curve: Curve, style: str, is_bytes: bool) -> list[str]:
    """Band of the seeds, line of their mean, and marks that tell their numbers to a pointer."""
    if is_bytes and not curve.exchanges:
        last = curve.points[-1]
        _, y = box.at(box.across.high, 100 * last.mean)
        tip = escape(f"{curve.name}: exchanges no models, at the end {_percent(last)}")
        line = f'<path d="M{box.x:.1f} {y:.1f}h{WIDTH}" fill="none" stroke-opacity="0.55" stroke-width="2" {style}>'
        return [f"{line}<title>{tip}</title></path>"]
    points = _thinned([p for p in curve.points if not is_bytes or p.num_bytes or not box.across.is_log])

    def x(point: Point) -> float:
        return (point.num_bytes or 0.0) / MB if is_bytes else point.round

    parts = []
    if curve.num_seeds > 1:
        edge = [box.at(x(p), 100 * p.high) for p in points]
        edge += [box.at(x(p), 100 * p.low) for p in reversed(points)]
        parts.append(f'<path d="M{_path(edge)}Z" fill-opacity="0.15" stroke="none" {_filled(style)}/>')
    line = _path([box.at(x(p), 100 * p.mean) for p in points])
    parts.append(f'<path d="M{line}" fill="none" stroke-width="2" {style}/>')
    if len(points) <= MAX_MARKS:
        for point in points:
            cx, cy = box.at(x(point), 100 * point.mean)
            sent = "" if point.num_bytes is None else f", {point.num_bytes / MB:.4g} MB"
            tip = escape(f"{curve.name}, round {point.round}: {_percent(point)}{sent}")
            parts.append(f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="3" {_filled(style)}><title>{tip}</title></circle>')  # fmt: skip
    return parts


def _thinned(points: Sequence[Point]) -> list[Point]:
    """No more than can be told apart; the first and the last stay."""
    if len(points) <= MAX_POINTS:
        return list(points)
    return [points[k * (len(points) - 1) // (MAX_POINTS - 1)] for k in range(MAX_POINTS)]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _style(number: int) -> str:
    dash = DASHES[number // len(COLOURS) % len(DASHES)]
    return f'stroke="{COLOURS[number % len(COLOURS)]}"' + (f' stroke-dasharray="{dash}"' if dash else "")


def _filled(style: str) -> str:
    return style.split(" ")[0].replace("stroke", "fill")


def _text(
    x: float, y: float, text: str, *, size: int = 11, anchor: str = "start", weight: str = "normal", fill: str = ""
) -> str:  # fmt: skip
    colour = f' fill="{fill}"' if fill else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}"{colour}>'
        f"{escape(text)}</text>"
    )


def _title(results: Sequence[Mapping[str, Any]]) -> str:
    return f"{results[0]['pilot']['name']}: accuracy by round, and by what was exchanged"


def _explained(every: Sequence[Curve]) -> str:
    seeds = max((curve.num_seeds for curve in every), default=1)
    band = f"Lines: mean of {seeds} seeds; bands: lowest to highest seed." if seeds > 1 else "One seed."
    return f"Mean of sites, after training. {band} Level lines over MB: what exchanges no models, at its end."


def _heading(result: Mapping[str, Any]) -> str:
    failed = ", ".join(f"{name} ({number})" for name, number in failures(result).items())
    setting = (
        f"Setting {result['setting']}: {described(result['values'])}" if result["values"] else "The pilot"
    )
    return f"{setting}{f'. Seeds failed and left out: {failed}' if failed else ''}"


def _percent(point: Point) -> str:
    spread = f" ({100 * point.low:.1f} to {100 * point.high:.1f})" if point.high > point.low else ""
    return f"{100 * point.mean:.1f}%{spread}"


def _page(results: Sequence[Mapping[str, Any]], drawn: str) -> str:
    """The figure and, below it, where every arm ended."""
    title = escape(_title(results))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 14px/1.5 system-ui, sans-serif; margin: 1rem; background: #fff; color: #1a1f29 }}
figure {{ margin: 0; overflow-x: auto }}
table {{ border-collapse: collapse }}
th, td {{ text-align: right; padding: 0.15rem 0.8rem; border-bottom: 1px solid #e1e4ea }}
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) {{ text-align: left }}
</style>
</head>
<body>
<figure>
{drawn}</figure>
<h2>After the last round</h2>
<table>
<thead><tr><th>setting</th><th>arm</th><th>seeds</th><th>all-site</th><th>own-site</th><th>MB exchanged</th></tr></thead>
<tbody>
{"".join(_table_row(result) for result in results)}</tbody>
</table>
</body>
</html>
"""


def _table_row(result: Mapping[str, Any]) -> str:
    all_site = {curve.name: curve.points[-1] for curve in curves(result, "all_site")}
    lines = []
    for curve in curves(result, "own_site"):
        last = curve.points[-1]
        sent = "not counted" if last.num_bytes is None else f"{last.num_bytes / MB:.4g}"
        every = _percent(all_site[curve.name]) if curve.name in all_site else "-"
        cells = (_heading(result), curve.name, str(curve.num_seeds), every, _percent(last), sent)
        lines.append(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>\n")
    return "".join(lines)
