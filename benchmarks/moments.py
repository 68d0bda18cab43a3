"""What second moments of convolutions cost, and what a few places of each image are worth beside all of them.

    .venv/bin/python benchmarks/moments.py [--rows 100] [--only WORD] [--json FILE]

For each model one run takes the processor seconds of the second moments from every patch, unfolded and multiplied in float64 (the plain way), and from at most so
many places of an image (`dimat.merging.gram`), and tells how often less time that takes, with one thread as a worker's child has. `merged`
tells how far two merged models then differ from those of all patches, as a share of how far these differ from the plain mean.
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
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from benchmarks.machine import machine  # noqa: E402
from dimat.merging import plain_average, regmean  # noqa: E402
from dimat.merging.gram import gram, layers_of  # noqa: E402
from dimat.merging.sums import Summed, add  # noqa: E402
from dimat.model_spec import ModelSpec  # noqa: E402
from dimat.models.registry import empty_model, initial_params, load  # noqa: E402
from dimat.models.symmetries import symmetries  # noqa: E402
from dimat.params import Params  # noqa: E402
from dimat.parts import MergeSpec  # noqa: E402
from dimat.taps import look  # noqa: E402
from dimat.training.repeatable import compute_repeatably  # noqa: E402
from dimat.training.seeding import torch_rng  # noqa: E402

NUM_CLASSES, NUM_MODELS = 10, 2
PLACES: tuple[int | None, ...] = (16, 64, None)
"""None: as many as the product takes (`gram.enough_places`)."""
MODELS: tuple[tuple[str, dict[str, Any], tuple[int, ...]], ...] = (
    ("cnn 16, 28x28", {"kind": "cnn", "width": 16}, (1, 28, 28)),
    ("resnet20 w1, 32x32", {"kind": "resnet20", "width": 1.0}, (3, 32, 32)),
    ("resnet20 w4, 32x32", {"kind": "resnet20", "width": 4.0}, (3, 32, 32)),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--only", default="", help="models whose name holds this")
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    compute_repeatably()
    load_before = os.getloadavg()[0]
    found = []
    for name, about, shape in MODELS:
        if wanted.only not in name:
            continue
        found.append(
            {"model": name, **_measured(TypeAdapter(ModelSpec).validate_python(about), shape, wanted.rows)}
        )
        print(json.dumps(found[-1]), flush=True)
    about_run = {
        "machine": machine("1 thread", f"load before {load_before:.1f}"),
        "rows": wanted.rows,
        "found": found,
    }
    print(about_run["machine"])
    if wanted.json:
        wanted.json.write_text(json.dumps(about_run, indent=1) + "\n", encoding="utf-8")
    return 0


def _measured(spec: Any, shape: tuple[int, ...], num_rows: int) -> dict[str, Any]:
    x = _images(num_rows, shape)
    model = empty_model(spec, shape, NUM_CLASSES)
    models = {j: initial_params(model, torch_rng(j, "init")) for j in range(NUM_MODELS)}
    layers = layers_of(model, symmetries(spec, shape, NUM_CLASSES))
    plain_s, plain = _timed(lambda j: every_patch(load(model, models[j]), layers, x))
    mean = _merged(plain_average.METHOD, models, {j: {} for j in models})
    exact = _merged(regmean.METHOD, models, plain)
    apart = _distance(exact, mean)
    result: dict[str, Any] = {"plain_s": round(plain_s, 2)}
    for places in PLACES:
        seconds, few = _timed(lambda j, n=places: gram(load(model, models[j]), layers, x, n))
        result[f"at most {places}" if places else "product"] = {
            "times_less": round(plain_s / seconds, 1),
            "merged": round(_distance(_merged(regmean.METHOD, models, few), exact) / apart, 3),
        }
    return result


def every_patch(model: nn.Module, layers: tuple[str, ...], x: Tensor) -> Params:
    """Second moments in the plain way: for models whose convolutions pad by zeros."""
    totals: dict[str, Tensor] = {}
    counts: dict[str, int] = {}

    def keep(name: str) -> Callable[[nn.Module, Tensor], None]:
        def tap(layer: nn.Module, seen: Tensor) -> None:
            if isinstance(layer, nn.Conv2d):
                assert not isinstance(layer.padding, str)
                patches = functional.unfold(
                    seen, layer.kernel_size, layer.dilation, layer.padding, layer.stride
                )
                seen = patches.transpose(1, 2).reshape(-1, patches.shape[1])
            if getattr(layer, "bias", None) is not None:
                seen = functional.pad(seen, (0, 1), value=1.0)
            seen = seen.double()
            totals[name] = totals.get(name, 0) + seen.T @ seen
            counts[name] = counts.get(name, 0) + len(seen)

        return tap

    look(model, x, {name: keep(name) for name in layers})
    return {name: (totals[name] / counts[name]).float() for name in layers}


def _images(num_rows: int, shape: tuple[int, ...]) -> Tensor:
    """Smooth random images: neighbouring pixels are alike, as in photographs."""
    coarse = torch.randn(num_rows, shape[0], shape[1] // 4, shape[2] // 4, generator=torch_rng(0, "images"))
    return functional.interpolate(coarse, size=shape[1:], mode="bilinear")


def _timed(work: Callable[[int], Params]) -> tuple[float, dict[int, Params]]:
    """Processor seconds for a model, and what was found for each."""
    began = time.process_time()
    made = {j: work(j) for j in range(NUM_MODELS)}
    return (time.process_time() - began) / NUM_MODELS, made


def _merged(method: Summed, models: dict[int, Params], moments: dict[int, Params]) -> Params:
    total = add((1 / len(models), method.of_site(models[j], moments[j], MergeSpec())) for j in models)
    return method.params_of(total, models[0])


def _distance(one: Params, other: Params) -> float:
    squares = sum(
        float((one[name].double() - other[name].double()).square().sum()) for name in one if "weight" in name
    )
    return squares**0.5


if __name__ == "__main__":
    sys.exit(main())
