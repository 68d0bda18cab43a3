"""Whether somebody coordinates, as signs of life tell it to explanations, health and metrics alike."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from backend.db.tables import HeartbeatRow
from backend.runs.waiting import COORDINATOR

WITHOUT_BROKER: Final = "coordinator:without_broker"
"""The coordinator's sign of life while the broker is away. No part of the other one: meanwhile it hears nobody (`coordinator.listening`)."""
WITHOUT_STORE: Final = "coordinator:without_store"
"""Told every few seconds while the store of models is away, or another one."""
_LONGEST_TRY_S = 30.0
"""So long a broker or store that hangs may hold it between two of these."""


class Coordinating(NamedTuple):
    """
    Attributes:
        seen_at: the last sign of life of whoever coordinates; None: nobody ever did.
        is_alive: whether that was just now.
        broker_away_since: None: the broker is there, or nobody is there who would say so. store_away_since: likewise.
    """

    seen_at: datetime | None
    is_alive: bool
    broker_away_since: datetime | None
    store_away_since: datetime | None


def coordinating(beats: Iterable[HeartbeatRow], silent_after_s: float, now: datetime) -> Coordinating:
    """`beats`: at least the coordinator's."""
    of_part = {row.part: row for row in beats}
    row = of_part.get(COORDINATOR)
    seen = [one.at for part in (COORDINATOR, WITHOUT_BROKER) if (one := of_part.get(part)) is not None]

    def away_since(part: str) -> datetime | None:
        told = of_part.get(part)
        if told is None or (now - told.at).total_seconds() >= silent_after_s + _LONGEST_TRY_S:
            return None
        return datetime.fromisoformat(told.params["since"])

    without_broker = away_since(WITHOUT_BROKER)
    is_heard = row is not None and (now - row.at).total_seconds() < silent_after_s
    return Coordinating(
        max(seen, default=None),
        is_heard or without_broker is not None,
        without_broker,
        away_since(WITHOUT_STORE),
    )
