"""A pilot that is changed while it runs, over HTTP: it ends in the same bits as in one process that knew of the changes from the
start."""

import json
from pathlib import Path
from typing import Any

from dimat.plan import Amendment
from dimat.spec import PilotSpec
from tests.system import house
from worker.simulate import simulate_spec

ROUNDS = 24


def test_changes_in_the_middle_of_a_run_give_the_bits_of_a_simulation_with_them(tmp_path: Path) -> None:
    """Epochs, weights of the graph, graph, rhythm, method, numbers: one after the other, each from as soon as possible on."""
    spec = house.small_pilot(
        rounds=ROUNDS,
        topology={"kind": "line"},
        train={"warmup_epochs": 2, "keep_momentum": True},
        arms=[
            {"name": "alone", "method": "local_only"},
            {"name": "matched", "method": "dimat"},
            {"name": "summed", "method": "regmean"},
        ],
    )
    changes: list[dict[str, Any]] = [
        {"patch": {"train": {"epochs": 2, "lr": 0.01}}},
        {"patch": {"topology": {"kind": "line", "mixing": "uniform"}}},
        {"patch": {"merge": {"wire": {"numbers": "int8"}}}},
        {"patch": {"topology": {"kind": "ring"}, "merge": {"merge_every": 2}}},
        {"patch": {"method": "common_basis", "merge": {"over": "tree"}}, "arm": "matched"},
        {"patch": {"method": "slowmo", "merge": {"wire": {"compress": True}}}, "arm": "summed"},
    ]
    with house.running(tmp_path) as server:
        pilot_id = server.launch(spec)
        path = f"/pilots/{pilot_id}/amendments"

        def told(id: str) -> dict[str, Any]:
            found: dict[str, Any] = next(one for one in server.get(path)["items"] if one["id"] == id)
            return found

        for body in changes:
            asked = server.post(path, {"why": "to see its effect", **body})
            house.until(lambda id=asked["id"]: told(id)["state"] != "asked", "it is decided")  # type: ignore[misc]
            decided = told(asked["id"])
            assert decided["state"] == "in_force", decided
            server.wait_for_round(pilot_id, min(decided["from_round"] - 1, ROUNDS))
        result = server.wait_for_end(pilot_id)
        items = server.get(path)["items"]
    assert [one["left_out"] for one in items] == [[]] * len(changes)
    amendments = [Amendment.model_validate(one) for one in result["pilot"]["amendments"]]
    assert [one.from_round for one in amendments] == [one["from_round"] for one in items]
    assert len({one.from_round for one in amendments}) > 1
    expected = json.loads(json.dumps(simulate_spec(PilotSpec.model_validate(spec), amendments=amendments)))
    assert expected["pilot"]["amendments"] == result["pilot"]["amendments"]
    for found, known in zip(result["runs"], expected["runs"], strict=True):
        assert (found["arm"], found["state"]) == (known["arm"], "completed"), found["reason"]
        for name in ("final_artifacts", "rounds", "bytes_exchanged", "bytes_uploaded"):
            assert found[name] == known[name], (found["arm"], name)
