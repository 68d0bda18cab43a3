"""What is written on and below the figure of a sweep, in English. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from worker.data.sweep import described
from worker.sweeps.curves import Curve, Point, failures

MB = 1e6


def title(results: Sequence[Mapping[str, Any]]) -> str:
    return f"{results[0]['pilot']['name']}: accuracy by round, and by what was exchanged"


def explained(every: Sequence[Curve]) -> str:
    """How the lines are to be read."""
    seeds = max((curve.num_seeds for curve in every), default=1)
    band = f"Lines: mean of {seeds} seeds; bands: lowest to highest seed." if seeds > 1 else "One seed."
    level = " Level lines over MB: what exchanges no models, at its end."
    return f"Mean of sites, after training. {band}{'' if all(c.exchanges for c in every) else level}"


def heading(result: Mapping[str, Any]) -> str:
    """Which setting it is, and what is missing in its curves."""
    failed = ", ".join(f"{name} ({number})" for name, number in failures(result).items())
    setting = (
        f"Setting {result['setting']}: {described(result['values'])}" if result["values"] else "The pilot"
    )
    return f"{setting}{f'. Seeds failed and left out: {failed}' if failed else ''}"


def percent(point: Point) -> str:
    spread = f" ({100 * point.low:.1f} to {100 * point.high:.1f})" if point.high > point.low else ""
    return f"{100 * point.mean:.1f}%{spread}"


def megabytes(point: Point) -> str:
    return "not counted" if point.num_bytes is None else f"{point.num_bytes / MB:.4g}"
