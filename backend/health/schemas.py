"""HTTP bodies of the health of the server."""

from datetime import datetime
from typing import Literal

from backend.text.schemas import Schema


class DatabaseHealth(Schema):
    ok: bool
    kind: Literal["sqlite", "postgresql"]


class BrokerHealth(Schema):
    """`away_since`: as the coordinator tells it, which tries again and again; null: it has no trouble with it, or is away itself."""

    ok: bool
    away_since: datetime | None


class StoreHealth(Schema):
    """Of models. `away_since`: as the coordinator tells it, also of a store that is another one than models were put into; null: it
    is there, or the coordinator is away. `ok` null: nobody knows."""

    ok: bool | None
    away_since: datetime | None


class CoordinatorHealth(Schema):
    ok: bool
    last_seen_at: datetime | None


class WorkerHealth(Schema):
    """`ok` null: it is not known. Only the coordinator hears workers, through the broker: this one was heard as long as both were there."""

    worker_id: str
    placement: str
    device: str
    hostname: str
    queues: list[str]
    last_seen_at: datetime
    ok: bool | None


class Ready(Schema):
    """Pilots can go on. What is away, when they cannot, is in the error."""

    ready: Literal[True]


class Health(Schema):
    """`degraded`: something that pilots need does not answer; the pages themselves work. `starting`: that is so because
    the server has just started, and what does not answer has not been seen since."""

    status: Literal["ok", "degraded"]
    starting: bool
    version: str
    database: DatabaseHealth
    broker: BrokerHealth
    store: StoreHealth
    coordinator: CoordinatorHealth
    workers: list[WorkerHealth]
