"""Since when a run waits for a site of which nothing is heard. Pure: the coordinator acts on it, pages tell it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from backend.runs.attempts import pause_s

AWAY: Final = ("invited", "silent")
"""States of a site of which nothing is heard."""
LEASE_OVER: Final = "lease_over"
COORDINATOR: Final = "coordinator"
"""The part of the server whose sign of life says since when it listens."""


def listens_since(params: Mapping[str, Any]) -> datetime | None:
    """As the coordinator's sign of life says it."""
    told = params.get("since")
    return None if told is None else datetime.fromisoformat(told)


def asked_at(
    dispatched_at: datetime | None, next_try_at: datetime | None, created_at: datetime, now: datetime
) -> datetime:
    """Since when a site is asked for the present attempt of a step: since it was ready. What is ready is as good as sent: it is held
    back only behind what waits at that site already, and goes when that is gone."""
    return min(dispatched_at or now, next_try_at or created_at)


def waits_since(
    asked_at: datetime,
    last_seen_at: datetime | None,
    tried: int,
    reason: Mapping[str, Any] | None,
    listens_since: datetime | None,
    needed_since: datetime | None = None,
) -> datetime:
    """The site was last heard of, or was asked for what it is to do, whichever came later; and not before somebody was there to hear it.
    That a step is sent again which its site had left in silence begins no new wait.

    Args:
        asked_at: the present attempt. tried: which one that is, without those that were taken back. reason: how the attempt before
            ended. listens_since: the end of the last time in which nobody coordinated; None: nobody knows of one. needed_since: of a
            start model that a run needs only since one of its later rounds, as its site joins it there, the end of the round before.
    """
    if reason is not None and reason["code"] == LEASE_OVER:
        asked_at -= timedelta(seconds=float(reason["params"].get("seconds", 0.0)) + pause_s(tried))
    return max(at for at in (asked_at, last_seen_at, listens_since, needed_since) if at is not None)
