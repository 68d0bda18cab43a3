"""Values in parts that a statement takes."""

from collections.abc import Collection, Iterator
from typing import TypeVar

_Value = TypeVar("_Value", str, int)
MOST_VALUES = 5_000
"""In one statement; SQLite takes 32,766, PostgreSQL 65,535."""


def in_parts(wanted: Collection[_Value]) -> Iterator[list[_Value]]:
    """In a fixed order, and no more at once than a statement takes."""
    ordered = sorted(wanted)
    for first in range(0, len(ordered), MOST_VALUES):
        yield ordered[first : first + MOST_VALUES]
