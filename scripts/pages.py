"""Builds the dashboard's pages when they are stale. Node comes from the machine or from PyPI."""

import hashlib
import os
import shutil
from pathlib import Path

from shell import ROOT, VENV, Problem, answer, run, stage

FRONTEND = ROOT / "frontend"
LOG = VENV / "pages.log"
NEEDED_NODE = (20, 19)
GENERATED = {"node_modules", "dist", "test-results", "coverage", ".vite"}


def fingerprint(root: Path = ROOT) -> str:
    """Hex digest of everything the pages are made from."""
    digest = hashlib.sha256()
    for path in _sources(root):
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def are_stale() -> bool:
    """Whether the built pages are missing or older than their sources."""
    return FRONTEND.exists() and _read(FRONTEND / "dist" / ".stamp") != fingerprint()


def libraries_are_stale(dev: bool) -> bool:
    """Whether node_modules does not belong to the lock file, or lacks what checks and tests need (`dev`)."""
    fitting = {_libraries_stamp(dev=True), _libraries_stamp(dev=dev)}
    return FRONTEND.exists() and _read(FRONTEND / "node_modules" / ".awase-stamp") not in fitting


def node_environment() -> dict[str, str]:
    """The environment in which `node` and `npm` of the machine or of .venv are found."""
    env = dict(os.environ)
    if not _machine_has_node():
        env["PATH"] = f"{VENV / 'bin'}{os.pathsep}{env.get('PATH', '')}"
    # No registry address lands in the lock file, no message about funding or new versions.
    return env | {
        "npm_config_omit_lockfile_registry_resolved": "true",
        "npm_config_fund": "false",
        "npm_config_audit": "false",
        "npm_config_update_notifier": "false",
    }


def node_is_missing() -> bool:
    """Whether a fit node must still be installed into .venv."""
    return not _machine_has_node() and not (VENV / "bin" / "node").exists()


def build(dev: bool) -> None:
    """Install the pages' libraries (`dev`: with those for checks and tests) and build the pages, if stale.

    Raises:
        Problem: npm failed.
    """
    if not FRONTEND.exists():
        return
    try:
        _build(dev)
    except Problem as problem:
        raise Problem(
            f"the pages could not be built. All but the pages works without: AWASE_PAGES=no ./awase ...\n{problem}"
        ) from None


def _build(dev: bool) -> None:
    env = node_environment()
    npm = shutil.which("npm", path=env["PATH"])
    if npm is None:
        raise Problem("node is here but npm is not. Install npm (Debian, Ubuntu: sudo apt install npm).")
    if libraries_are_stale(dev):
        with stage("pages: libraries", "about 20 s"):
            run([npm, "ci", "--no-progress", *([] if dev else ["--omit=dev"])], LOG, env, cwd=FRONTEND)
        (FRONTEND / "node_modules" / ".awase-stamp").write_text(_libraries_stamp(dev))
    if are_stale():
        wanted = fingerprint()
        with stage("pages: build", "about 20 s"):
            run([npm, "run", "build"], LOG, env, cwd=FRONTEND)
        # Last, so that an interrupted build is done again.
        (FRONTEND / "dist" / ".stamp").write_text(wanted)


def digest(path: Path) -> str:
    """Hex digest of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _machine_has_node() -> bool:
    version = answer(["node", "--version"])
    if version is None or shutil.which("npm") is None:
        return False
    numbers = version.strip().lstrip("v").split(".")
    return tuple(int(number) for number in numbers[:2]) >= NEEDED_NODE


def _sources(root: Path) -> list[Path]:
    found: list[Path] = []
    for folder, names, files in os.walk(root / "frontend"):
        names[:] = sorted(name for name in names if name not in GENERATED)
        found += [Path(folder) / name for name in sorted(files)]
    return found + sorted((root / "locales").glob("*.json"))


def _libraries_stamp(dev: bool) -> str:
    lock = FRONTEND / "package-lock.json"
    return f"{digest(lock) if lock.exists() else 'no lock'} {'all' if dev else 'to build'}"


def _read(path: Path) -> str | None:
    return path.read_text() if path.exists() else None
