"""One turn of the coordinator's loop: take reports, change rows in one transaction, then send.

No transaction is open while the broker is asked or told anything.
"""

import json
import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from pydantic import ValidationError
from sqlalchemy.orm import Session

from backend.coordinator import (
    amending,
    apart,
    listening,
    repository,
    runs_repository,
    sites_repository,
    taking_turns,
)
from backend.coordinator.advance import Advance
from backend.coordinator.changes import Changes
from backend.coordinator.clock import Jumps
from backend.coordinator.dispatch import Dispatch
from backend.coordinator.ingest import Ingest
from backend.coordinator.leads import Leads
from backend.coordinator.lock import StillAlone
from backend.coordinator.memory import Plans
from backend.coordinator.ports import Inbox, Reports
from backend.coordinator.reaper import Reaper
from backend.coordinator.silence import Silence
from backend.coordinator.timers import Timers
from backend.coordinator.windows import Windows
from backend.coordinator.workers import Remembered
from backend.db.session import Database
from backend.runs.listening import Listening
from backend.settings import Settings
from worker.messages.keys import site_queue
from worker.messages.reports import Report, WorkerBeat, report

log = logging.getLogger(__name__)
BATCH = 500
SENT_AT_ONCE = 50
"""Messages; when the broker goes meanwhile so many may be sent twice."""
STARTS = 20
"""Runs begun in one turn: a launch of thousands must not hold the transaction that everybody waits for."""
POLL_S = 1.0
CANCEL_GRACE_S = 20.0
ASK_AGAIN_S = 3.0


