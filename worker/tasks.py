"""The one Celery task, `awase.step`, and what each child process needs before it takes one.

Imported only in a worker process: from here on torch is in memory. The parent process never computes
with torch: children forked after that hang.
"""

import ctypes
import os
import signal
from functools import cache
from typing import Any

import torch
import torch._dynamo  # the first optimiser of a process imports it: seconds in every child, or once here
from billiard.exceptions import WorkerLostError
from celery import Celery
from celery.signals import task_failure, worker_process_init
from torch import nn

from dimat.training.repeatable import compute_repeatably
from worker.app import STEP_TASK
from worker.artifacts import ArtifactStore, open_store
from worker.execution import Execution
from worker.held import HeldFolder
from worker.messages.reports import StepFailed
from worker.messages.steps import step_message
from worker.reporting import RedisReportSender
from worker.settings import WorkerSettings

PR_SET_PDEATHSIG = 1
LAST_WORD = 2**31 - 1
"""`seq` of what the parent reports: after all that its child can have said."""


def register(app: Celery, settings: WorkerSettings) -> None:
    """Gives `app` the task and makes its children ready to compute."""

    @cache
    def reports(_pid: int) -> RedisReportSender:
        return RedisReportSender(settings.broker_url)

    @cache
    def store(_pid: int) -> ArtifactStore:
        return open_store(settings.artifacts_url)

    held = HeldFolder(settings.data_dir / "held", settings.held_mb * 1_000_000)
    held.tidy_daily()

    @app.task(name=STEP_TASK, ignore_result=True, bind=True)
    def step(task: Any, message: str) -> None:
        pid = os.getpid()
        execution = Execution(
            step_message.validate_json(message), settings.worker_id, reports(pid), settings.step_beat_s,
            settings.checkpoint_every_s,
            id=task.request.id,  # known to the parent, which speaks for a child that was killed
            stuck_after_s=settings.stuck_after_s,
            held=held,
        )  # fmt: skip
        execution.run(lambda: store(pid), settings.device)

    def on_failure(task_id: str, exception: BaseException, args: list[str], **_: object) -> None:
        """In the parent: a child was killed (by the system, when memory ran out); nobody has to wait for
        the lease of its step. Said once: the parent must go on, and the lease is still there."""
        if not isinstance(exception, WorkerLostError):
            return
        message = step_message.validate_json(args[0])
        lost = StepFailed(
            worker_id=settings.worker_id, step_id=message.step_id, attempt=message.attempt,
            execution_id=task_id, seq=LAST_WORD, code="worker_lost", params={}, retryable=True, seconds=0.0,
        )  # fmt: skip
        reports(os.getpid()).send(lost, until_taken=False)

    # Kept on the app: Celery's signals hold their receivers weakly.
    app.on_child_start = _on_child_start  # type: ignore[attr-defined]
    worker_process_init.connect(_on_child_start)
    app.on_step_lost = on_failure  # type: ignore[attr-defined]
    task_failure.connect(on_failure)


def _on_child_start(**_: object) -> None:
    """In the child: die with the parent, compute the same bits everywhere, and get slow first calls over."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    compute_repeatably()
    _warm_up()


def _warm_up() -> None:
    """One tiny training step: the first backward and the first optimiser cost seconds of lazy imports.

    It draws from no global generator, so it changes no result.
    """
    model = nn.Linear(2, 2)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    loss = nn.functional.cross_entropy(model(torch.zeros(2, 2)), torch.zeros(2, dtype=torch.int64))
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(list(model.parameters()), 1.0)
    optimiser.step()
