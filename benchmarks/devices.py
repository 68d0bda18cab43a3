"""What a CUDA device is worth to a worker: seconds of its steps on the processor and on the device, in one run.

    .venv/bin/python benchmarks/devices.py [--rows 256] [--models 5] [--only WORD] [--tf32] [--json FILE]

For each model: an epoch of training (the second, when everything is warm), and a merge by matching of so many models.
The processor works with one thread, as a worker's child does; `cuda` is told as a ratio to it, with what the device computed
differently (largest difference of a merged number).
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402
from pydantic import TypeAdapter  # noqa: E402

from benchmarks.machine import machine  # noqa: E402
from dimat.merging import dimat  # noqa: E402
from dimat.merging.gram import gram, layers_of  # noqa: E402
from dimat.merging.mix import MergeInputs  # noqa: E402
from dimat.model_spec import ModelSpec  # noqa: E402
from dimat.models.registry import empty_model, initial_params, load  # noqa: E402
from dimat.models.symmetries import symmetries  # noqa: E402
from dimat.params import Params  # noqa: E402
from dimat.parts import MergeSpec  # noqa: E402
from dimat.training.local import Pass, train  # noqa: E402
from dimat.training.repeatable import compute_repeatably  # noqa: E402
from dimat.training.seeding import torch_rng  # noqa: E402

NUM_CLASSES, PROBE_ROWS = 10, 100
MODELS: tuple[tuple[str, dict[str, Any], tuple[int, ...]], ...] = (
    ("mlp 128-128, 16 features", {"kind": "mlp", "hidden": [128, 128]}, (16,)),
    ("mlp 1024-1024, 784 features", {"kind": "mlp", "hidden": [1024, 1024]}, (784,)),
    ("cnn 16, 28x28", {"kind": "cnn", "width": 16}, (1, 28, 28)),
    ("resnet20 w1, 32x32", {"kind": "resnet20", "width": 1.0}, (3, 32, 32)),
    ("resnet20 w4, 32x32", {"kind": "resnet20", "width": 4.0}, (3, 32, 32)),
    ("vgg16_bn w1, 32x32", {"kind": "vgg16_bn", "width": 1.0}, (3, 32, 32)),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--models", type=int, default=5)
    parser.add_argument("--only", default="", help="models whose name holds this")
    parser.add_argument(
        "--tf32", action="store_true", help="convolutions on the device may round inputs to 10 bits"
    )
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    compute_repeatably()
    torch.backends.cudnn.allow_tf32 = wanted.tf32
    if not torch.cuda.is_available():
        print("torch finds no CUDA device on this machine: nothing to compare")
        return 1
    load_before = os.getloadavg()[0]
    found = []
    print(f"{'':<30}{'':>12}{'train':>10}{'moments':>10}{'merge':>10}", flush=True)
    for name, about, shape in MODELS:
        if wanted.only not in name:
            continue
        spec = TypeAdapter(ModelSpec).validate_python(about)
        times, merged = {}, {}
        for device in ("cpu", "cuda:0"):
            times[device], merged[device] = _measured(spec, shape, wanted.rows, wanted.models, device)
            print(
                f"{name:<30}{device:>12}" + "".join(f"{s:>9.3f}s" for s in times[device].values()), flush=True
            )
        ratio = {part: times["cpu"][part] / times["cuda:0"][part] for part in times["cpu"]}
        apart = max(
            float((merged["cpu"][n].double() - merged["cuda:0"][n].double()).abs().max())
            for n in merged["cpu"]
        )
        print(
            f"{'':<30}{'times less':>12}"
            + "".join(f"{r:>10.1f}" for r in ratio.values())
            + f"  apart {apart:.1e}"
        )
        found.append({"model": name, "seconds": times, "times_less": ratio, "largest_difference": apart})
    about_run = {
        "machine": machine(torch.cuda.get_device_name(0), "1 thread", f"load before {load_before:.1f}"),
        "rows": wanted.rows,
        "models": wanted.models,
        "found": found,
    }
    print(about_run["machine"])
    if wanted.json:
        wanted.json.write_text(json.dumps(about_run, indent=1) + "\n", encoding="utf-8")
    return 0


def _measured(
    spec: Any, shape: tuple[int, ...], num_rows: int, num_models: int, device: str
) -> tuple[dict[str, float], Params]:
    """Seconds of an epoch, of second moments and of a merge, and what was merged."""
    rng = torch_rng(0, "rows")
    x = torch.randn(num_rows, *shape, generator=rng)
    y = torch.randint(NUM_CLASSES, (num_rows,), generator=rng)
    model = empty_model(spec, shape, NUM_CLASSES)
    models = {j: initial_params(model, torch_rng(j, "init")) for j in range(num_models)}
    groups = symmetries(spec, shape, NUM_CLASSES)
    model = model.to(device)
    here_x, here_y = x.to(device), y.to(device)

    def epoch() -> None:
        how = Pass(1, lambda _: 0.01, 32, 0.9, 5e-4, 2.0)
        train(model, here_x, here_y, how, torch_rng(0, "order"))

    def moments() -> None:
        gram(model, layers_of(model, groups), here_x[:PROBE_ROWS])

    def merge() -> Params:
        load(model, models[0])
        weights = dict.fromkeys(models, 1 / num_models)
        return dimat.merge(
            MergeInputs(model, groups, 0, models, weights, here_x[:PROBE_ROWS], MergeSpec())
        ).params

    return {"train": _second(epoch), "moments": _second(moments), "merge": _second(merge)}, merge()


def _second(work: Callable[[], Any]) -> float:
    """Seconds of the second call: the first one wakes libraries up."""
    work()
    _wait()
    began = time.perf_counter()
    work()
    _wait()
    return time.perf_counter() - began


def _wait() -> None:
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


if __name__ == "__main__":
    sys.exit(main())
