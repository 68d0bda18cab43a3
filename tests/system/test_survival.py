"""Parts die, people interrupt: the run goes on or ends with a reason, and nothing is left behind."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from dimat.spec import PilotSpec
from tests.services import Postgres
from tests.system import house
from tests.system.house import House
from worker.simulate import simulate_spec


def artifacts(result: dict[str, Any]) -> dict[str, Any]:
    return {run["arm"]: run["final_artifacts"] for run in result["runs"]}


def is_at_work(process: psutil.Process) -> bool:
    """A dead process that its new parent has not yet collected is no process left behind."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    return artifacts(json.loads(json.dumps(simulate_spec(PilotSpec.model_validate(long_pilot())))))


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One Awase for all that it must survive; nothing here may need the end of a lease."""
    with house.running(tmp_path_factory.mktemp("house"), AWASE_LEASE_S="3600") as running:
        yield running


def long_pilot(**changes: Any) -> dict[str, Any]:
    """Long enough to be interrupted in the middle."""
    return house.small_pilot(rounds=20, train={"warmup_epochs": 3, "epochs": 2}, **changes)


@pytest.mark.parametrize("part", ["worker", "coordinator", "api", "broker"])
def test_a_killed_part_is_restarted_and_the_run_ends_in_the_same_artifacts(
    part: str, up: House, expected: dict[str, Any]
) -> None:
    pilot_id = up.launch(long_pilot(name=f"without-{part}"))
    up.wait_for_round(pilot_id, 2)
    killed = up.part(part).pid
    assert not all(run["state"] in house.ENDED for run in up.runs(pilot_id))
    up.kill(part)
    result = up.wait_for_end(pilot_id)
    assert [run["state"] for run in result["runs"]] == ["completed", "completed"]
    assert artifacts(result) == expected
    assert up.part(part).pid != killed


def test_the_steps_of_killed_processes_of_the_worker_are_done_again_before_their_lease_ends(
    up: House, expected: dict[str, Any]
) -> None:
    pilot_id = up.launch(long_pilot(name="without-pool"))
    up.wait_for_round(pilot_id, 2)
    worker = up.part("worker").pid
    assert not all(run["state"] in house.ENDED for run in up.runs(pilot_id))
    for process in up.pool():
        process.kill()
    assert artifacts(up.wait_for_end(pilot_id)) == expected  # the house's lease is longer than any wait here
    assert up.part("worker").pid == worker


def test_training_goes_on_in_the_epoch_in_which_its_process_was_killed(tmp_path: Path) -> None:
    spec = house.small_pilot(
        name="long-epochs", rounds=1, arms=[{"name": "alone", "method": "local_only"}],
        train={"warmup_epochs": 400, "patience": 400, "epochs": 1},
    )  # fmt: skip
    expected = artifacts(json.loads(json.dumps(simulate_spec(PilotSpec.model_validate(spec)))))
    with house.running(tmp_path, AWASE_LEASE_S="3600", AWASE_CHECKPOINT_EVERY_S="0.1") as up:
        pilot_id = up.launch(spec)
        (run,) = up.runs(pilot_id)

        def prepares() -> list[dict[str, Any]]:
            steps: list[dict[str, Any]] = up.get(f"/runs/{run['id']}/steps?round=0&limit=100")["items"]
            return [step for step in steps if step["kind"] == "prepare"]

        house.until(lambda: any(0.3 < step["progress"] < 0.7 for step in prepares()), "one is in the middle")
        for process in up.pool():
            process.kill()
        assert artifacts(up.wait_for_end(pilot_id)) == expected
        again = [step for step in prepares() if step["attempt"] > 1]
        resumed = [step for step in again if step["resumed"] is not None]
        assert resumed
        for step in resumed:
            assert step["resumed"]["asked"] == step["num_epochs"] == 400
            assert step["words"]["code"] == "prepare.completed_resumed"
        # It had a third behind it when it was killed, and did not train that again.
        assert max(step["resumed"]["done"] for step in resumed) > 0.2 * 400


def test_a_cancelled_run_ends_cancelled_and_the_others_go_on(up: House) -> None:
    pilot_id = up.launch(long_pilot(name="cancelled"))
    up.wait_for_round(pilot_id, 0)
    first = up.runs(pilot_id)[0]
    up.post(f"/runs/{first['id']}/cancel")
    result = up.wait_for_end(pilot_id)
    states = {run["arm"]: (run["state"], run["reason"]["code"]) for run in result["runs"]}
    assert states.pop(first["arm"]) == ("cancelled", "cancelled")
    assert list(states.values()) == [("completed", "completed")]


def test_a_run_whose_model_diverges_fails_with_a_reason(up: House) -> None:
    arms = [{"name": "alone", "method": "local_only"}]
    diverging = {
        "warmup_epochs": 0,
        "lr": 10.0,
        "grad_clip": 1e6,
        "weight_decay": 1.0,
        "momentum": 0.99,
        "epochs": 30,
    }
    pilot_id = up.launch(house.small_pilot(name="diverging", arms=arms, train=diverging))
    (run,) = up.wait_for_end(pilot_id)["runs"]
    assert (run["state"], run["reason"]["code"]) == ("failed", "non_finite_params")
    assert run["reason"]["params"]["site"].startswith("site-")


def test_a_second_start_on_the_same_data_directory_is_refused(up: House) -> None:
    refused = house.awase("up", "--port", "0", "--data-dir", str(up.data_dir), timeout_s=60)
    assert refused.returncode != 0
    assert "in use" in refused.stderr
    assert str(up.data_dir) in refused.stderr


def test_a_taken_port_is_refused_by_its_number(up: House, tmp_path: Path) -> None:
    port = up.origin.rsplit(":", 1)[1]
    refused = house.awase("up", "--port", port, "--data-dir", str(tmp_path), timeout_s=60)
    assert refused.returncode != 0
    assert port in refused.stderr
    assert "--port" in refused.stderr


@pytest.mark.parametrize("most_bytes", [0, 100_000])
def test_a_disk_that_takes_no_more_is_told_in_one_line(most_bytes: int, tmp_path: Path) -> None:
    """Of the lock, the first file, or only of the database: a limit of the system refuses what is longer."""
    data_dir = tmp_path / "data"
    limited = [
        "prlimit",
        f"--fsize={most_bytes}",
        *house.command("up", "--port", "0", "--data-dir", str(data_dir)),
    ]
    refused = subprocess.run(
        limited, cwd=house.ROOT, env=house.environment(), capture_output=True, text=True, timeout=120, check=False
    )  # fmt: skip
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert line.startswith("awase: ")
    assert str(data_dir) in line
    assert "disk" in line or "space" in line


def test_ctrl_c_in_the_middle_leaves_no_process_and_the_run_goes_on_at_the_next_start(
    tmp_path: Path, expected: dict[str, Any]
) -> None:
    with house.running(tmp_path) as up:
        pilot_id = up.launch(long_pilot())
        up.wait_for_round(pilot_id, 1)
        processes = up.processes()
        assert len(processes) >= 5
        up.process.send_signal(signal.SIGINT)
        up.process.wait(10)
        _gone, alive = psutil.wait_procs(processes, timeout=1)
        assert [process for process in alive if is_at_work(process)] == []
    with house.running(tmp_path, AWASE_LEASE_S="3600") as up:
        assert artifacts(up.wait_for_end(pilot_id)) == expected


def test_after_a_sudden_end_of_everything_the_next_start_goes_on_before_any_lease_ends(
    tmp_path: Path, expected: dict[str, Any]
) -> None:
    with house.running(tmp_path) as up:
        pilot_id = up.launch(long_pilot())
        up.wait_for_round(pilot_id, 1)
        processes = up.processes()
        up.process.kill()
        up.process.wait(10)
        _gone, alive = psutil.wait_procs(processes, timeout=5)
        assert [process for process in alive if is_at_work(process)] == []
    with house.running(tmp_path, AWASE_LEASE_S="3600") as up:
        assert artifacts(up.wait_for_end(pilot_id)) == expected


def test_a_restart_of_postgresql_costs_a_run_nothing(
    postgres: Postgres, tmp_path: Path, expected: dict[str, Any]
) -> None:
    with house.running(tmp_path, DATABASE_URL=postgres.url(postgres.create()), AWASE_LEASE_S="3600") as up:
        pilot_id = up.launch(long_pilot())
        up.wait_for_round(pilot_id, 2)
        coordinator = up.part("coordinator").pid
        postgres.restart(down_s=3)
        assert not all(run["state"] in house.ENDED for run in up.runs(pilot_id))
        result = up.wait_for_end(pilot_id)
        assert [run["state"] for run in result["runs"]] == ["completed", "completed"]
        assert artifacts(result) == expected
        # It could not be sure to be alone any more, said so, and was started again.
        assert up.part("coordinator").pid != coordinator
        said = (tmp_path / "logs" / "coordinator.log").read_text()
        assert "the connection that held the coordinator's lock is gone" in said.lower()


def test_a_second_start_on_the_same_database_is_refused(postgres: Postgres, tmp_path: Path) -> None:
    """Also from another data directory: it would send the first one's steps to a worker and store of its own."""
    settings = {"DATABASE_URL": postgres.url(postgres.create())}
    with house.running(tmp_path / "first", **settings):
        refused = house.awase(
            "up", "--port", "0", "--data-dir", str(tmp_path / "second"), timeout_s=60, **settings
        )
    assert refused.returncode == 1
    assert refused.stderr.startswith("awase: another Awase is at work on this database.")


def test_a_database_that_cannot_be_used_is_told_with_what_it_said(postgres: Postgres, tmp_path: Path) -> None:
    refused = house.awase(
        "up", "--port", "0", "--data-dir", str(tmp_path), timeout_s=60, DATABASE_URL=postgres.url("nope")
    )
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert line.startswith("awase: the database cannot be used: ")
    assert 'database "nope" does not exist' in line


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_it_starts_and_another_while_it_stops_leave_no_process(
    sent: signal.Signals, tmp_path: Path
) -> None:
    with subprocess.Popen(
        house.command("up", "--port", "0", "--data-dir", str(tmp_path)),
        cwd=house.ROOT, env=house.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        start = psutil.Process(process.pid)
        house.until(lambda: len(start.children()) >= 2, "broker and worker run")
        children = start.children(recursive=True)
        process.send_signal(sent)
        time.sleep(0.2)
        process.send_signal(sent)
        said, _ = process.communicate(timeout=15)
        assert process.returncode != 0
        assert "Traceback" not in said
        _gone, alive = psutil.wait_procs(children, timeout=5)
        assert [child for child in alive if is_at_work(child)] == []
