"""Sets Awase up in .venv: libraries from the hash lock, torch, Awase itself, and the pages in parallel.

Called by the launcher with the machine's Python, so standard library only. Safe to call twice at once
and again after an interruption. Must not start anything of Awase.
"""

import argparse
import contextlib
import ctypes
import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import IO

import pages
import preflight
import torch_build
from shell import (
    PYTHON,
    ROOT,
    VENV,
    Problem,
    Stopped,
    answer,
    check_stopped,
    keep_open,
    run,
    say,
    stage,
    stop,
)

STAMP = VENV / "awase-stamp"
DEV_STAMP = VENV / "dev-stamp"
UNFINISHED = VENV / "unfinished"
LOG = VENV / "setup.log"
NEEDED_BYTES = 3_000_000_000
PR_SET_PDEATHSIG = 1


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stamp", required=True)
    parser.add_argument("--launcher", type=int, required=True, help="process id of who called")
    parser.add_argument("--pages", action="store_true")
    parser.add_argument("--dev", action="store_true")
    parser.add_argument(
        "--start",
        nargs=argparse.REMAINDER,
        help="`up` or `demo` and its options: could it start, once installed?",
    )
    wanted = parser.parse_args([argument for argument in sys.argv[1:] if argument])
    wants_pages = wanted.pages and os.environ.get("AWASE_PAGES") != "no"
    end_on_signals(wanted.launcher)
    try:
        if not _is_done(wanted.stamp, wants_pages, wanted.dev):
            if wanted.start is not None:
                preflight.check(wanted.start, os.environ)
            with _one_at_a_time():
                _install(wanted.stamp, wants_pages, wanted.dev)
    except Problem as problem:
        say(str(problem))
        return 1
    except OSError as error:
        say(
            f"{error.strerror}: {error.filename or VENV}. Correct this (disk full? no permission?) and try again."
        )
        return 1
    except Stopped:
        say("interrupted. The next call goes on from here.")
        return 130
    return 0


def end_on_signals(launcher: int) -> None:
    """Ctrl-C, a closed terminal, `kill`, the death of the launcher: end, with every program that was started."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop())
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != launcher:  # it ended before this was said
        stop()


def disk_problem(free_bytes: int) -> str | None:
    """What to tell the user when the disk is too full to install on, None when it is not."""
    if free_bytes >= NEEDED_BYTES:
        return None
    return (
        f"the disk has {free_bytes / 1e9:.1f} GB free, the installation needs {NEEDED_BYTES / 1e9:.0f} GB "
        f"(in {ROOT}). Free some space or move this folder to another disk."
    )


def _is_done(stamp: str, wants_pages: bool, wants_dev: bool) -> bool:
    return (
        _read(STAMP) == stamp
        and not (wants_dev and _read(DEV_STAMP) != _dev_stamp())
        and not (wants_pages and (pages.are_stale() or pages.libraries_are_stale(wants_dev)))
    )


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Hold the lock of this folder. The system drops it when this process and all programs it started have
    ended, however they end: the next installation never meets a left-over pip at work."""
    try:
        lock = (ROOT / ".awase-lock").open("a")
    except OSError as error:
        raise Problem(
            f"cannot write in {ROOT} ({error.strerror}). Make the folder writable for you."
        ) from None
    with lock:
        if not _lock_now(lock):
            say("another ./awase is installing here; waiting for it ...")
            while not _lock_now(lock):
                check_stopped()
                time.sleep(0.1)
        keep_open.append(lock.fileno())
        yield


