"""Sites that come and go while a pilot runs, distributed: it ends in the same bits as in one process."""

import json
from pathlib import Path
from typing import Any

from dimat.plan import Amendment, Patch
from dimat.spec import PilotSpec
from tests import services
from tests.system import house
from tests.system.house import PENDIGITS, absence_of, until
from tests.system.site_workers import SiteWorker
from tests.system.test_remote_site import state_of_far
from worker.simulate import simulate_spec

NAMES = ("s0", "s1", "s2", "s3")


def test_sites_that_join_and_leave_end_in_the_same_artifacts_as_in_one_process(tmp_path: Path) -> None:
    arms = [
        {"name": "alone", "method": "local_only"},
        {"name": "matched", "method": "dimat", "train": {"keep_momentum": True}},
        {"name": "tree", "method": "regmean", "merge": {"over": "tree", "wire": {"numbers": "int8"}}},
    ]
    spec = house.small_pilot(
        rounds=5, arms=arms, waiting=["s3"], topology={"kind": "ring"}, train={"warmup_epochs": 2},
        sites=[{"name": name, "data": PENDIGITS} for name in NAMES],
    )  # fmt: skip
    amendments = [
        Amendment(from_round=3, patch=Patch(members=NAMES), by="manager", why="a new factory"),
        Amendment(from_round=5, patch=Patch(members=NAMES[1:]), by="manager", why="one is sold"),
    ]
    with house.running(tmp_path) as server:
        pilot_id = server.launch(spec, amendments)
        result = server.wait_for_end(pilot_id)
        matched = next(run for run in server.runs(pilot_id) if run["arm"] == "matched")
        exchanges = server.get(f"/runs/{matched['id']}/exchanges?limit=200")["items"]
    expected = json.loads(json.dumps(simulate_spec(PilotSpec.model_validate(spec), amendments=amendments)))
    for found, known in zip(result["runs"], expected["runs"], strict=True):
        assert (found["arm"], found["state"]) == (known["arm"], "completed")
        for name in ("final_artifacts", "rounds", "bytes_exchanged", "bytes_uploaded"):
            assert found[name] == known[name], (found["arm"], name)
    assert [one["round"] for one in exchanges if one["purpose"] == "join"] == [3]


def test_a_run_goes_on_without_a_silent_site_and_takes_it_back(tmp_path: Path) -> None:
    arms = [{"name": "basis", "method": "regmean"}, {"name": "matched", "method": "dimat"}]
    spec: dict[str, Any] = house.small_pilot(
        rounds=40, arms=arms, topology={"kind": "ring"}, silent={"policy": "skip", "limit_s": 8},
        train={"warmup_epochs": 3, "epochs": 2},
        sites=[{"name": name, "data": PENDIGITS} for name in ("s0", "s1", "s2", "far")],
    )  # fmt: skip
    with services.broker(password="between-us") as broker:
        shared = {"BROKER_URL": broker, "AWASE_ARTIFACTS": str(tmp_path / "store")}
        with house.running(tmp_path / "server", **shared, AWASE_SILENT_AFTER_S="5") as server:
            server.post("/sites", {"name": "far", "data": PENDIGITS, "placement": "remote"})
            with SiteWorker("far", tmp_path / "far", **shared) as far:
                until(lambda: state_of_far(server) == "online", "the remote site is online")
                pilot_id = server.launch(spec)
                server.wait_for_round(pilot_id, 2)
                with far.suspended():
                    until(
                        lambda: all(run["absences"] for run in server.runs(pilot_id)),
                        "both runs go on without the site",
                    )
                result = server.wait_for_end(pilot_id, within_s=400)
            runs = server.runs(pilot_id)
    absences = {(run["arm"], 1): [absence_of(one) for one in run["absences"]] for run in runs}
    assert any(one.until_round for of_run in absences.values() for one in of_run)
    expected = json.loads(json.dumps(simulate_spec(PilotSpec.model_validate(spec), absences=absences)))
    for found, known in zip(result["runs"], expected["runs"], strict=True):
        assert (found["arm"], found["state"]) == (known["arm"], "completed")
        for name in ("final_artifacts", "rounds", "bytes_exchanged"):
            assert found[name] == known[name], (found["arm"], name)
