"""What the layout of images in memory and bfloat16 do to the time of training, in ratios that one run measured.

    .venv/bin/python benchmarks/training.py [--rows 128] [--repeats 5] [--only WORD] [--device cpu] [--json FILE]

For each model an epoch of the product's own training, with one thread, in four ways: images and kernels as they are stored or with
channels last, the model in float32 or in bfloat16 (autocast). The ways take turns, so that a busy moment meets them all; what is told is
the median over the repeats, on the processor in processor seconds, on CUDA in seconds. The first turn wakes libraries up and does not count.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402
from pydantic import TypeAdapter  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from benchmarks.machine import device_name, machine  # noqa: E402
from dimat.model_spec import ModelSpec  # noqa: E402
from dimat.models.registry import empty_model, initial_params, load  # noqa: E402
from dimat.training.local import Pass, train  # noqa: E402
from dimat.training.repeatable import compute_repeatably  # noqa: E402
from dimat.training.seeding import torch_rng  # noqa: E402

NUM_CLASSES = 10
MODELS: tuple[tuple[str, dict[str, Any], tuple[int, ...]], ...] = (
    ("mlp 128-128, 16 features", {"kind": "mlp", "hidden": [128, 128]}, (16,)),
    ("mlp 1024-1024, 784 features", {"kind": "mlp", "hidden": [1024, 1024]}, (784,)),
    ("cnn 16, 28x28", {"kind": "cnn", "width": 16}, (1, 28, 28)),
    ("cnn 64, 28x28", {"kind": "cnn", "width": 64}, (1, 28, 28)),
    ("resnet20 w1, 28x28", {"kind": "resnet20", "width": 1.0}, (1, 28, 28)),
    ("resnet20 w4, 32x32", {"kind": "resnet20", "width": 4.0}, (3, 32, 32)),
    ("vgg16_bn w0.25, 32x32", {"kind": "vgg16_bn", "width": 0.25}, (3, 32, 32)),
)
WAYS = (
    ("stored", False, False),
    ("channels last", False, True),
    ("bfloat16", True, False),
    ("both", True, True),
)


class InBfloat16(nn.Module):
    """A model that computes in bfloat16 where torch deems it safe; its params, and what it answers, are float32."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16):
            logits: Tensor = self.model(x)
        return logits.float()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", default="", help="models whose name holds this")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    compute_repeatably()
    where = device_name(wanted.device) if wanted.device != "cpu" else "processor"
    about = machine(
        where, f"{torch.get_num_threads()} thread", f"bfloat16 instructions: {_knows_bfloat16()}",
        f"load before {os.getloadavg()[0]:.1f}",
    )  # fmt: skip
    print(about)
    print(f"{'':<30}{'stored':>12}" + "".join(f"{name:>16}" for name, _, _ in WAYS[1:]), flush=True)
    found = []
    for name, content, shape in MODELS:
        if wanted.only not in name:
            continue
        spec = TypeAdapter(ModelSpec).validate_python(content)
        seconds = _measured(spec, shape, wanted.rows, wanted.repeats, wanted.device)
        first, *others = seconds.values()
        print(f"{name:<30}{first:>11.3f}s" + "".join(f"{s / first:>15.2f}x" for s in others), flush=True)
        found.append({"model": name, "seconds": seconds})
    if wanted.json:
        content = {"machine": about, "rows": wanted.rows, "repeats": wanted.repeats, "found": found}
        wanted.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return 0


def _measured(
    spec: ModelSpec, shape: tuple[int, ...], num_rows: int, repeats: int, device: str
) -> dict[str, float]:
    """Seconds of an epoch in each of `WAYS`; without images the layout stays."""
    rng = torch_rng(0, "rows")
    x = torch.randn(num_rows, *shape, generator=rng).to(device)
    y = torch.randint(NUM_CLASSES, (num_rows,), generator=rng).to(device)
    model = empty_model(spec, shape, NUM_CLASSES)
    start = initial_params(model, torch_rng(0, "init"))
    model = model.to(device)
    taken: dict[str, list[float]] = {name: [] for name, _, _ in WAYS}
    for turn in range(repeats + 1):
        for name, in_bfloat16, channels_last in WAYS:
            load(model, start)
            net = InBfloat16(model) if in_bfloat16 else model
            images = channels_last and len(shape) == 3
            how = Pass(1, lambda _: 0.01, 32, 0.9, 5e-4, 2.0, channels_last=images)
            began = _now(device)
            train(net, x, y, how, torch_rng(0, "order"))
            if turn:
                taken[name].append(_now(device) - began)
    return {name: median(each) for name, each in taken.items()}


def _now(device: str) -> float:
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def _knows_bfloat16() -> str:
    """Whether the processor computes in it or only takes it in and widens it."""
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text(encoding="utf-8").split() if cpuinfo.exists() else []
    known = sorted({flag for flag in flags if flag in ("avx512_bf16", "amx_bf16")})
    return " ".join(known) or "none"


if __name__ == "__main__":
    sys.exit(main())
