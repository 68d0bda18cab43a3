"""A figure as a page of HTML that needs nothing else: the drawing and, below it, where every arm ended. Pure."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from worker.sweeps.captions import heading, megabytes, percent, title
from worker.sweeps.curves import curves


def page(results: Sequence[Mapping[str, Any]], svg: str) -> str:
    """`svg`: the drawing as a file of its own; what stands before its root has no place in HTML."""
    named = escape(title(results))
    drawn = svg[svg.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{named}"', 1)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{named}</title>
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
{"".join(_rows(result) for result in results)}</tbody>
</table>
</body>
</html>
"""


def _rows(result: Mapping[str, Any]) -> str:
    all_site = {curve.name: curve.points[-1] for curve in curves(result, "all_site")}
    lines = []
    for curve in curves(result, "own_site"):
        last = curve.points[-1]
        every = percent(all_site[curve.name]) if curve.name in all_site else "-"
        cells = (heading(result), curve.name, str(curve.num_seeds), every, percent(last), megabytes(last))
        lines.append(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>\n")
    return "".join(lines)
