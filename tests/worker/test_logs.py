"""A line says what it is about, for people and for programs."""

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from worker import logs
from worker.reporting import Every


class Kept(logging.Handler):
    """The lines of a logger, as a handler would write them."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


log = logging.getLogger("a.logger")


@pytest.fixture
def kept(request: pytest.FixtureRequest) -> Iterator[Kept]:
    handler = Kept(logs.TextLines() if "text" in request.node.name else logs.JsonLines())
    log.addHandler(handler)
    yield handler
    log.removeHandler(handler)


def test_a_record_is_one_object_with_what_it_is_about(kept: Kept) -> None:
    with logs.about(run="r", step="s", site="工場", attempt=2, worker="w"):
        log.warning("lost: %s", "two\nlines")
    (found,) = kept.objects
    assert found.pop("time").endswith("+00:00")
    assert found == {
        "level": "warning", "logger": "a.logger", "message": "lost: two\nlines",
        "run": "r", "step": "s", "site": "工場", "attempt": 2, "worker": "w",
    }  # fmt: skip


def test_what_is_not_known_is_left_out_and_what_is_known_ends_with_its_block(kept: Kept) -> None:
    with logs.about(worker="w", run=None):
        with logs.about(step="s"):
            log.error("inner")
        log.error("outer")
    log.error("after")
    about = [
        {name: line[name] for name in ("run", "step", "worker") if name in line} for line in kept.objects
    ]
    assert about == [{"step": "s", "worker": "w"}, {"worker": "w"}, {}]


def test_an_error_stays_in_the_line_of_its_record(kept: Kept) -> None:
    try:
        raise ValueError("of a library")
    except ValueError:
        log.exception("crashed")
    (found,) = kept.objects
    assert "Traceback" in found["error"]
    assert "ValueError: of a library" in found["error"]


def test_the_thread_that_beats_is_about_the_same_step(kept: Kept) -> None:
    beaten = threading.Event()

    def tick() -> None:
        log.warning("not sent")
        beaten.set()

    with logs.about(step="s"), Every(60, tick, "beat"):
        assert beaten.wait(60)
    assert [line["step"] for line in kept.objects] == ["s"]


def test_a_line_of_text_ends_with_what_it_is_about(kept: Kept) -> None:
    with logs.about(step="s", attempt=1):
        log.warning("lost")
    log.warning("nothing special")
    assert kept.lines[0].endswith("WARNING a.logger lost [step=s attempt=1]")
    assert kept.lines[1].endswith("WARNING a.logger nothing special")


def test_a_log_that_grows_long_moves_on_under_whoever_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "ROTATED_AT_BYTES", 5)
    path = tmp_path / "worker.log"
    logs.rotate(path)  # nothing was written yet
    with path.open("a") as one, path.open("a") as other:  # as two processes do
        for number in range(logs.KEPT + 3):
            for writer in (one, other):
                print(f"line {number}", file=writer, flush=True)
            logs.rotate(path)
        print("end", file=one, flush=True)
        logs.rotate(path)
    assert path.read_text() == "end\n"
    kept = [(tmp_path / f"worker.log.{number}").read_text() for number in range(1, logs.KEPT + 1)]
    last = logs.KEPT + 2
    assert kept == [f"line {number}\n" * 2 for number in range(last, last - logs.KEPT, -1)]
    assert len(list(tmp_path.iterdir())) == logs.KEPT + 1


def test_an_error_that_ends_the_process_is_a_record_too() -> None:
    program = "from worker import logs; logs.setup('json'); raise ValueError('of a library')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, json.loads(line)["level"]) == (1, "critical")
    assert "ValueError: of a library" in json.loads(line)["error"]
