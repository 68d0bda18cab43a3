"""The tutorials are true: their code runs as it stands."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

DOCS = Path(__file__).resolve().parents[2] / "docs"


def run(page: str) -> dict[str, Any]:
    parts = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict[str, Any] = {}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        exec("\n".join(parts), names)
    return names


def test_two_own_models_merge_as_the_tutorial_says() -> None:
    names = run("merge-two-models.md")
    assert names["groups"].coverage > 0.9
    assert names["after"] > names["plain"] + 0.05
    assert names["by_moments"] > names["plain"] + 0.05


def test_a_pilot_on_own_rows_predicts_numbers_as_the_tutorial_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("predict-numbers.md")
    shown = {
        method: [float(score) for score in scores]
        for method, *scores in map(str.split, capsys.readouterr().out.splitlines())
    }
    assert list(shown) == ["local_only", "plain_average", "common_basis", "regmean"]
    assert min(shown[method][-1] for method in ("local_only", "common_basis", "regmean")) > 0.8
    assert shown["common_basis"][1] > shown["plain_average"][1] + 0.1
