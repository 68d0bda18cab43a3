"""What a worker with a CUDA device must keep to. Collected only where there is one.

The tests run each pilot in a process of its own: torch takes its settings for CUDA once.
"""

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import torch

from dimat.merging.registry import METHODS
from dimat.model_spec import CnnSpec
from dimat.models.registry import empty_model, initial_params, load
from dimat.params import Params
from dimat.spec import PilotSpec
from dimat.training.checkpoint import Checkpoint
from dimat.training.local import Pass, Trained, cosine, train
from dimat.training.repeatable import compute_repeatably
from dimat.training.seeding import torch_rng
from dimat.training.stopping import Stopping
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


def interrupted_after(num_epochs: int, device: str) -> tuple[Trained, Trained, list[str]]:
    """What training tells that went through, what it tells that went on after so many epochs, and which tensors of them differ."""
    compute_repeatably()
    rng = torch_rng(0, "rows")
    x, y = torch.randn(200, 1, 28, 28, generator=rng), torch.randint(10, (200,), generator=rng)
    held_out = Stopping(2, x[150:].to(device), y[150:].to(device))
    how = Pass(5, lambda epoch: cosine(0.05, epoch / 5), 32, 0.9, 5e-4, 2.0, stopping=held_out)
    model = empty_model(CnnSpec(width=8), (1, 28, 28), 10)
    start = initial_params(model, torch_rng(0, "init"))
    model = model.to(device)
    kept: list[Checkpoint] = []

    def trained(begin: Checkpoint | None) -> tuple[Trained, Params]:
        load(model, start)
        order = torch_rng(0, "order")
        told = train(
            model, x[:150].to(device), y[:150].to(device), how, order,
            start=begin, on_epoch=lambda take: kept.append(take()),
        )  # fmt: skip
        return told, {name: tensor.cpu().clone() for name, tensor in model.state_dict().items()}

    through, params = trained(None)
    again, params_again = trained(kept[num_epochs - 1])
    both = [(params, params_again), (through.momentum, again.momentum)]
    unlike = [name for one, other in both for name in one if not torch.equal(one[name], other[name])]
    return replace(through, momentum={}), replace(again, momentum={}), unlike


@pytest.mark.parametrize("num_epochs", [1, 3])
def test_training_on_cuda_goes_on_after_an_epoch_in_the_same_bits(num_epochs: int) -> None:
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        through, again, unlike = pool.submit(interrupted_after, num_epochs, "cuda:0").result()
    assert through == again
    assert not unlike


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
