"""The tutorial is true: its code runs as it stands."""

import re
from pathlib import Path
from typing import Any

import torch

TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "merge-two-models.md"


def test_two_own_models_merge_as_the_tutorial_says() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", TUTORIAL.read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict[str, Any] = {}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        exec(code, names)
    assert names["groups"].coverage > 0.9
    assert names["after"] > names["plain"] + 0.05