def _lock_now(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _install(stamp: str, wants_pages: bool, wants_dev: bool) -> None:
    needs_python = _read(STAMP) != stamp
    if needs_python:
        _begin()
    # One thread installs Python's libraries while the other lets npm work.
    with ThreadPoolExecutor(2) as pool:
        work: list[Future[None]] = []
        try:
            if wants_pages and pages.node_is_missing():
                with stage("node for building the pages", "about 15 s"):
                    _pip_install("--require-hashes", "-r", ROOT / "scripts" / "requirements-node.lock")
            if wants_pages:
                work.append(pool.submit(pages.build, wants_dev))
            work.append(pool.submit(_install_python, stamp if needs_python else None, wants_dev))
            done, _ = wait(work, return_when=FIRST_EXCEPTION)
            for part in done:
                part.result()
        except BaseException:
            stop()
            raise


def _begin() -> None:
    """Make .venv; anew when it was made for another place, by another Python, or was left half done."""
    problem = disk_problem(shutil.disk_usage(ROOT).free)
    if problem is not None:
        raise Problem(problem)
    old = _read(STAMP) or ""
    moved = bool(old) and not old.endswith(f"root={ROOT}")
    fresh = not VENV.exists() or UNFINISHED.exists() or moved
    if not fresh and answer([PYTHON, "-c", "import pip"]) is None:
        fresh = True
    if fresh and VENV.is_symlink():  # what it leads to may be somebody else's
        raise Problem(
            f"{VENV} is a link to {VENV.readlink()}, and an environment of Awase's own is needed there. Remove the link and try again."
        )
    if not fresh:
        say("the requirements have changed: updating .venv (usually under a minute)")
        UNFINISHED.touch()
        return
    say(f"setting up in {VENV}: a minute or two, once (about 400 MB to download)")
    with stage("Python environment", "about 10 s"):
        if VENV.exists():
            shutil.rmtree(VENV)
        VENV.mkdir()
        UNFINISHED.touch()
        run([sys.executable, "-m", "venv", VENV], LOG)


def _install_python(stamp: str | None, wants_dev: bool) -> None:
    if stamp is not None:
        with stage("libraries", "about 30 s"):
            _install_locked(ROOT / "requirements.lock")
        _install_torch(os.environ.get("AWASE_TORCH", "auto"))
        with stage("Awase itself", "a few seconds"):
            _pip_install("--no-deps", "--no-build-isolation", "--no-index", "--editable", ROOT)
        # Last, so that an interrupted installation is done again.
        UNFINISHED.unlink(missing_ok=True)
        STAMP.write_text(stamp)
    if wants_dev and _read(DEV_STAMP) != _dev_stamp():
        with stage("tools for checks and tests", "about 20 s"):
            _install_locked(ROOT / "requirements-dev.lock")
        DEV_STAMP.write_text(_dev_stamp())


def _install_locked(lock: Path) -> None:
    """Everything in a hash lock: by uv (fast), by pip where uv cannot be had or fails."""
    uv = VENV / "bin" / "uv"
    try:
        if not uv.exists():
            _pip_install("--require-hashes", "-r", ROOT / "scripts" / "requirements-uv.lock")
        run(
            [uv, "pip", "install", "--python", PYTHON, "--require-hashes", "-r", lock],
            LOG, uv_environment(_pip_settings(), os.environ),
        )  # fmt: skip
    except Problem:
        say("uv is not available here; going on with pip (slower)")
        _pip_install("--require-hashes", "--no-deps", "-r", lock)


def uv_environment(
    pip_settings: dict[str, str], environment: os._Environ[str] | dict[str, str]
) -> dict[str, str]:
    """The environment for uv, which ignores pip's configuration: the machine's package sources handed over.

    By environment, not by arguments: an address may hold a password.
    """
    handed = {"UV_INDEX_STRATEGY": "unsafe-best-match"}  # safe: every file is pinned by its hash
    for option, variable in (
        ("index-url", "UV_DEFAULT_INDEX"), ("extra-index-url", "UV_INDEX"), ("find-links", "UV_FIND_LINKS"),
        ("cert", "SSL_CERT_FILE"), ("proxy", "HTTPS_PROXY"),
    ):  # fmt: skip
        if option in pip_settings:
            separator = "," if variable == "UV_FIND_LINKS" else " "
            handed[variable] = separator.join(pip_settings[option].split())
    return {**handed, **environment, "UV_NO_PROGRESS": "1"}


def _install_torch(choice: str) -> None:
    if choice not in ("auto", "cpu", "cuda"):
        raise Problem(f"AWASE_TORCH is '{choice}'. Use auto, cpu or cuda.")
    made_for = VENV / "torch-choice"
    if _read(made_for) == f"{choice} {torch_build.VERSION}":
        return
    ways = torch_build.attempts(
        choice, torch_build.has_nvidia_device(), shutil.disk_usage(ROOT).free, sys.platform, _pip_settings()
    )
    failure = Problem("")
    for way in ways:
        if way.only_cpu and not torch_build.is_cpu_build(_what_pip_would_take(way.arguments)):
            continue
        try:
            with stage(f"torch {torch_build.VERSION}, {way.what}", "about 30 s, longer on a slow line"):
                _pip_install("--force-reinstall" if choice == "cuda" else "--upgrade", *way.arguments)
                # A build whose libraries are missing installs well and fails here.
                run([PYTHON, "-c", "import torch; print(torch.__version__)"], LOG)
        except Problem as problem:
            failure = problem
            continue
        made_for.write_text(f"{choice} {torch_build.VERSION}")
        return
    raise Problem(
        f"torch {torch_build.VERSION} could not be installed. Check the connection to the package index, or put "
        f"a wheel of torch {torch_build.VERSION} in a folder and set PIP_FIND_LINKS to it.\n{failure}"
    )


def _what_pip_would_take(arguments: tuple[str, ...]) -> str | None:
    return answer([PYTHON, "-m", "pip", "install", "--dry-run", "--quiet", "--report", "-", *arguments])


def _pip_install(*arguments: str | Path) -> None:
    # Without compiling: what is never imported needs no byte code, the rest is compiled when imported.
    run([PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--no-compile", *arguments], LOG)


def _pip_settings() -> dict[str, str]:
    return torch_build.parse_pip_settings(answer([PYTHON, "-m", "pip", "config", "list"]) or "")


def _dev_stamp() -> str:
    return pages.digest(ROOT / "requirements-dev.lock")


def _read(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
