"""The rule about skips in `tests/conftest.py`: named at the end, or a failure when nothing may be missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SKIPPING = """
import pytest


@pytest.fixture
def service():
    pytest.skip("no such service: install it")


def test_needs_it(service):
    pass


def test_needs_nothing():
    pass
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "test_some.py").write_text(SKIPPING)
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    return tmp_path


def _pytest(folder: Path, require: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder), "-p", "no:cacheprovider", str(folder)],
        capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, "AWASE_TEST_REQUIRE": require},
    )  # fmt: skip


def test_skip_is_named_in_the_last_lines_with_the_way_to_get_it(folder: Path) -> None:
    done = _pytest(folder, "")
    assert done.returncode == 0, done.stdout
    assert "1 tests: no such service: install it" in "".join(done.stdout.splitlines()[-3:])


def test_skip_is_a_failure_when_everything_is_required(folder: Path) -> None:
    done = _pytest(folder, "all")
    assert done.returncode == 1, done.stdout
    assert "AWASE_TEST_REQUIRE=all forbids" in done.stdout
    assert "1 passed, 1 error" in done.stdout
