"""What a worker with a CUDA device must keep to. Collected only where there is one.

The tests run each pilot in a process of its own: torch takes its settings for CUDA once.
"""

import json
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from dimat.merging.registry import METHODS
from dimat.spec import PilotSpec
from tests.system import house
from worker.simulate import simulate_spec

IMAGES = {"kind": "sample", "dataset": "fashion_mnist_6k"}
DIGITS = {"kind": "sample", "dataset": "pendigits"}


def simulated(pilot: str, device: str) -> dict[str, Any]:
    """In a fresh process, as worker children are."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(simulate_spec, PilotSpec.model_validate_json(pilot), device=device).result()


@cache
def once(pilot: str, device: str) -> dict[str, Any]:
    return simulated(pilot, device)


def small(model: dict[str, Any], data: dict[str, str], arms: list[dict[str, Any]], rows: int) -> str:
    return json.dumps({
        "name": "cuda", "rounds": 2, "topology": {"kind": "ring"}, "model": model,
        "data": {"rows_per_site": rows, "partition": {"kind": "dirichlet", "alpha": 0.5}},
        "train": {"warmup_epochs": 3}, "merge": {"probe": {"rows": 64}},
        "sites": [{"name": f"s{i}", "data": data} for i in range(4)], "arms": arms,
    })  # fmt: skip


EVERY_METHOD = small(
    {"kind": "mlp", "hidden": [32, 32]},
    DIGITS,
    [{"name": method, "method": method} for method in METHODS],
    200,
)
SOME = [{"name": method, "method": method} for method in ("dimat", "common_basis", "fisher")]
FAMILIES = {
    "cnn": small({"kind": "cnn"}, IMAGES, [*SOME, {"name": "regmean", "method": "regmean"}], 100),
    "resnet20": small({"kind": "resnet20", "width": 0.5}, IMAGES, SOME, 64),
}  # fmt: skip


@pytest.mark.parametrize("pilot", [EVERY_METHOD, *FAMILIES.values()], ids=["mlp", *FAMILIES])
def test_a_pilot_on_cuda_ends_in_the_same_bits_every_time(pilot: str) -> None:
    first, second = once(pilot, "cuda:0"), simulated(pilot, "cuda:0")
    for run, again in zip(first["runs"], second["runs"], strict=True):
        assert run["state"] == "completed", run["reason"]
        assert run["final_artifacts"] == again["final_artifacts"], run["arm"]


def test_on_cuda_every_method_gets_as_far_as_on_a_processor() -> None:
    """Bits differ, and training lets differences grow: accuracies stay within what a few test rows make."""
    for run, known in zip(
        once(EVERY_METHOD, "cuda:0")["runs"], once(EVERY_METHOD, "cpu")["runs"], strict=True
    ):
        for found, expected in zip(run["rounds"], known["rounds"], strict=True):
            mean, expected_mean = (one["after_train"]["all_site"]["mean"] for one in (found, expected))
            assert mean == pytest.approx(expected_mean, abs=0.02), (run["arm"], found["round"])


def test_workers_on_cuda_end_in_the_artifacts_of_simulate_on_cuda(tmp_path: Path) -> None:
    """The whole house: broker, forked children of a worker, store. Every step says which device it ran on."""
    pilot = json.loads(EVERY_METHOD)
    with house.running(tmp_path, AWASE_DEVICE="cuda") as server:
        pilot_id = server.launch(pilot)
        result = server.wait_for_end(pilot_id)
        devices = {
            step["device"]
            for run in server.runs(pilot_id)
            for step in server.get(f"/runs/{run['id']}/steps?limit=200")["items"]
        }
    for run, known in zip(result["runs"], once(EVERY_METHOD, "cuda:0")["runs"], strict=True):
        assert run["state"] == "completed", run["reason"]
        assert run["final_artifacts"] == known["final_artifacts"], run["arm"]
    assert devices == {"cuda:0"}
