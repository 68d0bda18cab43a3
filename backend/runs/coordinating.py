"""Whether somebody coordinates, as signs of life tell it to explanations, health and metrics alike."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from backend.db.tables import HeartbeatRow
from backend.runs.waiting import COORDINATOR

WITHOUT_BROKER: Final = "coordinator:without_broker"
"""The coordinator's sign of life while the broker is away. No part of the other one: meanwhile it hears nobody (`coordinator.listening`)."""
_LONGEST_TRY_S = 30.0
"""So long a broker that hangs may hold it between two of these."""


class Coordinating(NamedTuple):
    """
    Attributes:
        seen_at: the last sign of life of whoever coordinates; None: nobody ever did.
        is_alive: whether that was just now.
        broker_away_since: None: the broker is there, or nobody is there who would say so.
    """

    seen_at: datetime | None
    is_alive: bool
    broker_away_since: datetime | None


def coordinating(beats: Iterable[HeartbeatRow], silent_after_s: float, now: datetime) -> Coordinating:
    """`beats`: at least the coordinator's."""
    of_part = {row.part: row for row in beats}
    row, without = of_part.get(COORDINATOR), of_part.get(WITHOUT_BROKER)
    seen = [one.at for one in (row, without) if one is not None]
    is_heard = row is not None and (now - row.at).total_seconds() < silent_after_s
    waits = without is not None and (now - without.at).total_seconds() < silent_after_s + _LONGEST_TRY_S
    return Coordinating(
        max(seen, default=None),
        is_heard or waits,
        datetime.fromisoformat(without.params["since"]) if without is not None and waits else None,
    )
