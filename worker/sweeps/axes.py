"""Scales of a chart: where a value stands, and at which values to write numbers. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

LOG_FROM = 20.0
"""Largest over smallest from which on a scale by powers of ten tells more."""


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to 0..1. Where `is_log`, only values above 0 have a place."""

    low: float
    high: float
    ticks: tuple[float, ...]
    is_log: bool = False

    def at(self, value: float) -> float:
        if self.is_log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def linear(low: float, high: float, about: int, smallest: float = 0.0) -> Scale:
    """From a round number at or below `low` to one at or above `high`, with about `about` steps of 1, 2 or 5 times a power of ten.

    Args:
        smallest: step that makes sense, such as 1 for rounds.
    """
    span = max(high - low, smallest, 1e-9)
    power = 10.0 ** math.floor(math.log10(span / about))
    step = max(smallest, next(power * k for k in (1, 2, 5, 10) if span / (power * k) <= about))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    return Scale(first * step, last * step, tuple(k * step for k in range(first, last + 1)))


def of_bytes(ends: Sequence[float], starts: Sequence[float]) -> Scale:
    """For what arms have exchanged at their end (`ends`) and after the first round in which they did (`starts`), in any unit; none
    of them 0."""
    if not ends:
        return Scale(0.0, 1.0, ())
    if max(ends) / min(ends) < LOG_FROM:
        return linear(0.0, max(ends), 4)
    first, last = math.floor(math.log10(min(starts))), math.ceil(math.log10(max(ends)))
    last = max(last, first + 1)
    return Scale(10.0**first, 10.0**last, tuple(10.0**k for k in range(first, last + 1)), is_log=True)
