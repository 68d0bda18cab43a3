"""What distribution costs: seconds per round of the demo, distributed and in one process, in one run.

    .venv/bin/python benchmarks/overhead.py [--data-dir DIR]

A *round* is one round of one run at all eight sites. The distributed figure is the time from the end of
preparation to the end of the last run, divided by the rounds of all runs, as all arms share the machine.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.machine import machine  # noqa: E402

DEMO = ROOT / "data" / "pilots" / "demo.toml"
LIMIT_S = 0.3
SECONDS = "(julianday({}) - julianday({})) * 86400"


def awase(*arguments: str) -> None:
    command = [sys.executable, "-m", "backend.cli.main", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)


def result(path: Path) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = json.loads(path.read_text())["runs"]
    return runs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="keep the demo's data here")
    chosen = parser.parse_args().data_dir
    with tempfile.TemporaryDirectory() as folder:
        place = chosen or Path(folder) / "data"
        load = os.getloadavg()
        awase("simulate", str(DEMO), "--json", str(Path(folder) / "simulated.json"))
        simulated = result(Path(folder) / "simulated.json")
        awase(
            "demo",
            "--exit",
            "--port",
            "0",
            "--data-dir",
            str(place),
            "--json",
            str(Path(folder) / "demo.json"),
        )
        distributed = result(Path(folder) / "demo.json")
        return report(simulated, distributed, place / "awase.sqlite", load)


def report(
    simulated: list[dict[str, Any]],
    distributed: list[dict[str, Any]],
    file: Path,
    load: tuple[float, float, float],
) -> int:
    rounds = sum(len(run["rounds"]) - 1 for run in distributed)
    with sqlite3.connect(file) as database:
        span, steps, sending, queue, taking, working, cpu = database.execute(
            f"""
            SELECT {SECONDS.format("max(finished_at)", "min(created_at)")}, count(*),
                   avg({SECONDS.format("dispatched_at", "created_at")}),
                   avg({SECONDS.format("started_at", "dispatched_at")}),
                   avg({SECONDS.format("finished_at", "started_at")}) - avg(seconds),
                   avg(seconds), avg(cpu_s)
            FROM steps WHERE run_id IS NOT NULL
            """  # noqa: S608 - our own constants
        ).fetchone()
    own = sum(run["busy_s"] for run in simulated) / rounds
    per_round = span / rounds
    same = [run["final_artifacts"] for run in simulated] == [run["final_artifacts"] for run in distributed]
    lines = [
        f"machine      {machine(f'load before {load[0]:.1f}', '1 torch thread a step')}",
        f"distributed  {per_round:.3f} s per round ({rounds} rounds, {steps} steps in {span:.1f} s)",
        f"simulate     {own:.3f} s per round",
        f"difference   {per_round - own:+.3f} s per round (limit {LIMIT_S:g} s)",
        "a step, on average:",
        f"  ready to sent        {1000 * sending:7.1f} ms",
        f"  waiting in a queue   {1000 * queue:7.1f} ms   (mostly for a free core: arms share the machine)",
        f"  computing            {1000 * cpu:7.1f} ms of CPU",
        f"  rest at the worker   {1000 * (working - cpu):7.1f} ms   (store, reports, waiting for the CPU)",
        f"  report to row        {1000 * taking:7.1f} ms",
        f"artifacts    {'equal' if same else 'DIFFER'}",
    ]
    print("\n".join(lines))
    return 0 if same and per_round - own <= LIMIT_S else 1


if __name__ == "__main__":
    sys.exit(main())
