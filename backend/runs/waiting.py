"""Since when a run waits for a site of which nothing is heard. Pure: the coordinator acts on it, pages tell it."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from backend.runs.attempts import pause_s
from backend.runs.listening import Listening
from backend.sites.window import Window

AWAY: Final = ("invited", "silent")
"""States of a site of which nothing is heard."""
LEASE_OVER: Final = "lease_over"
COORDINATOR: Final = "coordinator"
"""The part of the server whose sign of life says that somebody coordinates."""


class Asked(Protocol):
    """A step, as far as its site is asked for it: as a row, or as what is told of one."""

    @property
    def state(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def taken_back(self) -> int: ...
    @property
    def reason(self) -> Mapping[str, Any] | None: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def dispatched_at(self) -> datetime | None: ...
    @property
    def next_try_at(self) -> datetime | None: ...


def waits_since(
    step: Asked,
    is_shared: bool,
    last_seen_at: datetime | None,
    resumed_at: datetime | None,
    rounds_done: int,
    round_open_since: Callable[[], datetime | None],
    now: datetime,
) -> datetime | None:
    """Since when a run waits for the site of a live step: since the site was last heard of, or was asked for the step, or the run went on
    after a pause, whichever came last. How long ago that is, `Listening` says. None: it does not wait for it, or not yet.

    Args:
        is_shared: it makes a start model. A site that has not made one when the run has finished rounds joins it in a later round, and
            keeps nobody waiting before that may begin.
        resumed_at: when the run went on after its last pause; None: it had none.
        rounds_done, round_open_since: of the run; since when the round after those may be worked at.
    """
    asked_at = step.next_try_at or step.created_at
    if step.dispatched_at is not None:
        asked_at = min(asked_at, step.dispatched_at)
    elif step.state != "ready" or asked_at > now:
        return None
    # What is ready is as good as sent: it is held back only behind what waits at that site already, and goes when that is gone. That a
    # step is sent again which its site had left in silence begins no new wait.
    if step.reason is not None and step.reason["code"] == LEASE_OVER:
        tried = step.attempt - step.taken_back
        asked_at -= timedelta(seconds=float(step.reason["params"].get("seconds", 0.0)) + pause_s(tried))
    since = max(at for at in (asked_at, last_seen_at, resumed_at) if at is not None)
    if not is_shared or rounds_done < 1:
        return since
    needed_since = round_open_since()
    return None if needed_since is None else max(since, needed_since)


def over_at(
    step: Asked, since: datetime, limit_s: float, window: Window | None, listening: Listening
) -> datetime:
    """When a run that waits since then has waited for the site of a live step as long as it does, if no further break comes: not before
    the step may be sent."""
    at = listening.when_heard(since, limit_s, window)
    return at if step.next_try_at is None else max(at, step.next_try_at)


def in_turn(over_at: Mapping[int, datetime]) -> list[int]:
    """Indices of silent sites in the order in which a run that has waited long enough for them goes on without them, or ends for one.

    Args:
        over_at: by site when that is.
    """
    return sorted(over_at, key=lambda site: (over_at[site], site))
