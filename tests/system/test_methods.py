"""Every method, distributed: it ends in the same bits as in one process."""

import json
from pathlib import Path
from typing import Any

from dimat.merging.registry import METHODS
from dimat.parts import MergePatch, WireSpec
from dimat.plan import Amendment, Patch
from dimat.spec import PilotSpec
from tests.system import house
from worker.simulate import simulate_spec


def test_every_method_ends_in_the_same_artifacts_as_in_one_process(tmp_path: Path) -> None:
    """With each its own rhythm, so that what a merge left is needed two rounds later, with kept momentum, and with a method that
    changes on the way."""
    arms: list[dict[str, Any]] = [{"name": method, "method": method} for method in METHODS]
    arms += [
        {"name": "slow", "method": "slowmo", "merge": {"merge_every": 2}, "train": {"keep_momentum": True}},
        {"name": "ends-merged", "method": "regmean", "merge": {"final_merge": True}},
        {"name": "as-they-are", "method": "regmean", "merge": {"align": False, "off_diagonal": 0.5}},
        {
            "name": "blind",
            "method": "fisher",
            "train": {"loss": "balanced_softmax"},
            "topology": {"kind": "ring"},
        },
        {"name": "tree", "method": "regmean", "merge": {"over": "tree"}},
        {"name": "tree-slow", "method": "slowmo", "merge": {"over": "tree", "merge_every": 2}},
        {"name": "tree-as-they-are", "method": "fisher", "merge": {"over": "tree", "align": False}},
        {"name": "half", "method": "dimat", "merge": {"wire": {"numbers": "float16", "compress": True}}},
        {"name": "eight-bits", "method": "regmean", "merge": {"wire": {"numbers": "int8"}, "merge_every": 2}},
        {
            "name": "eight-bits-tree",
            "method": "regmean",
            "merge": {"wire": {"numbers": "int8"}, "over": "tree"},
        },
        {"name": "brain", "method": "common_basis", "merge": {"wire": {"numbers": "bfloat16"}}},
        {"name": "head", "method": "regmean", "merge": {"ridge_head": True}},
        {"name": "head-tree", "method": "common_basis", "merge": {"ridge_head": True, "over": "tree"}},
        {
            "name": "early",
            "method": "regmean",
            "train": {
                "epochs": 6,
                "lr": 0.5,
                "patience": 1,
                "class_weights": "balanced",
                "keep_momentum": True,
            },
        },
        {"name": "own-beside", "method": "dimat", "train": {"own_model": True, "keep_momentum": True}},
        {"name": "warm", "method": "dimat_guarded", "merge": {"warm_start": True, "merge_every": 2}},
        {"name": "warm-weights", "method": "weight_matching", "merge": {"warm_start": True}},
        {"name": "squeezed", "method": "fisher", "merge": {"wire": {"compress": True}}},
        {
            "name": "differences",
            "method": "dimat",
            "merge": {"wire": {"numbers": "bfloat16", "compress": True, "deltas": True}},
        },
        {"name": "turns", "method": "dimat", "train": {"keep_momentum": True}},
    ]
    patch = Patch(method="regmean", merge=MergePatch(wire=WireSpec(numbers="int8")))
    turn = Amendment(arm="turns", from_round=3, patch=patch, by="manager", why="to see its effect")
    spec = house.small_pilot(
        rounds=4, arms=arms, topology={"kind": "line"}, train={"warmup_epochs": 2, "patience": 1}
    )
    with house.running(tmp_path) as server:
        pilot_id = server.launch(spec, [turn])
        result = server.wait_for_end(pilot_id)
        booked = {
            run["arm"]: {
                one["fetched_for"] for one in server.get(f"/runs/{run['id']}/exchanges?limit=200")["items"]
            }
            for run in server.runs(pilot_id)
        }
        differing = next(run for run in server.runs(pilot_id) if run["arm"] == "differences")
        fetched = server.get(f"/runs/{differing['id']}/exchanges?limit=200")["items"]
        early = next(run for run in server.runs(pilot_id) if run["arm"] == "early")
        steps = server.get(f"/runs/{early['id']}/steps?limit=200")["items"]
    expected = json.loads(json.dumps(simulate_spec(PilotSpec.model_validate(spec), amendments=[turn])))
    assert len(result["runs"]) == len(arms)
    for found, known in zip(result["runs"], expected["runs"], strict=True):
        assert (found["arm"], found["state"]) == (known["arm"], "completed")
        for name in ("final_artifacts", "rounds", "bytes_exchanged", "bytes_uploaded"):
            assert found[name] == known[name], (found["arm"], name)
    by_round = {(one["round"], one["wire_format"]) for one in fetched}
    assert by_round >= {(round, "bfloat16+zstd+delta") for round in (2, 3, 4)}
    assert booked["fisher"] == booked["regmean"] == {"align", "merge", "moments"}
    assert booked["head"] == booked["head-tree"] == {"align", "merge", "moments"}
    assert booked["tree"] == {"align", "merge", "moments"}
    assert booked["tree-as-they-are"] == {"merge", "moments"}
    assert booked["federated_average"] == {"merge"}
    assert booked["turns"] == {"align", "merge", "moments"}
    assert booked["slowmo"] == {"align", "merge"}
    assert booked["weight_matching"] == {"merge"}
    epochs = {
        kind: {one["num_epochs"] for one in steps if one["kind"] == kind} for kind in ("train", "merge")
    }
    assert epochs["train"] <= set(range(2, 7))
    assert min(epochs["train"]) < 6
    assert epochs["merge"] == {None}


def test_a_site_that_allows_fewer_epochs_ends_in_the_same_artifacts_as_in_one_process(tmp_path: Path) -> None:
    """Rates fall by the share of the round, and it may end early, whatever the number of epochs."""
    train = {"warmup_epochs": 2, "epochs": 3, "patience": 2, "keep_momentum": True}
    spec = house.small_pilot(rounds=2, train=train)
    slow = spec["sites"][1]
    with house.running(tmp_path) as server:
        site = server.post("/sites", {"name": slow["name"], "data": slow["data"]})
        server.patch(f"/sites/{site['id']}", {"limits": {"max_epochs": 1}})
        pilot_id = server.launch(spec)
        result = server.wait_for_end(pilot_id)
        run, *_ = server.runs(pilot_id)
        steps = server.get(f"/runs/{run['id']}/steps?limit=200")["items"]
    limited = {**spec, "sites": [spec["sites"][0], {**slow, "max_epochs": 1}, spec["sites"][2]]}
    expected = json.loads(json.dumps(simulate_spec(PilotSpec.model_validate(limited))))
    whole = json.loads(json.dumps(simulate_spec(PilotSpec.model_validate(spec))))
    found = [run["final_artifacts"] for run in result["runs"]]
    assert found == [run["final_artifacts"] for run in expected["runs"]]
    assert found != [run["final_artifacts"] for run in whole["runs"]]
    epochs = {(one["site_name"], one["num_epochs"]) for one in steps if one["kind"] == "train"}
    assert {number for name, number in epochs if name == slow["name"]} == {1}
    prepared = {one["site_name"]: one["num_epochs"] for one in steps if one["kind"] == "prepare"}
    assert prepared[slow["name"]] == 2
