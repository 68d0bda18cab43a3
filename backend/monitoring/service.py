"""Reads what Prometheus is told: rows in one transaction, then the broker."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector

from backend.db.session import Database
from backend.db.tables import RunRow, SiteRow, utc_now
from backend.health.service import WORKER_PREFIX
from backend.monitoring import repository
from backend.monitoring.families import Facts, of_server
from backend.runs.broker import Broker
from backend.runs.coordinating import WITHOUT_BROKER
from backend.runs.waiting import COORDINATOR
from backend.settings import Settings

PLACEMENTS = ("local", "site")


def text(database: Database, broker: Broker, settings: Settings, requests: CollectorRegistry) -> bytes:
    """In the text format; `requests`: what is counted at each request."""
    metrics = (*of_server(facts(database, broker, settings)), *requests.collect())
    return generate_latest(_Together(metrics))


def facts(database: Database, broker: Broker, settings: Settings) -> Facts:
    with database.read() as session:
        beats, names = repository.heartbeats(session), repository.site_names(session)
        runs, sites = repository.by_state(session, RunRow), repository.by_state(session, SiteRow)
        steps, lost = repository.steps(session), repository.attempts_lost(session)
        exchanged = repository.exchanged_bytes(session)
    now = utc_now()
    workers = [told for part, told in beats.items() if part.startswith(WORKER_PREFIX)]
    living = [str(about.get("placement")) for at, about in workers if _age(at, now) < settings.silent_after_s]
    seen = {COORDINATOR: [at for part, (at, _) in beats.items() if part in (COORDINATOR, WITHOUT_BROKER)]}
    seen["worker"] = [at for at, _ in workers]
    return Facts(
        runs=runs,
        sites=sites,
        steps=steps,
        attempts_lost=lost,
        exchanged_bytes=exchanged,
        heartbeat_age_s={part: _age(max(times), now) for part, times in seen.items() if times},
        workers={placement: living.count(placement) for placement in PLACEMENTS},
        queues=broker.lengths(names),
    )


def _age(at: datetime, now: datetime) -> float:
    return max((now - at).total_seconds(), 0.0)


class _Together(Collector):
    """What `generate_latest` takes."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics
