"""The one Celery task, `awase.step`, and what each child process needs before it takes one.

Imported only in a worker process: from here on torch is in memory. The parent process never computes
with torch: children forked after that hang.
"""

import ctypes
import os
import signal
from functools import cache

import torch
import torch._dynamo  # the first optimiser of a process imports it: seconds in every child, or once here
from celery import Celery
from celery.signals import worker_process_init
from torch import nn

from worker.app import STEP_TASK
from worker.artifacts import ArtifactStore, open_store
from worker.execution import Execution
from worker.messages import step_message
from worker.reporting import RedisReportSender
from worker.settings import WorkerSettings

PR_SET_PDEATHSIG = 1


def register(app: Celery, settings: WorkerSettings) -> None:
    """Gives `app` the task and makes its children ready to compute."""

    @cache
    def reports(_pid: int) -> RedisReportSender:
        return RedisReportSender(settings.broker_url)

    @cache
    def store(_pid: int) -> ArtifactStore:
        return open_store(settings.artifacts_url)

    @app.task(name=STEP_TASK, ignore_result=True)
    def step(message: str) -> None:
        pid = os.getpid()
        execution = Execution(
            step_message.validate_json(message), settings.worker_id, reports(pid), settings.step_beat_s
        )
        execution.run(lambda: store(pid), settings.device)

    # Kept on the app: Celery's signals hold their receivers weakly.
    app.on_child_start = _on_child_start  # type: ignore[attr-defined]
    worker_process_init.connect(_on_child_start)


def _on_child_start(**_: object) -> None:
    """In the child: die with the parent, compute the same bits everywhere, and get slow first calls over."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
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
