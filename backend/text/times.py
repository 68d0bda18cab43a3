"""Times as they travel in texts, and as they are said in a sentence: by the clock of a place that is named beside them, the same in every
language."""

from datetime import datetime
from zoneinfo import ZoneInfo


def in_zone(at: datetime, time_zone: str) -> str:
    """`2026-01-05 02:00`, of an aware time."""
    return f"{at.astimezone(ZoneInfo(time_zone)):%Y-%m-%d %H:%M}"


def moment(text: str) -> datetime | None:
    """An aware time in ISO form, or as it was stored before (`2026-01-05 02:00 UTC`); None: the text is none."""
    try:
        at = datetime.fromisoformat(text.replace(" UTC", "+00:00"))
    except ValueError:
        return None
    return at if at.tzinfo is not None else None
