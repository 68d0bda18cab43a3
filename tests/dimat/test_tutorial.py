"""The tutorials are true: their code runs as it stands."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from dimat.merging.registry import METHODS
from dimat.methods import ALIGNED_METHODS

DOCS = Path(__file__).resolve().parents[2] / "docs"


def run(page: str) -> dict[str, Any]:
    # Pages that tell figures seed torch themselves.
    parts = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict[str, Any] = {}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        exec("\n".join(parts), names)
    return names


def test_two_own_models_merge_as_the_tutorial_says(capsys: pytest.CaptureFixture[str]) -> None:
    """To the figures in its text, but for how a processor rounds."""
    names = run("merge-two-models.md")
    page = (DOCS / "merge-two-models.md").read_text(encoding="utf-8")
    told = "".join(re.findall(r"```text\n(.*?)```", page, flags=re.DOTALL))
    printed, number = capsys.readouterr().out, r"\b\d+(?=%)"
    assert re.sub(number, "#", printed) == re.sub(number, "#", told)
    assert [float(one) for one in re.findall(number, printed)] == pytest.approx(
        [float(one) for one in re.findall(number, told)], abs=3
    )
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


def test_the_page_of_the_library_runs_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    names = run("library.md")
    assert names["spec"].coverage > 0.9
    assert (
        max(names["output_change"](names["net"], names["spec"], names["rows"], names["rng"]).values()) < 1e-6
    )
    merged = names["merged"]
    assert set(merged) == set(METHODS)
    assert set(names["of_one_basis"]) == set(ALIGNED_METHODS)
    assert min(merged[method] for method in ALIGNED_METHODS) > merged["plain_average"] + 0.05
    assert all(bool(moved.any()) for moved in names["slowed"].momentum.values())
    again = names["merge_again"]("dimat_guarded", names["held"], names["warm"], names["left"]).permutations
    for j, permutations in names["warmed"].permutations.items():
        for name, permutation in permutations.items():
            assert float((permutation == again[j][name]).double().mean()) > 0.8
    assert [one.spec.kind for one in names["light"]]
    assert capsys.readouterr().out.count("rounds,") == 3
