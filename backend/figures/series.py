"""Accuracy over the points of a run, as lines are drawn. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from backend.figures.frame import Look
from backend.roi.facts import Measure, Phase, RunFacts, Values, over_sites

DIGITS = 8
"""More than is shown, or a number would be rounded twice."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A place on the x axis: a round's merge stands half a round before its training."""

    round: int
    phase: Phase

    @property
    def x(self) -> float:
        return self.round - 0.5 if self.phase == "after_merge" else float(self.round)

    def words(self, look: Look) -> str:
        if self.round == 0:
            return look.t("moment_start")
        return look.t(f"moment_{self.phase}", round=self.round)


@dataclass(frozen=True, slots=True)
class Accuracies:
    """One measure of one run (or the mean of an arm's runs) over its moments.

    Attributes:
        by_site: one line per site. mean, low, high: over sites; None while a site is missing. over: how many sites the mean is over.
    """

    moments: tuple[Moment, ...]
    by_site: tuple[Values, ...]
    mean: Values
    low: Values
    high: Values
    over: tuple[int, ...]

    @property
    def measured(self) -> bool:
        return any(value is not None for line in (*self.by_site, self.mean) for value in line)

    def last_complete(self) -> int | None:
        """Index of the last moment at which every site has a value."""
        return max((at for at, value in enumerate(self.mean) if value is not None), default=None)

    def trained(self) -> dict[int, float]:
        """Round -> mean after its training, where every site has a value. Round 0 is the start."""
        means = zip(self.moments, self.mean, strict=True)
        return {at.round: mean for at, mean in means if mean is not None and at.phase == "after_train"}

    def sites_at(self, moment: Moment) -> int:
        """Over how many sites the mean is; of several seeds the fewest."""
        return dict(zip(self.moments, self.over, strict=True)).get(moment, 0)


def of_run(run: RunFacts, measure: Measure) -> Accuracies:
    points = run.points
    complete = [point.complete(measure) for point in points]
    num_sites = len(points[0].own_site) if points else 0
    return Accuracies(
        moments=tuple(Moment(point.round, point.phase) for point in points),
        by_site=tuple(
            tuple(_rounded(point.of(measure)[site]) for point in points) for site in range(num_sites)
        ),
        mean=tuple(_rounded(over_sites(values)) if values else None for values in complete),
        low=tuple(_rounded(min(_known(values))) if values else None for values in complete),
        high=tuple(_rounded(max(_known(values))) if values else None for values in complete),
        over=tuple(len(_known(values)) if values else 0 for values in complete),
    )


def of_arm(runs: Sequence[RunFacts], measure: Measure) -> Accuracies:
    """The mean over seeds at the moments that every run with results has reached; low and high over seeds."""
    means = []
    over: dict[Moment, int] = {}
    for run in runs:
        one = of_run(run, measure)
        found = {
            moment: value for moment, value in zip(one.moments, one.mean, strict=True) if value is not None
        }
        for moment, count in zip(one.moments, one.over, strict=True):
            over[moment] = min(count, over.get(moment, count))
        if found:
            means.append(found)
    shared = set.intersection(*(set(found) for found in means)) if means else set()
    moments = sorted(shared, key=lambda moment: moment.x)
    values = [[found[moment] for found in means] for moment in moments]
    return Accuracies(
        moments=tuple(moments),
        by_site=(),
        mean=tuple(_rounded(sum(at) / len(at)) for at in values),
        low=tuple(min(at) for at in values),
        high=tuple(max(at) for at in values),
        over=tuple(over[moment] for moment in moments),
    )


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
