"""When does merging help? Every method in many settings, with several seeds, against sites that train alone.

    .venv/bin/python benchmarks/study.py [--page study] [--quick] [--jobs N] [--only WORD] [--device cpu] [--results FILE] [--report FILE]

Each setting is a pilot that `dimat.simulate` runs; those of a page of tables in `docs` are run by its name. What has been run is kept in
the results file (JSON) with machine, load and commit, and not run again: an interrupted study goes on where it stopped. `--report FILE`
writes the page. So one command makes one page: `benchmarks/study.py --page study-heads --report docs/study-heads.md`.
`--device cuda:0` computes there, but for the baselines; the last bits differ then, and the tables say where it was.
`--quick` runs one seed of a few of the page's settings in minutes, to see that all works; its numbers mean little.
"""

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.machine import device_name, machine  # noqa: E402
from benchmarks.study_report import PAGES, markdown, settings_of  # noqa: E402
from benchmarks.study_settings import QUICK, Setting  # noqa: E402

RESULTS = ROOT / "benchmarks" / "study.json"
SEEDS = (1, 2, 3)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--page", default="study", choices=PAGES, help="which page of tables, as it is called in docs"
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("--only", help="settings whose name holds this word")
    parser.add_argument("--device", default="cpu", help="torch device: cpu, cuda:0")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--report", type=Path, help="write the tables here")
    wanted = parser.parse_args()
    results = _read(wanted.results)
    there = [s for s in settings_of(wanted.page) if not wanted.quick or s.name in QUICK]
    settings = [s for s in there if not wanted.only or wanted.only in s.name]
    if not settings:
        kind = "quick setting" if wanted.quick else "setting"
        names = ", ".join(s.name for s in there)
        parser.error(
            f"No {kind} of the page {wanted.page} has '{wanted.only}' in its name. There are: {names}."
        )
    seeds = SEEDS[:1] if wanted.quick else SEEDS
    run(settings, seeds, wanted.jobs, results, wanted.results, wanted.device)
    text = markdown(results, wanted.page)
    if wanted.report:
        wanted.report.write_text(text, encoding="utf-8")
    else:
        print(text)
    return 0


def run(
    settings: list[Setting],
    seeds: tuple[int, ...],
    jobs: int,
    results: dict[str, Any],
    path: Path,
    device: str = "cpu",
) -> None:
    """Runs what is missing, seed by seed in processes of their own, and keeps each result as it comes."""
    open_ = [(s, seed) for seed in seeds for s in settings if f"{s.name}/{seed}" not in results["runs"]]
    where = [device_name(device)] if device != "cpu" else []
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        under_way = {pool.submit(one, setting, seed, device): (setting, seed) for setting, seed in open_}
        for number, done in enumerate(as_completed(under_way), start=1):
            setting, seed = under_way[done]
            about = {"machine": machine(*where, "1 thread a process", f"{jobs} processes")}
            results["runs"][f"{setting.name}/{seed}"] = done.result() | about
            path.write_text(json.dumps(results, indent=0, sort_keys=True) + "\n", encoding="utf-8")
            print(f"{number} of {len(open_)}: {setting.name}, seed {seed}", file=sys.stderr, flush=True)


def one(setting: Setting, seed: int, device: str = "cpu") -> dict[str, Any]:
    """All arms of a setting with one seed: for each arm its accuracies and bytes round by round."""
    from dimat.simulate import simulate
    from dimat.training.repeatable import compute_repeatably
    from worker.data.samples import load_site_rows

    compute_repeatably()
    spec = setting.pilot((seed,))

    def rows_of(seed: int, site: int) -> Any:
        return load_site_rows(spec.sites[site].data, spec.data, spec.site_names, site, seed)

    load_before, began = os.getloadavg()[0], time.process_time()
    found = simulate(spec, rows_of, time.perf_counter, device=device)
    arms = {}
    for result in found.runs:
        if result.state != "completed":
            arms[result.arm.name] = {"failed": result.reason}
            continue
        arms[result.arm.name] = {"rounds": _rounds(result.rounds), "seconds": result.busy_s}
    if setting.table == "baselines":
        from dimat import baselines

        rows = [rows_of(seed, site) for site in range(len(spec.sites))]
        for baseline in (baselines.centralised, baselines.cdsgd, baselines.sgp):
            arms[baseline.__name__] = {"rounds": _rounds(baseline(spec, rows, seed))}
    return {"arms": arms, "cpu_s": time.process_time() - began, "load_before": load_before}


def _rounds(rounds: Any) -> list[dict[str, Any]]:
    return [
        {
            "all": _mean(r.after_train, "all_site"),
            "own": _mean(r.after_train, "own_site"),
            "all_merged": _mean(r.after_merge, "all_site") if r.after_merge else None,
            "own_merged": _mean(r.after_merge, "own_site") if r.after_merge else None,
            "bytes": r.bytes_so_far,
            "around": r.cycle_inconsistency,
        }
        for r in rounds
    ]


def _mean(metrics: Any, name: str) -> float:
    values = [getattr(one, name) for one in metrics]
    return round(sum(values) / len(values), 6)


def _read(path: Path) -> dict[str, Any]:
    if path.exists():
        loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return loaded
    return {"runs": {}}


if __name__ == "__main__":
    sys.exit(main())
