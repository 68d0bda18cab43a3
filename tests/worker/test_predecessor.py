"""A worker knows whether the one before it is dead."""

import subprocess
import sys
from pathlib import Path

from worker.predecessor import Place

TAKE_AND_WAIT = """
import sys
from pathlib import Path
from worker.predecessor import Place
place = Place(Path(sys.argv[1]), None)
place.take("first@host")
print("taken", flush=True)
sys.stdin.read()
"""


def test_the_first_worker_of_a_place_has_no_predecessor(tmp_path: Path) -> None:
    assert Place(tmp_path / "new", "site-01").take("first@host") is None


def test_only_a_dead_predecessor_is_named_and_only_once(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", TAKE_AND_WAIT, str(tmp_path)], cwd=root, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True,
    ) as first:  # fmt: skip
        assert first.stdout is not None
        assert first.stdout.readline() == "taken\n"
        assert Place(tmp_path, None).take("second@host") is None
        assert Place(tmp_path, "site-01").take("other@host") is None
        first.kill()
    place = Place(tmp_path, None)
    assert place.take("third@host") == "first@host"
    assert (tmp_path / "worker.lock").read_text() == "third@host"
