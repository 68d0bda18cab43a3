"""How often a step is tried, and how long is waited in between. Pure: the coordinator obeys it, pages tell it."""

from typing import Any

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


def pause_s(attempt: int, cause: str | None = None) -> float:
    """Seconds to wait before attempt 2, 3, ...: 1, 2, 4 and so on, longer if the `cause` is a store that is away."""
    return min(2.0 ** min(attempt - 2, 30), LONGEST_STORE_PAUSE_S if cause == STORE_AWAY else LONGEST_PAUSE_S)


def last_attempt(attempt: int, strikes: int, taken_back: int, cause: str | None, max_attempts: int) -> int:
    """Which attempt is the last if this one, and all after it, come to nothing as the one before did.

    Args:
        strikes: attempts before this one that count against the step. taken_back: those that did not begin. cause: the code of how the one before ended.
    """
    if cause == STORE_AWAY:
        return max(attempt, STORE_ATTEMPTS + taken_back)
    if cause == MISSING:
        return max(attempt, MISSING_ATTEMPTS + taken_back)
    return attempt + max(max_attempts - strikes - 1, 0)
