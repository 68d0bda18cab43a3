"""What whoever starts a worker at a site reads in the terminal."""

import os
import subprocess
import sys
from pathlib import Path
from threading import Timer

ROOT = Path(__file__).parents[2]


def test_the_terminal_says_what_is_started_and_when_it_waits_for_work(
    broker_url: str, tmp_path: Path
) -> None:
    env = os.environ | {
        "BROKER_URL": broker_url, "AWASE_SITE": "plant-7", "AWASE_DATA_DIR": str(tmp_path),
        "AWASE_ARTIFACTS": "sftp://user:secret@store/models", "AWASE_WORKER_CONCURRENCY": "1",
    }  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "worker.main"], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True
    ) as worker:
        patience = Timer(180, worker.kill)
        patience.start()
        try:
            assert worker.stdout is not None
            first, second = worker.stdout.readline(), worker.stdout.readline()
        finally:
            patience.cancel()
            worker.terminate()
    assert "'plant-7'" in first
    assert str(tmp_path / "logs" / "worker-plant-7.log") in first
    assert "store/models" in first
    assert "secret" not in first
    assert "waiting for work of the site 'plant-7'" in second
