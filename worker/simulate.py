"""`awase simulate`: a whole pilot in this process, with the readers that the steps of a worker use."""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from dimat.errors import DimatError
from dimat.results import RoundResult, as_json
from dimat.rows import SiteRows
from dimat.simulate import OnRound, simulate
from dimat.spec import ArmSpec, PilotSpec, spec_sha256
from dimat.training.repeatable import compute_repeatably
from worker.data.samples import load_site_rows


def main(spec: PilotSpec, json_path: Path | None = None, quiet: bool = False, jobs: int = 1) -> bool:
    """Simulates the pilot, prints a table, writes the result; whether all runs completed.

    Rounds are told on standard error while it goes on, unless `quiet` or several processes are at work.

    Raises:
        DimatError: the data cannot be used. OSError: writing failed.
    """
    if jobs > 1 and len(spec.seeds) > 1:
        result = simulate_in_processes(spec, jobs)
    else:
        result = simulate_spec(spec, _ignore if quiet else _telling(spec))
    print(table(result))
    if json_path is not None:
        write_json(json_path, result)
    return all(run["state"] == "completed" for run in result["runs"])


def _telling(spec: PilotSpec) -> OnRound:
    """A line for each round of each run, as the demo tells them."""
    began = time.perf_counter()

    def tell(arm: ArmSpec, seed: int, found: RoundResult) -> None:
        own = sum(metrics.own_site for metrics in found.after_train) / len(found.after_train)
        every = [metrics.all_site for metrics in found.after_train if metrics.all_site is not None]
        which = f"seed {seed}   " if len(spec.seeds) > 1 else ""
        print(
            f"{time.perf_counter() - began:6.1f} s  {arm.name:<16}{which}"
            f"round {found.round} of {spec.rounds}   "
            f"all-site {f'{100 * sum(every) / len(every):.1f}%' if every else '-'}   own-site {100 * own:.1f}%",
            file=sys.stderr, flush=True,
        )  # fmt: skip

    return tell


def _ignore(_arm: ArmSpec, _seed: int, _found: RoundResult) -> None:
    pass


def simulate_in_processes(spec: PilotSpec, jobs: int) -> dict[str, Any]:
    """As `simulate_spec`, seed by seed in up to `jobs` processes at once; the result is the same to the last bit.

    Each process needs the memory of a pilot of its own (about 300 MB for torch, and its models).
    """
    alone = [spec.model_copy(update={"seeds": (seed,)}) for seed in spec.seeds]
    # A fork of a process that has computed with torch may hang: every process starts afresh.
    with ProcessPoolExecutor(min(jobs, len(alone)), get_context("spawn")) as pool:
        results = list(pool.map(simulate_spec, alone))
    # What names the pilot is that of all seeds together.
    pilot = results[0]["pilot"] | {"spec_sha256": spec_sha256(spec)}
    return {"pilot": pilot, "runs": [run for result in results for run in result["runs"]]}


def simulate_spec(spec: PilotSpec, on_round: OnRound = _ignore, device: str = "cpu") -> dict[str, Any]:
    """The result of `dimat.simulate` as JSON values. Sets torch to one thread for the whole process.

    Args:
        device: `cpu` or `cuda:0`. Their bits differ; what a run on CPUs must equal is the result on `cpu`.
    """
    compute_repeatably()

    def rows_of(seed: int, site: int) -> SiteRows:
        return load_site_rows(spec.sites[site].data, spec.data, spec.site_names, site, seed)

    return as_json(simulate(spec, rows_of, time.perf_counter, on_round=on_round, device=device))


def table(result: dict[str, Any]) -> str:
    """The runs as lines of text; accuracies in percent."""
    lines = [
        f"{'arm':<24}{'seed':>5}  {'state':<10}{'all-site':>9}{'own-site':>9}{'exchanged':>12}{'time':>8}"
    ]
    for run in result["runs"]:
        last = run["rounds"][-1]["after_train"] if run["rounds"] else {"all_site": None, "own_site": None}
        lines.append(
            f"{run['arm']:<24}{run['seed']:>5}  {run['state']:<10}"
            f"{_percent(last['all_site']):>9}{_percent(last['own_site']):>9}"
            f"{run['bytes_exchanged'] / 1e6:>9.1f} MB{run['seconds']:>6.1f} s"
        )
    lines += [
        f"{run['arm']} failed: {_sentence(run['reason'])}"
        for run in result["runs"]
        if run["state"] == "failed"
    ]
    return "\n".join(lines)


def _sentence(reason: dict[str, Any]) -> str:
    """What the error said, from its code and params."""
    known = {error.code: error.template for error in _errors(DimatError)}
    return known[reason["code"]].format(**reason["params"])


def _errors(base: type[DimatError]) -> Iterator[type[DimatError]]:
    for error in base.__subclasses__():
        yield error
        yield from _errors(error)


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Writes the file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(value, file, indent=1, allow_nan=False)
            file.write("\n")
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _percent(accuracy: dict[str, Any] | None) -> str:
    return "-" if accuracy is None else f"{100 * accuracy['mean']:.1f}%"
