"""What the launcher's scripts share: progress lines, running programs, failing with a remedy.

Standard library only: these files run before anything is installed.
"""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"

COLOURS = re.compile(r"\x1b\[[0-9;]*m")

keep_open: list[int] = []
"""File descriptors that started programs inherit."""

_running: set[subprocess.Popen[str]] = set()
_lock = threading.Lock()


class Problem(Exception):
    """Something the user can do something about: one sentence with the remedy."""


def say(text: str) -> None:
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
        Problem: it failed; with the last lines of its output.
    """
    with log.open("a+", encoding="utf-8", errors="replace") as output:
        output.write(
            f"$ {' '.join(Path(part).name if i == 0 else str(part) for i, part in enumerate(command))}\n"
        )
        output.flush()
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, text=True,
            pass_fds=keep_open,
        )  # fmt: skip
        with _lock:
            _running.add(process)
        try:
            code = process.wait()
        finally:
            with _lock:
                _running.discard(process)
    if code != 0:
        lines = COLOURS.sub("", log.read_text(encoding="utf-8", errors="replace")).splitlines()[-12:]
        raise Problem(
            f"'{Path(command[0]).name}' failed. Its last lines (all of them: {log}):\n" + "\n".join(lines)
        )


def stop_running() -> None:
    """End the programs that other threads still wait for."""
    with _lock:
        for process in _running:
            process.terminate()


def answer(command: Sequence[str | Path], env: Mapping[str, str] | None = None) -> str | None:
    """What a program prints, None when it fails or does not exist."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=ROOT, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None
