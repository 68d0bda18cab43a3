"""What a report changes: rows in, rows out, within the caller's transaction.

Reports come at least once and in about the order they were sent. The fence: an attempt belongs to the
first execution that is heard of; what others send is ignored, only the bytes they moved are booked.
So reports that are doubled or swapped end in the same state.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from backend.coordinator import (
    apart,
    beats,
    endings,
    known_repository,
    ledger,
    matches,
    repository,
    restart_repository,
    sites_repository,
)
from backend.coordinator.changes import Changes
from backend.coordinator.known import MADE, Known, made_by, read
from backend.coordinator.memory import Plans
from backend.db.tables import ArtifactRow, MetricRow, StepLogRow, StepRow
from backend.events.service import line, record, record_all
from backend.runs import states
from backend.text.schemas import Params
from worker import logs
from worker.messages.keys import cancel_key, recall_key, superfluous_key
from worker.messages.reports import (
    Report,
    StepBeat,
    StepCancelled,
    StepFailed,
    StepFinished,
    StepStarted,
    Wake,
    WorkerBeat,
    WorkerLost,
)

StepReport = StepStarted | StepBeat | StepFinished | StepFailed | StepCancelled
PHASES = {"merge": "after_merge", "train": "after_train", "evaluate": "after_train"}
DONE_EVENTS = {
    "prepare": "site_prepared",
    "adopt": "site_joined",
    "merge": "site_merged",
    "train": "site_trained",
}
EXTRAS = MADE[1:]
STOPPED = "stopped_unasked"
_OPEN = ("ready", "dispatched")


class Ingest:
    """Takes reports in; `max_attempts` of a step."""

    def __init__(self, plans: Plans, max_attempts: int) -> None:
        self._plans, self._max_attempts = plans, max_attempts
        self._last_begun: dict[str, datetime] = {}
        """By site when the step was sent that was sent last of all that have begun there."""

    def begin_anew(self) -> None:
        """Times before are those of another clock."""
        self._last_begun = {}

    def is_overtaken(self, step: StepRow) -> bool:
        """Whether a step that was sent to the same site after this one has begun: a queue keeps its order."""
        last = self._last_begun.get(step.site_name)
        return step.dispatched_at is not None and last is not None and step.dispatched_at < last

    def take_all(self, session: Session, reports: Sequence[Report], now: datetime) -> Changes:
        """Takes them in their order, signs of life of workers first: what is said later of a lost one counts."""
        changes, known = Changes(), read(session, reports)
        of_workers = [report for report in reports if isinstance(report, WorkerBeat)]
        changes.refused = beats.take(session, self._plans, of_workers, now)
        for report in reports:
            self._take(session, report, now, known, changes)
        record_all(session, changes.events)
        return changes

    def _take(self, session: Session, report: Report, now: datetime, known: Known, changes: Changes) -> None:
        match report:
            case Wake():
                changes.look = True
            case WorkerBeat():
                pass  # taken before
            case WorkerLost():
                self._worker_lost(session, report.worker_id, now, changes)
            case _:
                with logs.about(step=report.step_id, attempt=report.attempt, worker=report.worker_id):
                    self._step_report(session, report, now, known, changes)

    def _worker_lost(self, session: Session, worker_id: str, now: datetime, changes: Changes) -> None:
        """What this worker ran is lost now; what it had taken and not begun, the reaper finds."""
        if sites_repository.drop_heartbeat(session, beats.part_of(worker_id)):
            record(session, "worker_lost", params={"worker": worker_id})
        for step in repository.running_on(session, worker_id):
            self.lose(session, step, {"code": "worker_lost", "params": {}}, now, changes)

    def lose(
        self, session: Session, step: StepRow, reason: dict[str, Any], now: datetime, changes: Changes,
        report: StepFailed | StepCancelled | None = None,
    ) -> None:  # fmt: skip
        """The attempt came to nothing, as `report` says or as its silence does. One step that cannot be moved on keeps no
        other from it."""

        def work(mine: Changes) -> None:
            if step.state == "running":  # else its message got lost, and nobody began it
                endings.in_vain(session, step, report, mine)
            shown = self._plans.shown(session, step.pilot_id, step.site_index)
            endings.lose(session, step, reason, shown, now, self._max_attempts, mine)

        error = apart.attempt(session, work, changes, f"losing step {step.id}")
        if error is not None:
            changes.broken.append((step, error))

    def _step_report(
        self, session: Session, report: StepReport, now: datetime, known: Known, changes: Changes
    ) -> None:
        step = known.steps.get(report.step_id)
        if step is None:
            return
        spec = self._plans.readable(session, step.pilot_id)
        ledger.check(step, report, None if spec is None else len(spec.sites))
        sent_at = step.dispatched_at
        if not _is_bound(step, report, now):
            is_over = report.attempt < step.attempt or step.state in states.STEP_ENDS
            # Who still does what does not count is told to stop: it had been away, has an old message, or one of two that were sent
            # because nobody knew whether the first had arrived.
            if isinstance(report, StepStarted | StepBeat):
                if is_over:
                    changes.flags.add(recall_key(report.step_id, report.attempt))
                elif report.attempt == step.attempt and step.state == "running":
                    changes.flags.add(superfluous_key(report.execution_id))
            if not isinstance(report, StepStarted):
                ledger.book_wasted(session, step, report, changes)
                if (run := known.runs.get(step.run_id or "")) is not None and run.replaced_by is not None:
                    restart_repository.correct(session, step, changes)
            return
        if sent_at is not None:
            self._last_begun[step.site_name] = max(sent_at, self._last_begun.get(step.site_name, sent_at))
        match report:
            case StepStarted():
                step.device = report.device
                ledger.note(step, report)
            case StepBeat():
                ledger.note(step, report)
                step.progress = max(step.progress, report.progress)
                _note_training(step, report)
            case StepFinished():
                self._finished(session, step, report, now, known, changes)
            case StepFailed():
                ledger.book_wasted(session, step, report, changes)
                params = self._plans.shown_in(session, step.pilot_id, report.params)
                reason: dict[str, Any] = {"code": report.code, "params": params}
                if report.retryable:
                    self.lose(session, step, reason, now, changes, report)
                else:
                    endings.in_vain(session, step, report, changes)
                    step.seconds = report.seconds
                    endings.fail(step, reason, now, changes)
            case StepCancelled():
                ledger.book_wasted(session, step, report, changes)
                run = known.runs.get(step.run_id or "")
                if run is None or run.state in states.RUN_LIVE - {"cancelling"}:
                    # Nobody here has asked for it (`repository.flags_of_live`); a step that ended so would end nothing else.
                    changes.allowed |= {recall_key(step.id, step.attempt + 1)} | (
                        {cancel_key(run.id)} if run else set()
                    )
                    self.lose(session, step, {"code": STOPPED, "params": {}}, now, changes, report)
                else:
                    endings.in_vain(session, step, report, changes)
                    endings.move_step(step, "cancelled")
                    step.finished_at, step.seconds = now, report.seconds
        step.heartbeat_at = now
        changes.touch(step.run_id)
        self._keep_log(session, step, report)

    def _keep_log(self, session: Session, step: StepRow, report: StepReport) -> None:
        """Of the execution that counts: it is told once, as what it ends with is taken once."""
        if isinstance(report, StepFinished | StepFailed | StepCancelled) and report.log is not None:
            body = report.log.model_dump(mode="json")
            session.add(StepLogRow(step_id=step.id, attempt=report.attempt, body=body))

    def _finished(
        self, session: Session, step: StepRow, report: StepFinished, now: datetime, known: Known,
        changes: Changes,
    ) -> None:  # fmt: skip
        endings.move_step(step, "completed")
        step.finished_at, step.seconds, step.cpu_s = now, report.seconds, report.cpu_s
        step.device, step.progress, step.fingerprint = report.device, 1.0, report.fingerprint
        step.reason, step.num_epochs = None, report.num_epochs
        step.resumed = report.resumed.model_dump() if report.resumed is not None else None
        if report.artifact is not None:
            step.artifact_sha256, step.artifact_bytes = report.artifact.sha256, report.artifact.num_bytes
        extras = {name: getattr(report, name) for name in EXTRAS}
        step.extras = {name: ref.model_dump() for name, ref in extras.items() if ref is not None} or None
        for ref in made_by(report):
            is_kept = known.artifacts.get(ref.sha256)
            known.artifacts[ref.sha256] = True
            if is_kept is False:
                known_repository.keep_again(session, ref.sha256)
            elif is_kept is None:
                session.add(
                    ArtifactRow(
                        sha256=ref.sha256, num_bytes=ref.num_bytes, step_id=step.id, site_name=step.site_name
                    )
                )
        if report.accuracies is not None and step.run_id is not None and step.kind in PHASES:
            session.add(
                MetricRow(
                    run_id=step.run_id, round=step.round, phase=PHASES[step.kind],
                    site_index=step.site_index, **report.accuracies.model_dump(),
                )
            )  # fmt: skip
        run = known.runs[step.run_id] if step.run_id is not None else None
        matches.take(session, self._plans, run, step, report)
        self._account(session, step, report, known, changes)
        self._announce(session, step, report, changes)
        changes.finished.append(step)
        if step.kind == "prepare" and (site := known.sites.get(step.site_name)) is not None:
            site.fingerprint, site.num_rows = report.fingerprint, report.num_rows

    def _account(
        self, session: Session, step: StepRow, report: StepFinished, known: Known, changes: Changes
    ) -> None:
        """Models that were used count as exchanged, those that were refused as wasted."""
        ledger.book_used(session, step, report, known)
        changes.touch(
            step.run_id,
            bytes_exchanged=sum(e.num_bytes for e in report.exchanges if not (e.rejected or e.failed)),
            bytes_wasted=sum(e.num_bytes for e in report.exchanges if e.rejected or e.failed),
            bytes_uploaded=report.uploaded_bytes,
            busy_s=report.seconds,
            cpu_s=report.cpu_s,
            gpu_s=step.gpu_s,
        )

    def _announce(self, session: Session, step: StepRow, report: StepFinished, changes: Changes) -> None:
        def shown(site: int) -> str:
            return self._plans.shown(session, step.pilot_id, site)

        where: dict[str, Any] = {"pilot_id": step.pilot_id, "run_id": step.run_id}
        if step.kind in DONE_EVENTS:
            params: Params = {"round": step.round, "site": shown(step.site_index)}
            changes.events.append(line(DONE_EVENTS[step.kind], params=params, **where))
        for exchange in report.exchanges:
            if exchange.rejected:
                refused: Params = {
                    "round": step.round, "site": shown(step.site_index), "from_site": shown(exchange.from_index),
                }  # fmt: skip
                changes.events.append(line("exchange_rejected", params=refused, **where))


def _is_bound(step: StepRow, report: StepReport, now: datetime) -> bool:
    """Whether the report is of the execution that counts; the first one heard of becomes it."""
    if report.attempt != step.attempt:
        return False
    if step.state in _OPEN and step.execution_id is None:
        endings.move_step(step, "running")
        step.execution_id, step.worker_id = report.execution_id, report.worker_id
        # The worker's clock is not ours: what is known is how long it has been at work.
        step.started_at = now - timedelta(seconds=getattr(report, "seconds", 0.0))
        step.next_try_at, step.progress = None, 0.0
        return True
    return step.state == "running" and step.execution_id == report.execution_id


def _note_training(step: StepRow, report: StepBeat) -> None:
    """Where the attempt went on, and how far the next one need not go back. Of checkpoints the last one counts, whatever comes late; what an
    attempt leaves counts more than what the one before had left, with which it could not go on when it has come less far."""
    if report.resumed is not None:
        step.resumed = report.resumed.model_dump()
    if report.checkpoint is None:
        return
    known = step.checkpoint
    is_newer = known is None or (report.attempt, report.checkpoint.epochs.done) > (
        known["attempt"],
        known["epochs"]["done"],
    )
    if is_newer:
        furthest = 0 if known is None else known.get("furthest", known["epochs"]["done"])
        if report.checkpoint.epochs.done > furthest:
            # What stops a step again and again, and lets it get on in between, is not the step's fault.
            step.strikes, furthest = 0, report.checkpoint.epochs.done
        step.checkpoint = {"attempt": report.attempt, "furthest": furthest, **report.checkpoint.model_dump()}
