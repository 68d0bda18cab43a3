"""Parts die, people interrupt: the run goes on or ends with a reason, and nothing is left behind."""

import json
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from dimat.spec import PilotSpec
from tests.system import house
from worker.simulate import simulate_spec


def artifacts(result: dict[str, Any]) -> dict[str, Any]:
    return {run["arm"]: run["final_artifacts"] for run in result["runs"]}


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    return artifacts(json.loads(json.dumps(simulate_spec(PilotSpec.model_validate(long_pilot())))))


def long_pilot() -> dict[str, Any]:
    """Long enough to be interrupted in the middle."""
    return house.small_pilot(rounds=12, train={"warmup_epochs": 3, "epochs": 2})


@pytest.mark.parametrize("part", ["worker", "coordinator", "api"])
def test_a_killed_part_is_restarted_and_the_run_ends_in_the_same_artifacts(
    part: str, tmp_path: Path, expected: dict[str, Any]
) -> None:
    with house.running(tmp_path) as up:
        pilot_id = up.launch(long_pilot())
        up.wait_for_round(pilot_id, 2)
        killed = up.part(part).pid
        up.kill(part)
        result = up.wait_for_end(pilot_id)
        assert [run["state"] for run in result["runs"]] == ["completed", "completed"]
        assert artifacts(result) == expected
        assert up.part(part).pid != killed


def test_ctrl_c_in_the_middle_leaves_no_process(tmp_path: Path) -> None:
    with house.running(tmp_path) as up:
        pilot_id = up.launch(long_pilot())
        up.wait_for_round(pilot_id, 1)
        processes = up.processes()
        assert len(processes) >= 5
        up.process.send_signal(signal.SIGINT)
        up.process.wait(10)
        _gone, alive = psutil.wait_procs(processes, timeout=1)
        assert alive == []


def test_a_run_goes_on_after_a_stop_and_a_start(tmp_path: Path, expected: dict[str, Any]) -> None:
    with house.running(tmp_path) as up:
        pilot_id = up.launch(long_pilot())
        up.wait_for_round(pilot_id, 1)
    with house.running(tmp_path, AWASE_LEASE_S="8") as up:
        assert artifacts(up.wait_for_end(pilot_id)) == expected


def test_a_cancelled_run_ends_cancelled_and_the_others_go_on(tmp_path: Path) -> None:
    with house.running(tmp_path) as up:
        pilot_id = up.launch(long_pilot())
        up.wait_for_round(pilot_id, 0)
        first = up.runs(pilot_id)[0]
        up.post(f"/runs/{first['id']}/cancel")
        result = up.wait_for_end(pilot_id)
        states = {run["arm"]: (run["state"], run["reason"]["code"]) for run in result["runs"]}
        assert states.pop(first["arm"]) == ("cancelled", "cancelled")
        assert list(states.values()) == [("completed", "completed")]


def test_a_run_whose_model_diverges_fails_with_a_reason(tmp_path: Path) -> None:
    with house.running(tmp_path) as up:
        arms = [{"name": "alone", "method": "local_only"}]
        diverging = {
            "warmup_epochs": 0,
            "lr": 10.0,
            "grad_clip": 1e6,
            "weight_decay": 1.0,
            "momentum": 0.99,
            "epochs": 30,
        }
        pilot_id = up.launch(house.small_pilot(arms=arms, train=diverging))
        (run,) = up.wait_for_end(pilot_id)["runs"]
        assert (run["state"], run["reason"]["code"]) == ("failed", "non_finite_params")
        assert run["reason"]["params"]["site"].startswith("site-")


def test_a_second_start_on_the_same_data_directory_is_refused(tmp_path: Path) -> None:
    with house.running(tmp_path):
        refused = house.awase("up", "--port", "0", "--data-dir", str(tmp_path), timeout_s=60)
    assert refused.returncode != 0
    assert "in use" in refused.stderr
    assert str(tmp_path) in refused.stderr


def test_a_taken_port_is_refused_by_its_number(tmp_path: Path) -> None:
    with house.running(tmp_path / "first") as up:
        port = up.origin.rsplit(":", 1)[1]
        refused = house.awase("up", "--port", port, "--data-dir", str(tmp_path / "second"), timeout_s=60)
    assert refused.returncode != 0
    assert port in refused.stderr
    assert "--port" in refused.stderr
