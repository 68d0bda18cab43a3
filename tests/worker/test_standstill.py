"""A step that hangs is ended, and one that works is not, however slow."""

import subprocess
import sys
from pathlib import Path

from worker.standstill import Standstill

ROOT = Path(__file__).parents[2]


def test_who_computes_or_gets_on_does_not_stand_still() -> None:
    still = Standstill(0, 0, "a")
    assert still.seconds(100, 50, "a") == 0  # it computes
    assert still.seconds(200, 50.1, "a") == 100
    assert still.seconds(300, 50.2, "b") == 0  # the next model has come
    assert still.seconds(310, 50.2, "b") == 10
    assert still.seconds(4000, 60, "b") == 3700  # the thread that beats has used a little


HUNG = """
import os, sys, time
from pathlib import Path
from tests.worker.test_execution import Heard, prepare
from worker.artifacts import DirectoryStore
from worker.execution import Execution

class Silent(DirectoryStore):
    def put(self, data):
        time.sleep(600)

class Told(Heard):
    def send(self, report, until_taken=True):
        line = f"{report.kind} {getattr(report, 'code', '')} {getattr(report, 'retryable', '')}\\n"
        os.write(1, line.encode())  # at once: two threads report

Execution(prepare(), "w", Told(), 0.2, stuck_after_s=2.0).run(lambda: Silent(Path(sys.argv[1])), "cpu")
"""


def test_a_step_whose_store_never_answers_says_so_and_dies(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HUNG, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == -9, done.stderr
    said = done.stdout.splitlines()
    assert said.count("failed step_stuck True") == 1
    assert said[0].startswith("started")
    assert [line for line in said if line.startswith("beat")]
