"""Signs of life of workers: which parts of the server live, and which sites are online.

A thousand workers say every few seconds what they have said before. That is two statements for all of them, and the rows of
those that say something new.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from backend.coordinator import presence, sites_repository
from backend.coordinator.memory import Plans
from backend.events.service import record
from worker.messages.reports import WorkerBeat

_TOLD = {"worker_id", "placement", "device", "hostname", "queues", "concurrency"}


def take(session: Session, plans: Plans, beats: Sequence[WorkerBeat], now: datetime) -> dict[str, str]:
    """Of several beats of one worker, or for one site, the last counts. The sites among them that get no work, and why (`Inbox.refuse`)."""
    if not beats:
        return {}
    _of_parts(session, {part_of(beat.worker_id): beat for beat in beats}, now)
    return _of_sites(session, plans, {name: beat for beat in beats for name in _served(beat)}, now)


def part_of(worker_id: str) -> str:
    """The worker's name among the parts of the server."""
    return f"worker:{worker_id}"


def _of_parts(session: Session, told: dict[str, WorkerBeat], now: datetime) -> None:
    known = sites_repository.heartbeats(session, told)
    same: list[str] = []
    for part, beat in told.items():
        params = beat.model_dump(mode="json", include=_TOLD)
        if known.get(part) == params:
            same.append(part)
            continue
        if part not in known:
            record(session, "worker_online", params={"worker": beat.worker_id})
        sites_repository.beat(session, part, now, params)
    sites_repository.still_alive(session, same, now)


def _of_sites(session: Session, plans: Plans, told: dict[str, WorkerBeat], now: datetime) -> dict[str, str]:
    seen: list[str] = []
    refused = dict.fromkeys(told, "unknown")
    come: list[tuple[str, str]] = []
    for site in sites_repository.sites_named(session, told):
        beat = told[site.name]
        del refused[site.name]
        if site.state == "revoked":
            refused[site.name] = "revoked"
        if (site.device, site.worker_id) != (beat.device, beat.worker_id):
            sites_repository.serve_site(session, site.id, beat.device, beat.worker_id)
        if site.state != "online" and sites_repository.move_site(session, site.id, "online"):
            come.append((site.name, site.display_name or site.name))
        seen.append(site.id)
    sites_repository.seen(session, seen, now)
    presence.tell(session, plans, "online", come)
    return refused


def _served(beat: WorkerBeat) -> Iterable[str]:
    return (queue.removeprefix("site.") for queue in beat.queues if queue.startswith("site."))
