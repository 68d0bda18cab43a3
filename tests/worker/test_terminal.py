"""What whoever starts a worker at a site reads in the terminal, and a collector of logs in its lines."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import pytest
import redis
from celery.apps import worker as celery_worker
from celery.worker import state

from worker.console import Console
from worker.messages.keys import refused_key
from worker.settings import WorkerSettings

ROOT = Path(__file__).parents[2]


@contextmanager
def _worker(broker_url: str, tmp_path: Path, **more: str) -> Iterator["subprocess.Popen[str]"]:
    env = os.environ | {
        "BROKER_URL": broker_url, "AWASE_SITE": "plant-7", "AWASE_DATA_DIR": str(tmp_path),
        "AWASE_ARTIFACTS": "sftp://user:secret@store/models", "AWASE_WORKER_CONCURRENCY": "1", **more,
    }  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "worker.main"], cwd=ROOT, env=env, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if "AWASE_LOG" in more else subprocess.PIPE, text=True,
    ) as worker:  # fmt: skip
        patience = Timer(180, worker.kill)
        patience.start()
        try:
            yield worker
        finally:
            patience.cancel()
            worker.kill()


def test_the_terminal_says_what_is_started_when_it_waits_for_work_and_that_it_stops(
    broker_url: str, tmp_path: Path
) -> None:
    with _worker(broker_url, tmp_path) as worker:
        assert worker.stdout is not None
        first, second = worker.stdout.readline(), worker.stdout.readline()
        worker.send_signal(signal.SIGINT)
        rest = worker.stdout.read()
    assert "'plant-7'" in first
    assert str(tmp_path / "logs" / "worker-plant-7.log") in first
    assert "store/models" in first
    assert "secret" not in first
    assert "waiting for work of the site 'plant-7'" in second
    assert rest == "awase: stopping: nothing was under way.\n"


def test_what_becomes_of_the_step_under_way_is_said_in_place_of_what_celery_says(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(state, "active_requests", {"a step"})
    monkeypatch.setattr(celery_worker, "safe_say", None)
    monkeypatch.setattr(celery_worker, "install_worker_term_hard_handler", lambda *_, **__: None)
    Console(WorkerSettings(broker_url="redis://127.0.0.1:1/0", site="plant-7")).speak_for_celery()
    celery_worker.on_SIGINT(None)  # the first Ctrl-C
    assert capfd.readouterr().out.startswith(
        "awase: stopping: nothing new is begun, and what is under way is finished"
    )
    with pytest.raises(AttributeError):  # the second one, of no worker
        celery_worker.on_cold_shutdown(None)
    celery_worker.safe_say("worker: Cold shutdown (MainProcess)", None)
    (line,) = capfd.readouterr().out.splitlines()
    assert line.startswith(
        "awase: stopping within seconds: what is under way and does not finish in them is ended"
    )


def test_whoever_serves_a_site_that_the_server_does_not_know_reads_so(
    broker_url: str, tmp_path: Path
) -> None:
    with (
        redis.Redis.from_url(broker_url) as connection,
        _worker(broker_url, tmp_path, AWASE_WORKER_BEAT_S="0.5") as worker,
    ):
        assert worker.stderr is not None
        connection.set(refused_key("plant-7"), "unknown")  # as the coordinator does
        said = worker.stderr.readline()
        connection.delete(refused_key("plant-7"))
    assert said.startswith("awase: no site 'plant-7' exists at the server, so it gets no work. ")
    assert "the page 'Sites'" in said


def test_of_a_log_for_programs_every_line_is_a_record(broker_url: str, tmp_path: Path) -> None:
    with _worker(broker_url, tmp_path, AWASE_LOG="json") as worker:
        assert worker.stdout is not None
        lines = []
        for line in worker.stdout:
            lines.append(line)
            if "waiting for work" in line:
                worker.terminate()
    told = [json.loads(line)["message"] for line in lines]
    assert "stopping: nothing was under way." in told
