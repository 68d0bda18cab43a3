"""Whether models travel in fewer bytes as differences from what the site sent last (`merge.wire.deltas`), in each kind of numbers.

Of every model that a merge reads, but for each site's first: the bytes compressed, as whole and as the shorter of whole and difference,
which is what a neighbour fetches that was there at the last merge. Sites train on pen digits, Dirichlet 0.5, ring of five, 128-128.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import machine
from dimat import steps
from dimat.params import Params, layout_of
from dimat.parts import Numbers, WireSpec
from dimat.rows import SiteRows
from dimat.schedule import StepKey
from dimat.simulate import _Run
from dimat.spec import PilotSpec
from dimat.steps import StepResult
from dimat.training.repeatable import compute_repeatably
from dimat.wire.codec import decode
from dimat.wire.sending import artifacts_of
from worker.data.samples import load_site_rows

SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "common_basis, every round": ("common_basis", {}),
    "common_basis, every 5th": ("common_basis", {"merge": {"merge_every": 5}}),
    "common_basis, lr 0.002": ("common_basis", {"train": {"lr": 0.002}}),
    "average, one start": ("plain_average", {"train": {"init": "common"}}),
}


class Watched(_Run):
    """A run that keeps what every site trained: those who read it need not be there any more."""

    trained: dict[tuple[int, int], bytes]
    """By round and site."""

    def _do(self, key: StepKey) -> None:
        super()._do(key)
        if key.kind == "train":
            self.trained[key.round, key.site] = self._model(key)


def models(method: str, setting: dict[str, Any], rounds: int) -> list[list[Params]]:
    """By site, in their order, the models that merges read."""
    sites = [{"name": f"site-{i}", "data": {"kind": "sample", "dataset": "pendigits"}} for i in range(5)]
    about = {"name": "deltas", "rounds": rounds, "sites": sites, "arms": [{"name": "one", "method": method}]}
    spec = PilotSpec.model_validate(about | setting)

    def rows_of(seed: int, site: int) -> SiteRows:
        return load_site_rows(spec.sites[site].data, spec.data, spec.site_names, site, seed)

    run = Watched(spec, spec.arms[0], spec.seeds[0], rows_of, time.perf_counter, (), None, "cpu", ())
    run.trained = {}
    found = run.go({})
    if found.state != "completed":
        raise SystemExit(f"the run failed: {found.reason}")
    layout, every = steps.layout(spec.model, rows_of(spec.seeds[0], 0)), spec.merge.merge_every
    # what a merge reads is what the round before it left
    read = [round for round in range(1, rounds) if (round + 1) % every == 0]
    return [[decode(run.trained[round, site], layout) for round in read] for site in range(len(sites))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    asked = parser.parse_args()
    compute_repeatably()
    print(machine("1 thread"))
    print("bytes of a model, compressed: as it is / as the shorter of it and its difference / ratio")
    for name, (method, setting) in SETTINGS.items():
        by_site = models(method, setting, asked.rounds)
        told = []
        for numbers in get_args(Numbers):
            wire = WireSpec(numbers=numbers, compress=True, deltas=True)
            found = [pair for site in by_site for pair in sizes(site, wire)]
            whole, less = (sum(bytes_) for bytes_ in zip(*found, strict=True))
            told.append(f"{numbers} {whole / len(found):.0f} / {less / len(found):.0f} / {less / whole:.2f}")
        print(f"{name} ({len(found)} models): {'; '.join(told)}", flush=True)


def sizes(sent: list[Params], wire: WireSpec) -> Iterator[tuple[int, int]]:
    """Of each model but the first: its bytes, and those that are fetched. In `int8` it is sent with what rounding left over before."""
    residual, before = None, None
    for params in sent:
        made = artifacts_of(StepResult(params=params), wire, residual=residual, sent_before=before)
        assert made.shared is not None
        if before is not None:
            yield len(made.shared), len(made.delta or made.shared)
        before = made.shared
        residual = None if made.residual is None else decode(made.residual, layout_of(params))


if __name__ == "__main__":
    main()
