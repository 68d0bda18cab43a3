"""Since when a run waits for a site of which nothing is heard. Pure: the coordinator acts on it, pages tell it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from backend.runs.attempts import pause_s

AWAY: Final = ("invited", "silent")
"""States of a site of which nothing is heard."""
LEASE_OVER: Final = "lease_over"


def asked_at(
    dispatched_at: datetime | None, next_try_at: datetime | None, created_at: datetime, now: datetime
) -> datetime:
    """Since when a site is asked for the present attempt of a step: since it was ready. What is ready is as good as sent: it is held
    back only behind what waits at that site already, and goes when that is gone."""
    return min(dispatched_at or now, next_try_at or created_at)


def waits_since(
    asked_at: datetime, last_seen_at: datetime | None, attempt: int, reason: Mapping[str, Any] | None
) -> datetime:
    """The site was last heard of, or was asked for what it is to do, whichever came later. That a step is sent again which its site
    had left in silence begins no new wait.

    Args:
        asked_at: the present attempt. reason: how the attempt before ended.
    """
    if reason is not None and reason["code"] == LEASE_OVER:
        asked_at -= timedelta(seconds=float(reason["params"].get("seconds", 0.0)) + pause_s(attempt))
    return asked_at if last_seen_at is None else max(asked_at, last_seen_at)
