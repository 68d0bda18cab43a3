"""How many rows, and how many positions of an image, does matching need? Accuracy right after the first merge, and what it costs.

    .venv/bin/python benchmarks/probe.py [--seeds 3]

Five sites with 500 Fashion-MNIST images each (equal class mixes, full graph) train a CNN with BatchNorm apart; each then merges
all five by `dimat`. Means over sites and seeds; plain averaging and the models before the merge stand beside.
"""

import argparse
import sys
import time
from pathlib import Path
from statistics import mean
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from benchmarks.machine import machine  # noqa: E402
from benchmarks.study_settings import CNN, FASHION, IID, Setting  # noqa: E402
from dimat import steps  # noqa: E402
from dimat.methods import Method  # noqa: E402
from dimat.parts import MergeSpec, ProbeSpec  # noqa: E402
from dimat.rows import SiteRows  # noqa: E402
from dimat.steps import StepContext  # noqa: E402
from worker.data.samples import load_site_rows  # noqa: E402

ALL = 10_000
PROBES = (
    (8, 16),
    (16, 16),
    (32, 16),
    (64, 16),
    (128, 16),
    (256, 16),
    (500, 16),
    (500, 1),
    (500, 4),
    (500, 64),
    (500, ALL),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = range(1, parser.parse_args().seeds + 1)
    torch.set_num_threads(1)
    before, averaged = [], []
    found: dict[tuple[int, int], list[tuple[float, float]]] = {probe: [] for probe in PROBES}
    for seed in seeds:
        spec = Setting("probe", "", FASHION, IID, 5, "full", 1, model=CNN, train={"warmup_epochs": 8}).pilot(
            (seed,)
        )
        rows = [load_site_rows(spec.sites[i].data, spec.data, spec.site_names, i, seed) for i in range(5)]
        contexts = [
            StepContext(seed, 1, 1, i, spec.site_names[i], 5, spec.model, spec.evaluation) for i in range(5)
        ]
        models: dict[int, Any] = {i: steps.prepare(contexts[i], rows[i], spec.train).params for i in range(5)}
        for i in range(5):
            start = steps.evaluate(contexts[i], rows[i], models[i]).metrics
            assert start is not None
            before.append(start.all_site or 0.0)
            averaged.append(_merged("plain_average", ProbeSpec(), contexts[i], rows[i], models))
            for rows_seen, positions in PROBES:
                probe = ProbeSpec(rows=rows_seen, positions=positions)
                began = time.process_time()
                accuracy = _merged("dimat", probe, contexts[i], rows[i], models)
                found[rows_seen, positions].append((accuracy, time.process_time() - began))
    print(f"{machine('1 thread')}, seeds {', '.join(map(str, seeds))}\n")
    print(
        f"Before the merge {100 * mean(before):.1f} %, after plain averaging {100 * mean(averaged):.1f} %.\n"
    )
    print(
        "| rows | positions of an image | all-site accuracy after the merge, % | CPU s of the whole step |\n| --- | --- | --- | --- |"
    )
    for (rows_seen, positions), values in found.items():
        accuracy, seconds = (mean(one) for one in zip(*values, strict=True))
        print(
            f"| {rows_seen} | {'all' if positions == ALL else positions} | {100 * accuracy:.1f} | {seconds:.2f} |"
        )
    return 0


def _merged(
    method: Method, probe: ProbeSpec, context: StepContext, rows: SiteRows, models: dict[int, Any]
) -> float:
    """All-site accuracy of the site's model after a merge with all others, at equal weights."""
    i = context.site_index
    others = {j: params for j, params in models.items() if j != i}
    weights = dict.fromkeys(models, 1 / len(models))
    made = steps.merge(context, rows, MergeSpec(probe=probe), method, models[i], others, weights)
    assert made.metrics is not None
    return made.metrics.all_site or 0.0


if __name__ == "__main__":
    sys.exit(main())
