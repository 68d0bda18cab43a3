"""A worker knows whether the one before it is dead."""

import subprocess
import sys
from pathlib import Path

from worker.predecessor import place

TAKE_AND_WAIT = """
import sys
from pathlib import Path
from worker.predecessor import place
with place(Path(sys.argv[1]), None, "first@host"):
    print("taken", flush=True)
    sys.stdin.read()
"""


def test_the_first_worker_of_a_place_has_no_predecessor(tmp_path: Path) -> None:
    with place(tmp_path / "new", "site-01", "first@host") as before:
        assert before is None


def test_only_a_dead_predecessor_is_named(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", TAKE_AND_WAIT, str(tmp_path)], cwd=root, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True,
    ) as first:  # fmt: skip
        assert first.stdout is not None
        assert first.stdout.readline() == "taken\n"
        with place(tmp_path, None, "second@host") as before:
            assert before is None
        with place(tmp_path, "site-01", "other@host") as before:
            assert before is None
        first.kill()
    with place(tmp_path, None, "third@host") as before:
        assert before == "first@host"
    assert (tmp_path / "worker.lock").read_text() == "third@host"


def test_a_shorter_name_leaves_nothing_of_a_longer_one(tmp_path: Path) -> None:
    for name in ("a-rather-long-name@host", "short@host"):
        with place(tmp_path, None, name):
            assert (tmp_path / "worker.lock").read_text() == name
