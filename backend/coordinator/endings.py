"""How attempts, steps and runs end: always with a reason, and a lost attempt is followed by the next."""

import logging
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy.orm import Session

from backend.coordinator import ledger, repository, runs_repository
from backend.coordinator.changes import Changes
from backend.db.tables import RunRow, StepRow
from backend.db.tables.runs import gpu_seconds
from backend.events.service import record
from backend.runs import states
from backend.runs.attempts import PATIENT, STORE_AWAY, TAKEN_BACK, in_a_row, pause_s
from backend.text.schemas import Params
from worker import logs
from worker.messages.keys import cancel_key, recall_key
from worker.messages.reports import StepCancelled, StepFailed

log = logging.getLogger(__name__)
WORKER_LOST = "worker_lost"
DAMAGED = "artifact_invalid"
"""It says more as the end of a run than that its attempts are used up."""
_ADVISE_A_RESTART = frozenset(
    {
        "attempts_used_up", "store_away_too_long", "site_silent_too_long", "stopped_for_silent_site",
        "too_few_sites_in_round", "too_few_sites_left",
    }
)  # fmt: skip
"""Reasons that are told otherwise (`_at_start`) of a run that has no finished round to restart from."""


def _about(step: StepRow) -> AbstractContextManager[None]:
    """For the log. The worker is that of the attempt, if one has begun it."""
    return logs.about(
        run=step.run_id, step=step.id, site=step.site_name, attempt=step.attempt, worker=step.worker_id
    )


def move_step(step: StepRow, following: str) -> None:
    """Of a step that has ended nobody needs the checkpoint, nor what it was about to fetch. Raises: IllegalMove."""
    states.check("step", step.state, following)
    step.state = following
    if following in states.STEP_ENDS:
        step.checkpoint = step.fetches = None


def in_vain(
    session: Session, step: StepRow, report: StepFailed | StepCancelled | None, changes: Changes
) -> None:
    """Books the time of a running attempt that came to nothing: it cost what other time costs. And, where it cannot tell, what it
    fetched.

    Args:
        report: the last word of who executed it. None: there is none, or it may not count any more; then the time
            up to the last sign of life counts, and that the rest is not known.
    """
    if report is None or (isinstance(report, StepFailed) and report.code == WORKER_LOST):
        step.unmeasured_attempts += 1
        ledger.book_unheard(session, step, changes)
        lived = (
            (step.heartbeat_at - step.started_at) if step.heartbeat_at and step.started_at else timedelta()
        )
        seconds, cpu_s = max(0.0, lived.total_seconds()), None
    else:
        seconds, cpu_s = report.seconds, report.cpu_s
    # A step computes in one thread (decision 7).
    cpu_s = seconds if cpu_s is None else cpu_s
    gpu_s = gpu_seconds(step.device, seconds)
    step.wasted_cpu_s += cpu_s
    step.wasted_gpu_s += gpu_s
    changes.touch(step.run_id, busy_s=seconds, cpu_s=cpu_s, gpu_s=gpu_s)


def lose(
    session: Session, step: StepRow, reason: dict[str, Any], shown: str, now: datetime, max_attempts: int,
    changes: Changes,
) -> None:  # fmt: skip
    """The attempt came to nothing: the next one, or the step fails for good."""
    with _about(step):
        log.warning("attempt of %s of round %d lost: %s", step.kind, step.round, reason["code"])
    about: Params = {"kind": step.kind, "site": shown, "round": step.round, "attempt": step.attempt}
    lost = {**about, "cause": reason["code"]}
    record(session, "attempt_lost", pilot_id=step.pilot_id, run_id=step.run_id, params=lost)
    move_step(step, "lost")
    changes.touch(step.run_id)
    patience = PATIENT.get(reason["code"])
    tried = step.attempt - step.taken_back
    if patience is not None:
        tried = in_a_row(step.reason, reason["code"])
        if tried >= patience and reason["code"] == STORE_AWAY:
            away = {**about, "attempts": step.attempt, "error": reason["params"].get("error", "")}
            fail(step, {"code": "store_away_too_long", "params": away}, now, changes)
            return
        if tried >= patience:
            fail(step, reason, now, changes)
            return
        reason = {**reason, "params": {**reason["params"], "in_a_row": tried}}
    else:
        step.strikes += 1
    if step.strikes >= max_attempts:
        used_up = {"kind": step.kind, "site": shown, "round": step.round, "attempts": step.attempt,
                   "cause": reason["code"]}  # fmt: skip
        ending = reason if reason["code"] == DAMAGED else {"code": "attempts_used_up", "params": used_up}
        fail(step, ending, now, changes)
        return
    again(step, now + timedelta(seconds=pause_s(tried + 1, reason["code"])), reason)
    retried: Params = {**about, "attempt": step.attempt}
    record(session, "step_retried", pilot_id=step.pilot_id, run_id=step.run_id, params=retried)


