"""What the launcher's scripts share: progress lines, running programs, failing with a remedy.

Standard library only: these files run before anything is installed.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"

COLOURS = re.compile(r"\x1b\[[0-9;]*m")

keep_open: list[int] = []
"""File descriptors that started programs inherit."""

KILL_AFTER_S = 3.0

_running: set[subprocess.Popen[str]] = set()
# A signal may come at any line of the main thread, this file's own among them, and a second one while the
# first is answered: so nothing here waits for what its own thread may hold, as threading.Event would.
_stopping = False
_lock = threading.RLock()


class Problem(Exception):
    """Something the user can do something about: one sentence with the remedy."""


class Stopped(Exception):
    """Someone wants this to end. No Problem: no other way is to be tried."""


def say(text: str) -> None:
    """A line for whoever watches; a terminal that was closed is no reason to break off in the middle."""
    with suppress(OSError):
        print(f"awase: {text}", file=sys.stderr, flush=True)


@contextmanager
def stage(what: str, expected: str) -> Iterator[None]:
    """A progress line before and after."""
    say(f"{what} ({expected}) ...")
    start = time.monotonic()
    yield
    say(f"{what}: done in {time.monotonic() - start:.0f} s")


def run(
    command: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None, cwd: Path = ROOT
) -> None:
    """Run a program; its output goes to the end of `log`.

    Raises:
        Problem: it failed; with the last lines of its output. Stopped.
    """
    with log.open("a+", encoding="utf-8", errors="replace") as output:
        output.write(
            f"$ {' '.join(Path(part).name if i == 0 else str(part) for i, part in enumerate(command))}\n"
        )
        output.flush()
        code, _ = _finish(command, env, cwd, output, output)
    if code != 0:
        lines = COLOURS.sub("", log.read_text(encoding="utf-8", errors="replace")).splitlines()[-12:]
        raise Problem(
            f"'{Path(command[0]).name}' failed. Its last lines (all of them: {log}):\n" + "\n".join(lines)
        )


def answer(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> str | None:
    """What a program prints, None when it fails or does not exist. Raises: Stopped."""
    try:
        code, said = _finish(command, env, ROOT, subprocess.PIPE, subprocess.DEVNULL)
    except OSError:
        return None
    return said if code == 0 else None


def stop() -> None:
    """End the programs under way and let no other begin: asked first, killed a little later or when asked again.

    For the main thread, also in the middle of anything: as a signal handler.
    """
    global _stopping
    number = signal.SIGKILL if _stopping else signal.SIGTERM
    _stopping = True
    signal.signal(signal.SIGALRM, lambda *_: _signal_all(signal.SIGKILL))
    signal.setitimer(signal.ITIMER_REAL, KILL_AFTER_S, KILL_AFTER_S)
    _signal_all(number)


def check_stopped() -> None:
    """Raises: Stopped."""
    if _stopping:
        raise Stopped


def _finish(
    command: Sequence[str | Path], env: Mapping[str, str] | None, cwd: Path, output: IO[str] | int,
    errors: IO[str] | int,
) -> tuple[int, str]:  # fmt: skip
    """Exit code and what it printed into a pipe. Raises: Stopped; OSError, when there is no such program."""
    check_stopped()
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, text=True,
        pass_fds=keep_open,
        process_group=0,  # so that what it starts itself can be ended with it
    )  # fmt: skip
    with _lock:
        _running.add(process)
    try:
        if _stopping:  # between the check above and now
            _signal_all(signal.SIGTERM)
        said, _ = process.communicate()
    finally:
        with _lock:
            _running.discard(process)
    check_stopped()
    return process.returncode, said or ""


def _signal_all(number: signal.Signals) -> None:
    with _lock:
        for process in list(_running):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
