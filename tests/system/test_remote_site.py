"""A site on a machine of its own, as docs/remote-sites.md says: broker with a password, a store that both reach."""

import json
from pathlib import Path
from typing import Any

from dimat.spec import PilotSpec
from tests import services
from tests.system import house
from tests.system.house import PENDIGITS, House, until
from tests.system.site_workers import SiteWorker
from worker.simulate import simulate_spec


def state_of_far(server: House) -> str:
    return str(next(site["state"] for site in server.get("/sites")["items"] if site["name"] == "far"))


def test_a_remote_site_takes_part_and_its_worker_may_die_in_the_middle(tmp_path: Path) -> None:
    spec: dict[str, Any] = house.small_pilot(rounds=20, train={"warmup_epochs": 3, "epochs": 2})
    spec["sites"][2]["name"] = "far"
    del spec["arms"][0]  # the one without merges waits for nobody
    with services.broker(password="between-us") as broker:
        shared = {"BROKER_URL": broker, "AWASE_ARTIFACTS": str(tmp_path / "store")}
        with house.running(tmp_path / "server", **shared, AWASE_SILENT_AFTER_S="5") as server:
            server.post("/sites", {"name": "far", "data": PENDIGITS, "placement": "remote"})
            with SiteWorker("far", tmp_path / "far", **shared):
                until(lambda: state_of_far(server) == "online", "the remote site is online")
                pilot_id = server.launch(spec)
                server.wait_for_round(pilot_id, 2)
            until(lambda: state_of_far(server) != "online", "the remote site is seen to be away")
            (run,) = server.runs(pilot_id)
            assert (run["state"], run["progress"]["params"]["waiting"]) == ("running", "far")
            placements = {tuple(one["queues"]): one["placement"] for one in server.get("/health")["workers"]}
            local = next(queues for queues, placement in placements.items() if placement == "local")
            assert not any("far" in queue for queue in local)  # nobody else did its steps
            with SiteWorker("far", tmp_path / "far", **shared):
                result = server.wait_for_end(pilot_id)
    expected = json.loads(json.dumps(simulate_spec(PilotSpec.model_validate(spec))))
    (run,) = result["runs"]
    assert run["state"] == "completed"
    assert run["final_artifacts"] == expected["runs"][0]["final_artifacts"]
