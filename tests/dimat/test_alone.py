"""The library stands by itself: nothing of the server or the worker is needed to use it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = (
    "alembic",
    "celery",
    "fastapi",
    "starlette",
    "redis",
    "kombu",
    "psycopg",
    "sqlalchemy",
    "uvicorn",
    "typer",
    "worker",
    "backend",
)
WITHOUT = f"""
import sys
for name in {FOREIGN!r}:
    sys.modules[name] = None  # an import of it fails, as where it is not installed
"""
LOOK = (
    WITHOUT
    + """
import importlib, pkgutil
import dimat
found = [one.name for one in pkgutil.walk_packages(dimat.__path__, "dimat.")]
for name in found:
    importlib.import_module(name)
print(len(found))
"""
)
SIMULATE = (
    WITHOUT
    + """
import numpy, time
from dimat.rows import Table, all_site_rows
from dimat.simulate import simulate
from dimat.spec import PilotSpec
names = ("a", "b")
spec = PilotSpec.model_validate({
    "name": "small", "rounds": 1, "model": {"kind": "mlp", "hidden": [4]}, "data": {"rows_per_site": 10},
    "sites": [{"name": name, "data": {"dataset": "pendigits"}} for name in names],
    "arms": [{"name": "x", "method": "dimat"}],
})
rng = numpy.random.default_rng(1)
table = Table(rng.normal(size=(60, 16)).astype("float32"), numpy.arange(60) % 3, 3)
rows = all_site_rows(table, spec.data, names, 1)
print(simulate(spec, lambda seed, site: rows[site], time.monotonic).runs[0].state)
"""
)
PLUGINS = ("pytest_socket", "pytest_timeout", "_hypothesis_pytestplugin")
TEST = WITHOUT + "import pytest; sys.exit(pytest.main(sys.argv[1:]))"


def without_the_others(code: str, *words: str) -> str:
    """What `code` prints in a process in which none of the others can be imported."""
    # Plugins of the others would be loaded by pytest, too.
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    call = [sys.executable, "-c", code, *words]
    done = subprocess.run(call, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_module_can_be_imported_where_neither_server_nor_worker_is_installed() -> None:
    assert int(without_the_others(LOOK)) > 50


def test_a_pilot_runs_where_neither_server_nor_worker_is_installed() -> None:
    assert without_the_others(SIMULATE).split() == ["completed"]


@pytest.mark.parametrize("words", [["tests/dimat", "--collect-only"], ["tests/dimat/test_codec.py"]])
def test_its_tests_run_where_neither_server_nor_worker_is_installed(words: list[str]) -> None:
    plugins = [word for name in PLUGINS for word in ("-p", name)]
    without_the_others(TEST, "-q", "-p", "no:cacheprovider", *plugins, *words)
