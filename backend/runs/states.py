"""Which state may follow which, for pilots, sites, runs and steps: data and one predicate.

Pure, so that the API (which asks) and the coordinator (which decides) obey one table. It reads and writes
no row: a caller checks the move here and then does it with a compare-and-set, or on a row it has locked.
"""

from collections.abc import Mapping
from typing import Final, Literal

Thing = Literal["pilot", "site", "run", "step"]
Moves = Mapping[str, frozenset[str]]


def _moves(**table: str) -> Moves:
    return {state: frozenset(following.split()) for state, following in table.items()}


PILOT: Final = _moves(
    draft="launched archived",
    launched="decided archived",
    decided="archived",
    archived="",
)
SITE: Final = _moves(
    invited="online revoked",
    online="silent revoked",
    silent="online revoked",
    revoked="",
)
# `queued -> failed`: a site that cannot prepare its data ends the run before its first step.
# `pausing -> completed`: what ran when the pause was asked for was all that was left.
# `paused -> failed`: what it needs, others do meanwhile (`prepare`), or a site is revoked.
RUN: Final = _moves(
    queued="running failed pausing cancelling",
    running="completed failed pausing cancelling",
    pausing="paused resuming completed failed cancelling",
    paused="resuming failed cancelling",
    resuming="running pausing completed failed cancelling",
    cancelling="cancelled",
    completed="",
    failed="",
    cancelled="",
)
# `ready -> running`: the message went out, but its sender died before it noted so.
# `lost` is a moment: the next attempt of the same row is `ready`, or the step failed for good.
STEP: Final = _moves(
    ready="dispatched running skipped cancelled",
    dispatched="running ready lost failed skipped cancelled",
    running="completed failed lost skipped cancelled",
    lost="ready failed cancelled",
    completed="",
    failed="",
    skipped="",
    cancelled="",
)
MOVES: Final[Mapping[Thing, Moves]] = {"pilot": PILOT, "site": SITE, "run": RUN, "step": STEP}

RUN_ENDS: Final = frozenset({"completed", "failed", "cancelled"})
RUN_LIVE: Final = frozenset(RUN) - RUN_ENDS
STEP_ENDS: Final = frozenset({"completed", "failed", "skipped", "cancelled"})
STEP_LIVE: Final = frozenset(STEP) - STEP_ENDS
STEP_UNDER_WAY: Final = frozenset({"dispatched", "running"})


class IllegalMove(Exception):
    """A state that may not follow; `code` and `params` as in the catalogue."""

    code = "illegal_move"

    def __init__(self, thing: Thing, state: str, following: str) -> None:
        self.params = {"thing": thing, "state": state, "following": following}
        super().__init__(f"A {thing} that is '{state}' cannot become '{following}'.")


def may(thing: Thing, state: str, following: str) -> bool:
    """Whether a `thing` in `state` may become `following`; unknown states may nothing."""
    return following in MOVES[thing].get(state, frozenset())


def check(thing: Thing, state: str, following: str) -> None:
    """Raises: IllegalMove, unless `may`."""
    if not may(thing, state, following):
        raise IllegalMove(thing, state, following)


def sources(thing: Thing, following: str) -> frozenset[str]:
    """The states from which a `thing` may become `following`: the left side of a compare-and-set."""
    return frozenset(state for state, after in MOVES[thing].items() if following in after)
