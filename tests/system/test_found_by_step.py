"""What went wrong with a step is found in the logs of all processes by the step's id."""

import json
from pathlib import Path
from typing import Any

from tests.system import house


def records(log: Path) -> list[dict[str, Any]]:
    """Every line is one, also of how a part began and ended."""
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]


def test_a_failed_step_is_found_by_its_id_in_the_logs_of_coordinator_and_worker(tmp_path: Path) -> None:
    diverging = {
        "warmup_epochs": 0, "lr": 10.0, "grad_clip": 1e6, "weight_decay": 1.0, "momentum": 0.99, "epochs": 30,
    }  # fmt: skip
    pilot = house.small_pilot(arms=[{"name": "alone", "method": "local_only"}], train=diverging)
    with house.running(tmp_path, AWASE_LOG="json") as up:
        pilot_id = up.launch(pilot)
        (run,) = up.wait_for_end(pilot_id)["runs"]
        (ran,) = up.runs(pilot_id)
        steps = up.get(f"/runs/{ran['id']}/steps?limit=200")["items"]
    assert run["state"] == "failed"
    failed = next(step for step in steps if step["state"] == "failed")
    code = run["reason"]["code"]
    for part, level in (("coordinator", "error"), ("worker", "warning")):
        (found,) = (
            line for line in records(tmp_path / "logs" / f"{part}.log")
            if line.get("step") == failed["id"] and line["level"] == level
        )  # fmt: skip
        assert code in found["message"], part
        assert (found["run"], found["site"], found["attempt"]) == (ran["id"], failed["site_name"], 1), part
        assert found["worker"].startswith("local-"), part
    assert any(line["logger"] == "uvicorn.error" for line in records(tmp_path / "logs" / "api.log"))
