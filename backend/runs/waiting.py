"""Since when a run waits for a site of which nothing is heard. Pure: the coordinator acts on it, pages tell it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from backend.runs.attempts import pause_s

AWAY: Final = ("invited", "silent")
"""States of a site of which nothing is heard."""
LEASE_OVER: Final = "lease_over"


def waits_since(
    sent_at: datetime, last_seen_at: datetime | None, attempt: int, reason: Mapping[str, Any] | None
) -> datetime:
    """The site was last heard of, or was last sent what it is to do, whichever came later. That a step is sent again which its site
    had left in silence begins no new wait.

    Args:
        sent_at: the present attempt. reason: how the attempt before ended.
    """
    if reason is not None and reason["code"] == LEASE_OVER:
        sent_at -= timedelta(seconds=float(reason["params"].get("seconds", 0.0)) + pause_s(attempt))
    return sent_at if last_seen_at is None else max(sent_at, last_seen_at)
