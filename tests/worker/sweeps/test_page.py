"""`docs/sweeps.md` is true: its example runs as it stands."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "sweeps.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def test_the_example_runs_and_shows_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pilot,), (run, again), (question,) = blocks("toml"), blocks("sh"), blocks("python")
    (tmp_path / "plants.toml").write_text(pilot, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    told = []
    for command in (run, again):
        awase, *arguments = shlex.split(command)
        assert awase == "./awase"
        done = subprocess.run(
            [sys.executable, "-m", "backend.cli.main", *arguments], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        told.append(done.stderr)
    assert told[1] == f"4 of 4 settings are in {tmp_path / 'plants.json'} already\n"
    assert "four-plants" in Path("plants.html").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    exec(question, names)
    best = names["best"]
    assert len(best) == 4 * 4
    for start in range(0, 16, 4):
        assert [row[2] for row in best[start : start + 2]] == ["centralised", "regmean"]
    assert {row[:2] for row in best} == {(alpha, every) for alpha in (0.1, 0.5) for every in (1, 2)}
