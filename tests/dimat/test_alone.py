"""The library stands by itself: nothing of the server or the worker is needed to use it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = (
    "celery",
    "fastapi",
    "starlette",
    "redis",
    "kombu",
    "sqlalchemy",
    "uvicorn",
    "typer",
    "worker",
    "backend",
)
LOOK = f"""
import importlib, pkgutil, sys
for name in {FOREIGN!r}:
    sys.modules[name] = None  # an import of it fails, as where it is not installed
import dimat
found = [one.name for one in pkgutil.walk_packages(dimat.__path__, "dimat.")]
for name in found:
    importlib.import_module(name)
print(len(found))
"""


def test_every_module_can_be_imported_where_neither_server_nor_worker_is_installed() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50
