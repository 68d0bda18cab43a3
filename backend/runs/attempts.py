"""How often a step is tried, and how long is waited in between. Pure: the coordinator obeys it, pages tell it."""

from collections.abc import Mapping
from typing import Any, Final

LONGEST_PAUSE_S = 60.0
STORE_AWAY = "store_unreachable"
MISSING = "artifact_missing"
TAKEN_BACK: dict[str, Any] = {"code": "taken_back", "params": {}}
"""Why a step waits that was sent, not begun, when its run was paused. It is no strike."""
MISSING_ATTEMPTS = 12
"""Of a step whose model is not in the store, with the pauses about six minutes: on its way to this machine it may take one or two
(caches of shared directories, synchronised folders)."""
LONGEST_STORE_PAUSE_S = 600.0
STORE_ATTEMPTS = 440
"""Of a step whose store is away or full, with the pauses in between about three days: somebody has to free space or mend a
line, it may be Friday evening, and no run should be lost meanwhile."""

PATIENT: Final = {MISSING: MISSING_ATTEMPTS, STORE_AWAY: STORE_ATTEMPTS}
"""Causes that are not the step's fault: how many attempts in a row may come to nothing for them. They are no strikes."""


def pause_s(attempt: int, cause: str | None = None) -> float:
    """Seconds to wait before attempt 2, 3, ...: 1, 2, 4 and so on, longer if the `cause` is a store that is away."""
    return min(2.0 ** min(attempt - 2, 30), LONGEST_STORE_PAUSE_S if cause == STORE_AWAY else LONGEST_PAUSE_S)


def in_a_row(before: Mapping[str, Any] | None, cause: str | None) -> int:
    """How many attempts have come to nothing for this cause, one after the other, with the next one that does.

    Args:
        before: the reason of the attempt before, which counts them.
    """
    if before is None or before["code"] != cause:
        return 1
    return int(before["params"].get("in_a_row", 1)) + 1


def last_attempt(attempt: int, strikes: int, before: Mapping[str, Any] | None, max_attempts: int) -> int:
    """Which attempt is the last if this one, and all after it, come to nothing as the one before did.

    Args:
        strikes: attempts before this one that count against the step. before: how the one before ended.
    """
    cause = None if before is None else before["code"]
    if cause in PATIENT:
        return attempt + max(PATIENT[cause] - in_a_row(before, cause), 0)
    return attempt + max(max_attempts - strikes - 1, 0)
