"""What a figure shows, without how: the course of each arm over rounds, mean and spread over seeds. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from worker.sweeps.telling import name_of

View = Literal["all_site", "own_site"]
VIEWS: tuple[View, ...] = ("all_site", "own_site")


@dataclass(frozen=True, slots=True)
class Point:
    """After a round's training: accuracy (mean of sites) as mean, lowest and highest of the seeds; bytes so far, mean of the seeds,
    None where they are not counted."""

    round: int
    mean: float
    low: float
    high: float
    num_bytes: float | None


@dataclass(frozen=True, slots=True)
class Curve:
    """An arm or a baseline with all its seeds that came to the end."""

    name: str
    num_seeds: int
    points: tuple[Point, ...]

    @property
    def exchanges(self) -> bool:
        return bool(self.points and self.points[-1].num_bytes)


def curves(result: Mapping[str, Any], view: View) -> list[Curve]:
    """Of each arm, then each baseline of a setting. An arm of which no seed was completed has none, and so has every one where the
    pilot has no all-site value."""
    by_name: dict[str, list[Any]] = {}
    for run in (*result["runs"], *result.get("baselines", ())):
        if run["state"] == "completed":
            by_name.setdefault(name_of(run), []).append(run["rounds"])
    found = (
        Curve(name, len(seeds), tuple(_point(of_round, view) for of_round in zip(*seeds, strict=True)))
        for name, seeds in by_name.items()
        if seeds[0][0]["after_train"][view] is not None
    )
    return [curve for curve in found if curve.points]


def _point(seeds: Sequence[Mapping[str, Any]], view: View) -> Point:
    values = [one["after_train"][view]["mean"] for one in seeds]
    sent = [one["bytes_so_far"] for one in seeds]
    counted = None if None in sent else sum(sent) / len(sent)
    return Point(seeds[0]["round"], sum(values) / len(values), min(values), max(values), counted)


def failures(result: Mapping[str, Any]) -> dict[str, int]:
    """Seeds that failed, by arm or baseline: they are in no curve."""
    found: dict[str, int] = {}
    for run in (*result["runs"], *result.get("baselines", ())):
        if run["state"] != "completed":
            found[name_of(run)] = found.get(name_of(run), 0) + 1
    return found
