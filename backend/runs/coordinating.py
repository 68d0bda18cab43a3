"""Whether somebody coordinates, as signs of life tell it to explanations, health and metrics alike."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy.orm import Session

from backend.db.tables import HeartbeatRow
from backend.runs.waiting import COORDINATOR

WITHOUT_BROKER: Final = "coordinator:without_broker"
"""The coordinator's sign of life while the broker is away. No part of the other one: meanwhile it hears nobody (`coordinator.listening`)."""
STORE: Final = "store"
"""What the coordinator tells every few seconds of the store of models: that it is there, or since when it is away or another one."""
_LONGEST_TRY_S = 30.0
"""So long a broker or store that hangs may hold it between two of these."""


class Coordinating(NamedTuple):
    """
    Attributes:
        seen_at: the last sign of life of whoever coordinates; None: nobody ever did.
        is_alive: whether that was just now.
        broker_away_since: None: the broker is there, or nobody is there who would say so.
        store_is_there: None: nobody says so, also where the store hangs. store_away_since: None: it is not known to be away.
    """

    seen_at: datetime | None
    is_alive: bool
    broker_away_since: datetime | None
    store_is_there: bool | None
    store_away_since: datetime | None


def coordinating(beats: Iterable[HeartbeatRow], silent_after_s: float, now: datetime) -> Coordinating:
    """`beats`: at least the coordinator's."""
    of_part = {row.part: row for row in beats}
    row = of_part.get(COORDINATOR)
    seen = [one.at for part in (COORDINATOR, WITHOUT_BROKER) if (one := of_part.get(part)) is not None]

    def told(part: str) -> HeartbeatRow | None:
        found = of_part.get(part)
        is_fresh = found is not None and (now - found.at).total_seconds() < silent_after_s + _LONGEST_TRY_S
        return found if is_fresh else None

    without, store = told(WITHOUT_BROKER), told(STORE)
    is_heard = row is not None and (now - row.at).total_seconds() < silent_after_s
    is_alive = is_heard or without is not None
    if not is_alive:
        store = None
    return Coordinating(
        max(seen, default=None),
        is_alive,
        _since(without),
        None if store is None else _since(store) is None,
        _since(store),
    )


def store_away_since(session: Session, now: datetime) -> datetime | None:
    """As somebody told just before, by whom it was asked until then."""
    row = session.get(HeartbeatRow, STORE)
    return None if row is None or (now - row.at).total_seconds() >= 2 * _LONGEST_TRY_S else _since(row)


def _since(row: HeartbeatRow | None) -> datetime | None:
    return None if row is None or "since" not in row.params else datetime.fromisoformat(row.params["since"])
