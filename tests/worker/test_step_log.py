"""What a step logs goes with its last report: bounded, ours alone, and without a value of the data."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.worker.test_execution import Heard, prepare
from worker import logs
from worker.artifacts import ArtifactStore, DirectoryStore
from worker.execution import Execution
from worker.messages.reports import (
    MOST_LOG_CHARS,
    MOST_LOG_LINES,
    LogLine,
    StepFailed,
    StepFinished,
    StepLog,
    report,
)
from worker.step_log import Keeper

SECRET = "4711.0815"


@pytest.fixture(autouse=True)
def _level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def lines(log: StepLog | None) -> list[str]:
    assert log is not None
    return [line.text for line in (*log.first, *log.last)]


def execute(open_store: Callable[[], ArtifactStore], epochs: int = 2) -> StepFinished | StepFailed:
    heard = Heard()
    Execution(prepare(warmup_epochs=epochs), "w", heard, 4.0).run(open_store, "cpu")
    end = heard.reports[-1]
    assert isinstance(end, StepFinished | StepFailed)
    return end


def test_a_finished_step_tells_what_it_did(tmp_path: Path) -> None:
    end = execute(lambda: DirectoryStore(tmp_path))
    told = lines(end.log)
    assert told[0] == "prepare of round 0 begins on cpu, attempt 1"
    assert [text.split(" is done")[0] for text in told if text.startswith("epoch")] == [
        "epoch 1 of this attempt"
    ]
    assert "trained 2 epochs" in told
    assert any(text.startswith("stored model: ") for text in told)
    assert "prepare of round 0 finished after" in told[-1]
    assert end.log is not None
    assert end.log.left_out == 0


def test_of_an_error_that_is_not_ours_only_its_kind_and_its_places_are_told() -> None:
    def broken() -> ArtifactStore:
        value = SECRET
        try:
            return DirectoryStore(Path(f"/{float('not ' + value)}"))
        except ValueError as error:
            raise RuntimeError(f"row 7 holds {value}") from error

    logging.getLogger("somebody.else").warning("it holds %s", SECRET)
    end = execute(broken)
    assert isinstance(end, StepFailed)
    assert end.code == "unexpected_error"
    (crashed,) = [text for text in lines(end.log) if text.startswith("crashed")]
    assert "RuntimeError\n" in crashed
    assert "ValueError\n" in crashed
    assert "test_step_log.py:" in crashed
    assert "in broken" in crashed
    assert SECRET not in end.model_dump_json()


def test_the_first_and_the_last_lines_are_kept_and_the_others_counted() -> None:
    log = logging.getLogger("worker.steps")
    with logs.about(step="s"), Keeper("s") as kept:
        for number in range(1000):
            log.info("line %d", number)
        log.debug("nobody reads this")
    with logs.about(step="s"):
        log.info("after its end")
    with logs.about(step="other"), Keeper("s") as nothing:
        log.info("of another step")
    told = kept.told()
    half = MOST_LOG_LINES // 2
    assert [line.text for line in told.first] == [f"line {number}" for number in range(half)]
    assert [line.text for line in told.last] == [f"line {number}" for number in range(1000 - half, 1000)]
    assert told.left_out == 1000 - MOST_LOG_LINES
    assert nothing.told() == StepLog(first=())


def test_long_lines_are_cut_and_a_log_has_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    log = logging.getLogger("dimat")
    monkeypatch.setattr(log, "propagate", False)  # what pytest keeps of it could not be written out
    with logs.about(step="s"), Keeper("s") as kept:
        for number in range(100):
            log.warning("%d \0 \ud800 %s", number, "x" * 5000)
    told = kept.told()
    assert sum(len(line.text) for line in (*told.first, *told.last)) <= MOST_LOG_CHARS
    assert told.first[0].text.startswith("0 \ufffd ? x")
    assert told.last[-1].text.startswith("99 ")
    assert len(told.first) + len(told.last) + told.left_out == 100


def test_a_report_with_more_than_that_is_refused_and_one_without_is_taken(tmp_path: Path) -> None:
    end = execute(lambda: DirectoryStore(tmp_path), epochs=0)
    line = LogLine(at=end.at, level="info", text="x" * 2000)
    with pytest.raises(ValidationError, match="at most 32768 characters"):
        StepLog(first=(line,) * 20)
    with pytest.raises(ValidationError):
        StepLog(first=(line.model_copy(update={"text": "x"}),) * 101)
    old = end.model_dump(mode="json", exclude={"log"})
    taken = report.validate_python(old | {"at": end.at})
    assert isinstance(taken, StepFinished)
    assert taken.log is None