def again(step: StepRow, next_try_at: datetime | None, reason: dict[str, Any] | None) -> None:
    """The next attempt of the same row; whoever executes the last one no longer counts."""
    move_step(step, "ready")
    step.attempt += 1
    step.execution_id = step.worker_id = step.device = step.fetches = None
    step.dispatched_at = step.started_at = step.heartbeat_at = None
    step.progress, step.resumed = 0.0, None
    step.next_try_at, step.reason = next_try_at, reason


def take_back(step: StepRow, now: datetime, changes: Changes, reason: dict[str, Any] = TAKEN_BACK) -> None:
    """A step that was sent, or may have been by a coordinator that died before it noted so, and has not begun: it waits
    again, for `reason`. Whoever begins it yet is told to stop, and does not count."""
    may_be_sent = step.next_try_at is None or step.next_try_at <= now
    if step.state == "ready" and (step.reason == TAKEN_BACK or not may_be_sent):
        return
    changes.flags.add(recall_key(step.id, step.attempt))
    changes.touch(step.run_id)
    step.taken_back += 1
    if step.state == "dispatched":
        again(step, step.next_try_at, reason)  # since then its site is asked for it
    else:
        step.attempt, step.reason = step.attempt + 1, reason


def fail(step: StepRow, reason: dict[str, Any], now: datetime, changes: Changes) -> None:
    with _about(step):
        log.error("%s of round %d failed: %s", step.kind, step.round, reason["code"])
    move_step(step, "failed")
    step.finished_at, step.reason = now, reason
    changes.failed.append(step)
    changes.touch(step.run_id)


def set_aside(
    session: Session,
    step: StepRow,
    as_: Literal["skipped", "cancelled"],
    reason: dict[str, Any],
    now: datetime,
    changes: Changes,
) -> None:
    """Ends a step that nobody will do: `skipped` where the run goes on without it. What it may yet report no longer counts, and whoever
    does it, or begins it yet, is told to stop."""
    changes.flags.add(recall_key(step.id, step.attempt))
    if step.state == "running":
        in_vain(session, step, None, changes)
    move_step(step, as_)
    step.finished_at, step.reason = now, reason
    changes.touch(step.run_id)


def fail_run(
    session: Session, run: RunRow, step: StepRow, shown: str, now: datetime, changes: Changes
) -> None:
    """A run whose step failed for good."""
    reason = step.reason or {"code": "unexpected_error", "params": {"kind": step.kind}}
    where = {"site": shown, "round": step.round, "kind": step.kind}
    ending = {"code": reason["code"], "params": {**where, **reason["params"]}}
    end_run(session, run, ending, now, changes)


def end_run(session: Session, run: RunRow, reason: dict[str, Any], now: datetime, changes: Changes) -> None:
    """A run that fails: its steps stop."""
    if reason["code"] in _ADVISE_A_RESTART and run.rounds_done < 0:
        reason = {**reason, "code": f"{reason['code']}_at_start"}
    if runs_repository.move_run(session, run.id, "failed", reason=reason, finished_at=now):
        _tell_failed(session, run, reason)
        stop_steps(session, run.id, now, changes)
        changes.flags.add(cancel_key(run.id))


def _tell_failed(session: Session, run: RunRow, reason: dict[str, Any]) -> None:
    """In the words of its reason, whose values lie beside the code."""
    params = {**reason["params"], "arm": run.arm, "because": reason["code"]}
    record(session, "run_failed", pilot_id=run.pilot_id, run_id=run.id, params=params)


def give_up(session: Session, run: RunRow, error: str, now: datetime, changes: Changes) -> None:
    """A run on which the coordinator failed with `error`: it ends, or it would stand still in silence."""
    reason = {"code": "unexpected_error", "params": {"kind": error}}
    if runs_repository.move_run(session, run.id, "failed", reason=reason, finished_at=now):
        _tell_failed(session, run, reason)
    elif runs_repository.move_run(session, run.id, "cancelled", reason=reason, finished_at=now):
        record(session, "run_cancelled", pilot_id=run.pilot_id, run_id=run.id, params={"arm": run.arm})
    stop_steps(session, run.id, now, changes)
    changes.flags.add(cancel_key(run.id))
    changes.touch(run.id)


def stop_steps(
    session: Session, run_id: str, now: datetime, changes: Changes, running_too: bool = True
) -> tuple[list[StepRow], list[StepRow]]:
    """Cancels the run's steps that have not ended: those that ran and were cancelled, and those that still
    run. What a cancelled one may yet report is no longer taken (`ingest`)."""
    stopped: list[StepRow] = []
    running: list[StepRow] = []
    for step in repository.live_steps(session, run_id):
        if step.state == "running" and not running_too:
            running.append(step)
            continue
        if step.state == "running":
            stopped.append(step)
            in_vain(session, step, None, changes)
        move_step(step, "cancelled")
        step.finished_at = now
    return stopped, running
