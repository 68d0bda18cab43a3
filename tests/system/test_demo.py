"""The product from outside: one command, one file of results, the same numbers every time."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.system.house import ROOT, awase

DEMO = ROOT / "data" / "pilots" / "demo.toml"


def result_of(*arguments: str, file: Path) -> dict[str, Any]:
    done = awase(*arguments, "--json", str(file))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    result: dict[str, Any] = json.loads(file.read_text())
    return result


def final_artifacts(result: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {f"{run['arm']}/{run['seed']}": run["final_artifacts"] for run in result["runs"]}


@pytest.mark.timeout(590)
def test_demo_twice_gives_the_artifacts_of_simulate(tmp_path: Path) -> None:
    demo = ("demo", "--exit", "--port", "0", "--data-dir", str(tmp_path / "data"))
    simulated = result_of("simulate", str(DEMO), file=tmp_path / "simulated.json")
    first = result_of(*demo, file=tmp_path / "1.json")
    again = result_of(*demo, file=tmp_path / "2.json")

    assert len(final_artifacts(simulated)) == 5
    assert all(len(models) == 8 for models in final_artifacts(simulated).values())
    assert final_artifacts(first) == final_artifacts(simulated)
    assert final_artifacts(again) == final_artifacts(simulated)
    for mine, theirs in zip(first["runs"], simulated["runs"], strict=True):
        assert mine["rounds"] == theirs["rounds"]
        assert mine["bytes_exchanged"] == theirs["bytes_exchanged"]
        assert (mine["state"], mine["bytes_wasted"]) == ("completed", 0)
