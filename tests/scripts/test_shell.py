"""An interrupted installation: what it had started ends with it, and nothing else begins."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"

# Works as the installer does: in a thread, with a second way where the first one fails.
INSTALLER = """
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import install
from shell import Problem, Stopped, run

def work():
    try:
        run(["sh", "-c", sys.argv[2]], Path(sys.argv[1]))
    except Problem:
        run(["sh", "-c", "echo the second way"], Path(sys.argv[1]))

install.end_on_signals(os.getppid())
with ThreadPoolExecutor(1) as pool:
    try:
        pool.submit(work).result()
    except Stopped:
        print("stopped")
"""
POLITE = "sleep 600 & echo begun; wait"
STUBBORN = "trap '' TERM; sleep 600 & echo begun; wait; wait; sleep 600"


def started(log: Path, program: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", INSTALLER, str(log), program], cwd=SCRIPTS, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    while not log.exists() or "\nbegun" not in log.read_text():
        assert process.poll() is None
    return process


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_programs_with_all_they_started_and_no_second_way_is_tried(
    sent: signal.Signals, tmp_path: Path
) -> None:
    with started(tmp_path / "log", POLITE) as process:
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) == 2
        process.send_signal(sent)
        said, _ = process.communicate(timeout=20)
        _gone, alive = psutil.wait_procs(children, timeout=5)
    assert said == "stopped\n"
    assert [child for child in alive if child.status() != psutil.STATUS_ZOMBIE] == []
    assert "second" not in (tmp_path / "log").read_text().splitlines()[-1]


@pytest.mark.parametrize("times", [1, 2])
def test_a_program_that_does_not_want_to_end_is_killed(times: int, tmp_path: Path) -> None:
    with started(tmp_path / "log", STUBBORN) as process:
        children = psutil.Process(process.pid).children(recursive=True)
        for _ in range(times):
            process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=20)
        _gone, alive = psutil.wait_procs(children, timeout=5)
    assert said == "stopped\n"
    assert [child for child in alive if child.status() != psutil.STATUS_ZOMBIE] == []


# Asks it to stop; a second signal comes as line argv[1] of the answer to that begins.
ASKED_TWICE = """
import os
import signal
import sys
import install
import shell

def traced(frame, event, arg):
    if event == "line":
        global lines
        lines += 1
        if lines == int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGTERM)
    return traced

lines = 0
install.end_on_signals(os.getppid())
sys.settrace(traced)
shell.stop()
sys.settrace(None)
try:
    shell.check_stopped()
except shell.Stopped:
    print("stopped")
print("there is no such line" if lines < int(sys.argv[1]) else "")
"""


def test_a_second_signal_at_any_line_of_the_answer_to_the_first_does_not_hang() -> None:
    for line in range(1, 100):
        asked = subprocess.run(
            [sys.executable, "-c", ASKED_TWICE, str(line)],
            cwd=SCRIPTS, capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
        assert asked.stdout.startswith("stopped\n"), (line, asked.stderr)
        if "no such line" in asked.stdout:
            break
    assert 5 < line < 99
