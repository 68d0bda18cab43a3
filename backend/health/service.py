"""Asks each part of the server whether it lives. Never raises: a part that does not answer is the answer."""

from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from backend import __version__
from backend.db.session import Database
from backend.db.tables import HeartbeatRow, utc_now
from backend.health.schemas import BrokerHealth, CoordinatorHealth, DatabaseHealth, Health, WorkerHealth
from backend.runs.broker import Broker
from backend.settings import Settings

COORDINATOR = "coordinator"
WORKER_PREFIX = "worker:"
"""Parts in the table of heartbeats; the coordinator writes `coordinator` and `worker:<worker id>`."""


def health(database: Database, broker: Broker, settings: Settings) -> Health:
    rows, database_ok = _heartbeats(database)
    now = utc_now()

    def alive(row: HeartbeatRow) -> bool:
        return (now - row.at).total_seconds() < settings.silent_after_s

    coordinator = next((row for row in rows if row.part == COORDINATOR), None)
    workers = [
        WorkerHealth(
            worker_id=row.part.removeprefix(WORKER_PREFIX),
            placement=str(row.params.get("placement", "")),
            device=str(row.params.get("device", "")),
            hostname=str(row.params.get("hostname", "")),
            queues=[str(queue) for queue in row.params.get("queues", [])],
            last_seen_at=row.at,
            ok=alive(row),
        )
        for row in rows
        if row.part.startswith(WORKER_PREFIX)
    ]
    broker_ok = broker.is_up()
    coordinator_ok = coordinator is not None and alive(coordinator)
    everything = database_ok and broker_ok and coordinator_ok and any(worker.ok for worker in workers)
    return Health(
        status="ok" if everything else "degraded",
        version=__version__,
        database=DatabaseHealth(ok=database_ok, kind="sqlite" if database.is_sqlite else "postgresql"),
        broker=BrokerHealth(ok=broker_ok),
        coordinator=CoordinatorHealth(
            ok=coordinator_ok, last_seen_at=None if coordinator is None else coordinator.at
        ),
        workers=workers,
    )


def _heartbeats(database: Database) -> tuple[list[HeartbeatRow], bool]:
    try:
        with database.read() as session:
            session.execute(text("SELECT 1"))
            return list(session.scalars(select(HeartbeatRow).order_by(HeartbeatRow.part))), True
    except SQLAlchemyError:
        return [], False
