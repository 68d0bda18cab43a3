"""What time alone decides: leases that ran out, messages that got lost, sites that fell silent."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from backend.coordinator import presence, repository, sites_repository
from backend.coordinator.changes import Changes
from backend.coordinator.ingest import Ingest
from backend.coordinator.memory import Plans
from backend.db.tables import StepRow
from backend.runs.listening import Listening
from backend.runs.waiting import LEASE_OVER
from backend.settings import Settings

UNBEGUN_AFTER_S = 8.0
FORGET_WORKER_AFTER_S = 600.0


class Reaper:
    """Within the caller's transaction. It judges nobody before `begin` has said since when there was somebody who would have heard."""

    def __init__(self, ingest: Ingest, plans: Plans, settings: Settings) -> None:
        self._ingest, self._plans, self._settings = ingest, plans, settings
        self._since: datetime | None = None
        self._overtaken: dict[tuple[str, int], datetime] = {}
        """Attempts that have not begun although one sent later has, and when that was seen first."""

    def begin(self, since: datetime) -> None:
        """Listens anew: what was heard before says nothing of how long somebody was silent."""
        self._since, self._overtaken = since, {}

    def leases(self, session: Session, now: datetime, listening: Listening, changes: Changes) -> None:
        """Running steps without a sign of life lose their attempt."""
        lease_s = self._settings.lease_s
        if not self._has_listened_for(min(lease_s, self._settings.silent_after_s), now):
            return
        reason: dict[str, Any] = {"code": LEASE_OVER, "params": {"seconds": lease_s}}
        for step in repository.running_before(session, now - timedelta(seconds=lease_s)):
            if step.heartbeat_at is not None and listening.heard_s(step.heartbeat_at, now) > lease_s:
                self._ingest.lose(session, step, reason, now, changes)

    def unbegun(self, session: Session, now: datetime, listening: Listening) -> list[StepRow]:
        """Steps sent some time ago to sites that are online, and not begun: their message may be lost."""
        if not self._has_listened_for(UNBEGUN_AFTER_S, now):
            return []
        sent = repository.dispatched_before(session, now - timedelta(seconds=UNBEGUN_AFTER_S))
        return [
            step
            for step in sent
            if step.dispatched_at is not None and listening.heard_s(step.dispatched_at, now) > UNBEGUN_AFTER_S
        ]

    def resend(
        self,
        session: Session,
        suspects: list[StepRow],
        waiting: Mapping[str, int],
        now: datetime,
        changes: Changes,
    ) -> None:
        """Suspects whose site's queue is empty, or that were overtaken a while ago, lose their attempt: whoever did take the message no
        longer counts. A message that comes to nothing every time ends the run like every other loss."""
        reason: dict[str, Any] = {"code": "message_lost", "params": {}}
        self._overtaken = {
            (step.id, step.attempt): self._overtaken.get((step.id, step.attempt), now)
            for step in suspects
            if self._ingest.is_overtaken(step)
        }
        # Of workers that share a site one may be slow to say that it has begun.
        limit = now - timedelta(seconds=self._settings.lease_s)
        for known in suspects:
            step = session.get_one(StepRow, known.id)
            same = (step.state, step.attempt) == ("dispatched", known.attempt)
            is_overtaken = self._overtaken.get((step.id, step.attempt), now) <= limit
            if same and (waiting.get(step.site_name, 0) == 0 or is_overtaken):
                self._ingest.lose(session, step, reason, now, changes)

    def has_listened(self, now: datetime) -> bool:
        """Whether a site of which nothing was heard would have had the time to say something."""
        return self._has_listened_for(self._settings.silent_after_s, now)

    def _has_listened_for(self, seconds: float, now: datetime) -> bool:
        return self._since is not None and (now - self._since).total_seconds() >= seconds

    def silence(self, session: Session, now: datetime, listening: Listening) -> None:
        """Sites that no worker has named for a while, and workers long gone."""
        if not self.has_listened(now):
            return
        sites_repository.drop_old_heartbeats(session, now - timedelta(seconds=FORGET_WORKER_AFTER_S))
        after_s = self._settings.silent_after_s
        fallen = [
            (site.name, site.display_name or site.name)
            for site in sites_repository.online_sites_before(session, now - timedelta(seconds=after_s))
            if site.last_seen_at is not None
            and listening.heard_s(site.last_seen_at, now) > after_s
            and sites_repository.move_site(session, site.id, "silent")
        ]
        presence.tell(session, self._plans, "silent", fallen)
