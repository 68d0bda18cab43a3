"""Times as they are said in a sentence: by the clock of a place that is named beside them, the same in every language."""

from datetime import datetime
from zoneinfo import ZoneInfo


def in_zone(at: datetime, time_zone: str) -> str:
    """`2026-01-05 02:00`, of an aware time."""
    return f"{at.astimezone(ZoneInfo(time_zone)):%Y-%m-%d %H:%M}"
