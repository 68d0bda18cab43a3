"""`awase simulate`: from a pilot file to a table and a file of results."""

import json
from pathlib import Path

import pytest

from worker.data.samples import DATA_DIR
from worker.simulate import main, write_json

DEMO = DATA_DIR / "pilots" / "demo.toml"


def small_pilot(tmp_path: Path) -> Path:
    path = tmp_path / "pilot.toml"
    text = DEMO.read_text(encoding="utf-8")
    for old, new in (("rounds = 8", "rounds = 1"), ("warmup_epochs = 15", "warmup_epochs = 2")):
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return path


def test_result_is_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "deep" / "result.json"
    assert main(small_pilot(tmp_path), target)
    result = json.loads(target.read_text())
    assert {run["state"] for run in result["runs"]} == {"completed"}
    assert [path.name for path in target.parent.iterdir()] == ["result.json"]
    printed = capsys.readouterr().out
    assert all(run["arm"] in printed for run in result["runs"])


def test_a_run_that_failed_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = small_pilot(tmp_path)
    text = path.read_text().replace("warmup_lr = 0.03", "warmup_lr = 10.0")
    path.write_text(text.replace("weight_decay = 5e-4", "weight_decay = 1.0"))
    assert not main(path)
    printed = capsys.readouterr().out
    assert "local_only failed: The model of site 'site-" in printed
    assert "Lower the learning rate." in printed


def test_failed_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    target.write_text("old")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(target, {"value": float("nan")})
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]
