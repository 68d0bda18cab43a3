"""What it costs to choose a graph: advice for up to ten thousand sites, facts and optimised weights of one graph.

    .venv/bin/python benchmarks/topology.py

Prints processor and wall seconds of each, and the two promises: advice for 1,000 sites in under 2 s, for 10,000 in under 20 s.
"""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import scipy

from dimat.fastest_mixing import MOST_SITES
from dimat.topology import second_eigenvalue
from dimat.topology_advice import advise
from dimat.topology_spec import TopologySpec

ROOT = Path(__file__).resolve().parents[1]
MODEL_BYTES = 1_000_000
LIMITS_S = {1_000: 2.0, 10_000: 20.0}
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def facts(kind: str, num_sites: int, mixing: str = "metropolis") -> float:
    names = [f"s{i}" for i in range(num_sites)]
    spec = TopologySpec.model_validate({"kind": kind, "mixing": mixing})
    return second_eigenvalue(spec.mixing_over_period(names))


def main() -> int:
    load = os.getloadavg()
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    threads = ", ".join(f"{name}={os.environ[name]}" for name in THREAD_VARIABLES if name in os.environ)
    print(
        f"machine  {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"numpy {np.__version__}, scipy {scipy.__version__}, load before {load[0]:.1f}, "
        f"threads {threads or 'as the library chooses'}, commit {commit or 'unknown'}"
    )
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
    for kind in ("ring", "torus", "exponential", "full"):
        wall, cpu = timed(partial(facts, kind, MOST_SITES, "optimised"))
        print(f"optimise {MOST_SITES:>6} sites, {kind:<12} {wall:7.3f} s, {cpu:7.3f} s of CPU")
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
