"""Asks each part of the server whether it lives. Never raises: a part that does not answer is the answer."""

from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from backend import __version__
from backend.db.session import Database
from backend.db.tables import HeartbeatRow, utc_now
from backend.health.schemas import (
    BrokerHealth,
    CoordinatorHealth,
    DatabaseHealth,
    Health,
    StoreHealth,
    WorkerHealth,
)
from backend.runs.broker import Broker
from backend.runs.coordinating import coordinating
from backend.settings import Settings

WORKER_PREFIX = "worker:"
"""Parts in the table of heartbeats; the coordinator writes `coordinator` and `worker:<worker id>`."""
STARTING_S = 60.0
"""As long after the start of the server a part that is not there is awaited, not missed."""


def health(database: Database, broker: Broker, settings: Settings, started_at: datetime) -> Health:
    """`started_at`: when this server did."""
    rows, database_ok = _heartbeats(database)
    now = utc_now()

    def alive(row: HeartbeatRow) -> bool:
        return (now - row.at).total_seconds() < settings.silent_after_s

    found = coordinating(rows, settings.silent_after_s, now)
    # It may answer here, and not the coordinator.
    broker_ok = broker.is_up() and found.broker_away_since is None
    store_ok = found.store_is_there

    def lives(row: HeartbeatRow) -> bool | None:
        if alive(row):
            return True
        if found.is_alive and broker_ok:
            return False
        # Nobody hears it now: what counts is whether it was silent when somebody last did.
        heard_until = found.broker_away_since or found.seen_at
        was_silent = (
            heard_until is not None and (heard_until - row.at).total_seconds() >= settings.silent_after_s
        )
        return False if was_silent else None

    worker_rows = [row for row in rows if row.part.startswith(WORKER_PREFIX)]
    workers = [
        WorkerHealth(
            worker_id=row.part.removeprefix(WORKER_PREFIX),
            placement=str(row.params.get("placement", "")),
            device=str(row.params.get("device", "")),
            hostname=str(row.params.get("hostname", "")),
            queues=[str(queue) for queue in row.params.get("queues", [])],
            last_seen_at=row.at,
            ok=lives(row),
        )
        for row in worker_rows
    ]
    everything = database_ok and broker_ok and store_ok and any(worker.ok for worker in workers)
    begins = 0 <= (now - started_at).total_seconds() < STARTING_S
    # What was seen since the start and is silent again has ended: nobody should wait for that.
    of_coordinator = found.seen_at is not None and found.seen_at >= started_at and not found.is_alive
    has_ended = of_coordinator or any(row.at >= started_at and not alive(row) for row in worker_rows)
    return Health(
        status="ok" if everything else "degraded",
        starting=not everything
        and begins
        and database_ok
        and broker_ok
        and store_ok is not False
        and not has_ended,
        version=__version__,
        database=DatabaseHealth(ok=database_ok, kind="sqlite" if database.is_sqlite else "postgresql"),
        broker=BrokerHealth(ok=broker_ok, away_since=found.broker_away_since),
        store=StoreHealth(ok=store_ok, away_since=found.store_away_since),
        coordinator=CoordinatorHealth(ok=found.is_alive, last_seen_at=found.seen_at),
        workers=workers,
    )


def away(found: Health) -> list[str]:
    """What pilots need to go on and does not answer. Neither workers nor the store are among it: steps wait for theirs, and a server that begins
    while its store is away must say so on its pages."""
    answers = {"database": found.database.ok, "broker": found.broker.ok, "coordinator": found.coordinator.ok}
    return [part for part, ok in answers.items() if not ok]


def _heartbeats(database: Database) -> tuple[list[HeartbeatRow], bool]:
    try:
        with database.read() as session:
            session.execute(text("SELECT 1"))
            return list(session.scalars(select(HeartbeatRow).order_by(HeartbeatRow.part))), True
    except SQLAlchemyError:
        return [], False
