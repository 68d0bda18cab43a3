"""What one merge by matching costs: processor seconds of each part, for one site and its neighbours.

    .venv/bin/python benchmarks/merge.py --arch resnet20 --width 8 --models 5 --images 100 --threads 2 [--json FILE]

It is the product's own merge (`dimat.merging`) with clocks around its parts: sending the images through every model and
picking up activations (forward), correlations (statistics), pairing (assignment), reordering (permute), the weighted mean
(mix), and the normalisation statistics of the result (norm_reset). `total` holds what lies between them, too. Symmetries of
the architecture are found once for each process and are told apart (`discover_s`). `peak_mib` is what the merge takes of memory
at its height, beyond what was there before it (Linux only).
"""

import argparse
import json
import math
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
from dimat.matching import activation  # noqa: E402
from dimat.merging import dimat  # noqa: E402
from dimat.merging.mix import MergeInputs  # noqa: E402
from dimat.merging.normalisation import reset_statistics  # noqa: E402
from dimat.model_spec import ModelSpec  # noqa: E402
from dimat.models.registry import empty_model, initial_params, load  # noqa: E402
from dimat.models.symmetries import symmetries  # noqa: E402
from dimat.parts import MergeSpec, ProbeSpec  # noqa: E402
from dimat.training.seeding import torch_rng  # noqa: E402

SHAPE, NUM_CLASSES = (3, 32, 32), 10
ARCHITECTURES = ("mlp", "cnn", "resnet20", "resnet50", "vgg16_bn", "vit")
"""Those of the registry that take images."""
WITHOUT_WIDTH = ("mlp", "vit")
PARTS = ("forward", "statistics", "assignment", "permute", "mix", "norm_reset", "total")


class Clock:
    """Processor seconds of all threads, by part."""

    def __init__(self) -> None:
        self.cpu_s = dict.fromkeys(PARTS, 0.0)

    def around(self, part: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any, **named: Any) -> Any:
            began = time.process_time()
            try:
                return work(*given, **named)
            finally:
                self.cpu_s[part] += time.process_time() - began

        return timed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--arch", default="resnet20", choices=ARCHITECTURES)
    parser.add_argument("--width", type=float, help="of architectures that have one; else as usual for it")
    parser.add_argument("--models", type=int, default=5)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--positions", type=int, default=16, help="of an image, at most")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    if wanted.models < 2 or wanted.images < 1:
        parser.error("A merge takes --models 2 or more, and --images 1 or more.")
    if wanted.width is not None and wanted.arch in WITHOUT_WIDTH:
        parser.error(f"{wanted.arch} has no --width.")
    if wanted.json and not wanted.json.parent.is_dir():
        parser.error(f"There is no folder {wanted.json.parent} for --json.")
    torch.set_num_threads(wanted.threads)
    load_before = os.getloadavg()[0]
    result = measure(wanted)
    result |= {"machine": machine(f"load before {load_before:.1f}")}
    if wanted.json:
        wanted.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    return 0


def measure(wanted: argparse.Namespace) -> dict[str, Any]:
    width = int(wanted.width) if wanted.width and wanted.arch == "cnn" else wanted.width
    about = {"kind": wanted.arch} | ({} if width is None else {"width": width})
    spec = TypeAdapter(ModelSpec).validate_python(about)
    model = empty_model(spec, SHAPE, NUM_CLASSES)
    models = {j: initial_params(model, torch_rng(j, "init")) for j in range(wanted.models)}
    images = torch.randn(wanted.images, *SHAPE, generator=torch_rng(0, "images"))
    began = time.process_time()
    groups = symmetries(spec, SHAPE, NUM_CLASSES)
    discover_s = time.process_time() - began
    given = MergeInputs(
        model, groups, 0, models, dict.fromkeys(models, 1 / wanted.models), images,
        MergeSpec(probe=ProbeSpec(positions=wanted.positions)),
    )  # fmt: skip
    clock = Clock()
    _put_clocks(clock)
    held_mib = _mib("VmRSS", forget_peak=True)
    began = time.process_time()
    merged = dimat.merge(given)
    net = load(model, merged.params)
    clock.around("norm_reset", reset_statistics)(net, images)
    clock.cpu_s["total"] = time.process_time() - began
    peak_mib = _mib("VmHWM") - held_mib
    return {
        "arch": wanted.arch, "width": getattr(spec, "width", None), "models": wanted.models, "images": wanted.images,
        "positions": wanted.positions, "threads": wanted.threads, "coverage": groups.coverage,
        "cpu_s": {part: round(seconds, 3) for part, seconds in clock.cpu_s.items()}, "discover_s": round(discover_s, 3),
        "peak_mib": None if math.isnan(peak_mib) else round(peak_mib),
    }  # fmt: skip


def _mib(field: str, forget_peak: bool = False) -> float:
    """Of this process: `VmRSS` it holds, `VmHWM` at its height; NaN where there is no /proc."""
    try:
        if forget_peak:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return math.nan
    return int(status.partition(f"{field}:")[2].split()[0]) / 1024


def _put_clocks(clock: Clock) -> None:
    activation.watch = clock.around("forward", activation.watch)
    for part in ("centred", "together", "joined", "correlation"):
        setattr(activation, part, clock.around("statistics", getattr(activation, part)))
    # The last two are for what no sample speaks for, by weights.
    for part in ("assignments", "open_pairs", "descend"):
        setattr(activation, part, clock.around("assignment", getattr(activation, part)))
    dimat.permute = clock.around("permute", dimat.permute)
    dimat.mix = clock.around("mix", dimat.mix)


if __name__ == "__main__":
    sys.exit(main())
