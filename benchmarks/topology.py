"""What it costs to choose a graph: advice for up to ten thousand sites, facts and optimised weights of one graph.

    .venv/bin/python benchmarks/topology.py

Prints processor and wall seconds of each, and the two promises: advice for 1,000 sites in under 2 s, for 10,000 in under 20 s.
"""

import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import machine
from dimat.fastest_mixing import ALL_EIGENVALUES_UP_TO, MOST_SITES
from dimat.topology import second_eigenvalue
from dimat.topology_advice import advise
from dimat.topology_spec import TopologySpec

MODEL_BYTES = 1_000_000
LIMITS_S = {1_000: 2.0, 10_000: 20.0}
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


OPTIONS: dict[str, dict[str, Any]] = {
    "random_regular": {"degree": 4},
    "small_world": {"degree": 6, "probability": 0.2},
}


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def weights(kind: str, num_sites: int, mixing: str = "metropolis") -> NDArray[np.float64]:
    names = [f"s{i}" for i in range(num_sites)]
    spec = TopologySpec.model_validate({"kind": kind, "mixing": mixing} | OPTIONS.get(kind, {}))
    return spec.mixing_over_period(names)


def facts(kind: str, num_sites: int, mixing: str = "metropolis") -> float:
    return second_eigenvalue(weights(kind, num_sites, mixing))


def main() -> int:
    load = os.getloadavg()
    threads = ", ".join(f"{name}={os.environ[name]}" for name in THREAD_VARIABLES if name in os.environ)
    about = (f"numpy {np.__version__}", f"scipy {scipy.__version__}", f"load before {load[0]:.1f}")
    print(f"machine  {machine(*about, threads or 'threads as the library chooses')}")
    late = []
    for num_sites in (10, 100, 1_000, 10_000):
        wall, cpu = timed(partial(advise, num_sites, MODEL_BYTES))
        limit = LIMITS_S.get(num_sites)
        print(
            f"advise   {num_sites:>6} sites               {wall:7.3f} s, {cpu:7.3f} s of CPU"
            + (f"   (limit {limit:g} s)" if limit else "")
        )
        if limit and wall > limit:
            late.append(num_sites)
    for kind in ("ring", "full", "exponential", "one_peer"):
        wall, cpu = timed(partial(facts, kind, 1_000))
        print(f"facts      1000 sites, {kind:<12} {wall:7.3f} s, {cpu:7.3f} s of CPU")
    for num_sites in (ALL_EIGENVALUES_UP_TO, MOST_SITES):
        for kind in ("ring", "torus", "exponential", "random_regular", "small_world", "full"):
            wall, cpu = timed(partial(weights, kind, num_sites, "optimised"))
            before, after = (facts(kind, num_sites, mixing) for mixing in ("metropolis", "optimised"))
            print(
                f"optimise {num_sites:>6} sites, {kind:<15}{wall:7.3f} s, {cpu:7.3f} s of CPU   "
                f"|lambda_2| {before:.4f} to {after:.4f}"
            )
    print("\nadvice for 1,000 sites and 1 MB a model, best first:")
    print(
        f"{'graph':<16}{'|lambda_2|':>11}{'rounds':>10}{'MB a round':>12}{'at the busiest':>16}{'MB until mixed':>16}"
    )
    for one in advise(1_000, MODEL_BYTES):
        print(
            f"{one.spec.kind:<16}{one.second_eigenvalue:>11.4f}{one.rounds:>10}{one.bytes_a_round / 1e6:>12.0f}"
            f"{one.busiest_site_bytes_a_round / 1e6:>16.0f}{one.bytes_until_mixed / 1e6:>16.0f}"
        )
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