class Coordinator:
    """Everything the loop keeps between turns; all of it but `remembered` can be worked out anew from the rows."""

    def __init__(
        self,
        database: Database,
        inbox: Inbox,
        reports: Reports,
        settings: Settings,
        now: Callable[[], datetime],
        still_alone: StillAlone,
        monotonic: Callable[[], float] = time.monotonic,
        store_id: Callable[[], str | None] = lambda: None,
        remembered: Remembered | None = None,
    ) -> None:
        self._remembered = remembered or Remembered()
        self._still_alone = still_alone
        self._database, self._inbox, self._reports, self._now = database, inbox, reports, now
        self._monotonic = monotonic
        self._settings = settings
        self._plans = Plans(store_id)
        self._ingest = Ingest(self._plans, settings.max_attempts)
        self._advance = Advance(self._plans)
        self._silence = Silence(self._plans, self._advance)
        self._round_timers = Timers(self._plans, self._advance)
        self._leads = Leads(self._plans, self._advance)
        self._windows = Windows()
        self._dispatch = Dispatch(self._plans)
        self._jumps = Jumps(now(), monotonic())
        self._reaper = Reaper(self._ingest, self._plans, settings)
        self._judged_at = now()
        self._polled_at = 0.0
        self._is_owed = False
        """Whether the last look was taken with reports unread, so that it could judge nobody's silence: the next turn that has read all looks."""
        self._asked_at: dict[str, float] = {}
        self._is_starting = False
        self._is_new = True
        self._listening = Listening()

    def turn(self, wait_s: float = POLL_S) -> int:
        """Waits up to `wait_s` for reports, and does all that follows; how many there were.

        Raises: PortUnavailable (what was taken comes again), SQLAlchemyError; LockLost, before it changes
            or sends anything.
        """
        self._still_alone()
        batch = self._reports.take(BATCH, min(wait_s, self._until_poll_s()))
        self._still_alone()  # it may have waited
        now = self._now()
        if has_jumped := self._jumps.between(now, self._monotonic()):
            log.warning(
                "the clock was set, or the machine slept: it is %s now, and whoever was silent until now is heard first",
                now,
            )
            self._begin_anew(now)
        is_behind = len(batch) >= BATCH
        is_poll = self._monotonic() - self._polled_at >= POLL_S or (self._is_owed and not is_behind)
        changes = Changes()
        with self._database.write() as session:
            if self._is_new:
                repository.bring_back_from_the_future(session, now)
                self._round_timers.bring_back_from_the_future(session, now)
                self._listening = listening.begin(session, now)
                if has_jumped:  # how long ago the last break was cannot be told, either
                    self._reaper.begin(now)
                else:
                    self._reaper.begin(self._listening.resumed_at(self._settings.silent_after_s) or now)
                changes.allowed |= repository.flags_of_live(session)
            self._take(session, batch, now, changes)
            self._advance.follow(session, changes.finished, now, changes)
            self._end_failed(session, now, changes)
            if is_poll or changes.look or self._remembered.cancelling_since or self._is_starting:
                self._commands(session, now, is_behind, changes)
            if is_poll:
                self._timers(session, now, is_behind, changes)
            self._settle(session, changes)
        self._is_new = False
        if batch:
            self._reports.acknowledge()
        self._still_alone()  # what was decided is in the rows; whoever is alone now sends it
        self._raise_flags(changes)
        if is_poll:
            self._polled_at, self._is_owed = self._monotonic(), is_behind
            self._serve_local_sites()
            self._resend(now, is_behind)
        self._send()
        return len(batch)

    def _begin_anew(self, now: datetime) -> None:
        """As a process that has just begun: how long nothing was heard cannot be told from times of another clock."""
        self._is_new = True
        self._ingest.begin_anew()
        self._judged_at = now

    def _until_poll_s(self) -> float:
        """Time that nothing else calls for: what time decides is looked at every `POLL_S`, not that long after the last report."""
        if self._is_starting:
            return 0.0
        return max(0.0, self._polled_at + POLL_S - self._monotonic())

    def _take(self, session: Session, batch: Sequence[bytes], now: datetime, changes: Changes) -> None:
        """All reports in one savepoint. When one cannot be taken, it must not stop the others: then each in its own."""
        reports = [read for body in batch if (read := _read(body)) is not None]
        if not reports or self._take_in(
            session, reports, now, changes, f"a batch of {len(reports)} reports, now taken one by one,"
        ):
            return
        for one in reports:
            # One that is dropped: the step's lease brings it to its next attempt.
            self._take_in(
                session, [one], now, changes, f"report {one.kind} of {one.worker_id}, which is dropped,"
            )

    def _take_in(
        self, session: Session, reports: Sequence[Report], now: datetime, changes: Changes, what: str
    ) -> bool:
        """Whether they could be taken; otherwise everything is as before."""

        def work(mine: Changes) -> None:
            mine.join(self._ingest.take_all(session, reports, now))

        if apart.attempt(session, work, changes, what) is not None:
            return False
        for one in reports:
            self._remembered.workers.hear(one, self._monotonic())
        return True

    def _commands(self, session: Session, now: datetime, is_behind: bool, changes: Changes) -> None:
        """What the API has asked for since: sites revoked, amendments, runs to start, to go on, to pause, to cancel."""
        self._advance.leave_out_revoked(session, now, changes)
        amending.take_in(session, self._plans, self._advance.go_on_amended, now, changes)
        queued = runs_repository.runs_in(session, ["queued", "resuming"], STARTS)
        self._is_starting = len(queued) == STARTS
        for run in queued:
            self._advance.start(session, run, now, changes)
        if not is_behind:  # a report that a step has begun may be among those not yet taken
            for run in runs_repository.runs_in(session, ["pausing"]):
                self._advance.pause(session, run, now, changes)
        cancelling = runs_repository.runs_in(session, ["cancelling"])
        known, at = self._remembered.cancelling_since, self._monotonic()
        since = {run.id: known.get(run.id, at) for run in cancelling}
        for run in cancelling:
            is_late = at - since[run.id] > CANCEL_GRACE_S
            self._advance.cancel(session, run, now, is_late, changes)
        still = {run.id for run in runs_repository.runs_in(session, ["cancelling"])}
        self._remembered.cancelling_since = {run_id: at for run_id, at in since.items() if run_id in still}

    def _timers(self, session: Session, now: datetime, is_behind: bool, changes: Changes) -> None:
        # From now on, and no sooner, those runs wait for sites that are silent.
        self._leads.look(session, now, changes)
        if not is_behind:  # signs of life may be among the reports that are not yet taken
            if (now - self._judged_at).total_seconds() > self._settings.lease_s:
                # It was stopped meanwhile (`docker pause`): what was said then is not read yet, or was never heard.
                self._listening = listening.add(session, self._judged_at, now)
                self._reaper.begin(now)
            self._judged_at = now
            lost = Changes()
            self._reaper.leases(session, now, self._listening, lost)
            self._end_failed(session, now, lost)
            changes.join(lost)
            self._reaper.silence(session, now, self._listening)
            if self._reaper.has_listened(now):
                self._silence.look(session, now, self._listening, changes)
        self._round_timers.look(session, now, changes)
        self._windows.look(session, now, is_behind, changes)
        listening.note(session, now)

    def _end_failed(self, session: Session, now: datetime, changes: Changes) -> None:
        """Ends the runs whose steps can go no further."""
        for step in changes.failed:
            self._advance.fail(session, step, now, changes)
        for step, error in changes.broken:
            self._advance.give_up(session, step, error, now, changes)

    def _settle(self, session: Session, changes: Changes) -> None:
        """Just before the commit. Once that is done the rows do not say any more whom to kill: no trouble with the broker, and no answer of
        the database that is lost, may forget it."""
        _count(session, changes)
        self._remembered.stuck |= changes.stuck

    def _raise_flags(self, changes: Changes) -> None:
        if allowed := changes.allowed - changes.flags:
            self._inbox.allow(allowed)
        if changes.flags:
            self._inbox.cancel(sorted(changes.flags))
        if changes.refused:
            self._inbox.refuse(changes.refused)
        if stuck := self._remembered.stuck:
            log.warning("%d steps did not stop when asked to and are killed", len(stuck))
            self._inbox.kill(sorted(stuck))
            stuck.clear()

    def _serve_local_sites(self) -> None:
        """Asks the local worker to take steps of local sites that it does not serve yet."""
        now = self._monotonic()
        self._remembered.workers.forget_old(now)
        local = [beat for beat in self._present() if beat.placement == "local"]
        if not local:
            return
        with self._database.read() as session:
            names = list(sites_repository.local_site_names(session))
        for beat in local:
            for name in names:
                asked = f"{beat.worker_id}/{name}"
                if (
                    site_queue(name) in beat.queues
                    or now - self._asked_at.get(asked, -ASK_AGAIN_S) < ASK_AGAIN_S
                ):
                    continue
                self._asked_at[asked] = now
                self._inbox.serve(name, beat.worker_id)

    def _resend(self, now: datetime, is_behind: bool) -> None:
        if is_behind:
            return  # the report that it has begun may be among those not yet taken
        with self._database.read() as session:
            warm = self._remembered.workers.warm_queues(self._monotonic(), self._settings.silent_after_s)
            suspects = [
                s
                for s in self._reaper.unbegun(session, now, self._listening)
                if site_queue(s.site_name) in warm
            ]
        if not suspects:
            return
        waiting = self._inbox.waiting({step.site_name for step in suspects})
        changes = Changes()
        with self._database.write() as session:
            self._reaper.resend(session, suspects, waiting, now, changes)
            self._end_failed(session, now, changes)
            self._settle(session, changes)
        self._raise_flags(changes)

    def _present(self) -> Sequence[WorkerBeat]:
        return self._remembered.workers.present(self._monotonic(), self._settings.silent_after_s)

    def _send(self) -> None:
        now = self._now()
        with self._database.read() as session:
            rooms = taking_turns.rooms(self._present())
            outgoing, broken = self._dispatch.outgoing(session, now, rooms, self._windows.shut)
        if broken:
            changes = Changes(broken=broken)
            with self._database.write() as session:
                self._end_failed(session, now, changes)
                self._settle(session, changes)
            self._raise_flags(changes)
        if not outgoing:
            return
        sent: list[tuple[str, int]] = []
        try:
            for first in range(0, len(outgoing), SENT_AT_ONCE):
                some = outgoing[first : first + SENT_AT_ONCE]
                self._inbox.send(some)
                sent += [(message.step_id, message.attempt) for message in some]
                self._dispatch.sent(some)
        finally:
            with self._database.write() as session:
                repository.mark_dispatched(session, sent, now)


def _read(body: bytes) -> Report | None:
    """None: it is no report, which the log says."""
    try:
        taken: Report = report.validate_json(body)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, wrong["loc"]))
        log.error(
            "a report of %d bytes is dropped: %s: %s (%s)", len(body), where, wrong["msg"], _sender(body)
        )
        return None
    return taken


def _sender(body: bytes) -> str:
    """Who sent a report that cannot be read, and about which step, as far as it says so."""
    try:
        said = json.loads(body)
    except ValueError:
        return "no JSON"
    names = ("worker_id", "step_id", "attempt", "kind")
    found = {name: said[name] for name in names if name in said} if isinstance(said, dict) else {}
    return ", ".join(f"{name} {str(value)[:100]!r}" for name, value in found.items()) or "from nobody"


def _count(session: Session, changes: Changes) -> None:
    """Counters of one run that cannot be written (they ran over, say) must not keep all others from going on."""
    for run_id, amounts in changes.runs.items():

        def add(_: Changes, run_id: str = run_id, amounts: dict[str, float] = amounts) -> None:
            runs_repository.add_to_run(session, run_id, amounts)

        apart.attempt(session, add, Changes(), f"counting what run {run_id} used")
