"""`awase simulate`: whole pilots without server or workers, with the readers that the steps of a worker use."""

import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from typing import Any

from dimat import baselines
from dimat.absence import Absence, RunAbsence, by_run
from dimat.errors import DimatError
from dimat.plan import Amendment
from dimat.results import RoundResult, as_json, round_json
from dimat.rows import SiteRows
from dimat.simulate import OnRound, RowsOf, simulate
from dimat.spec import ArmSpec, PilotSpec
from dimat.training.repeatable import compute_repeatably
from worker.data.samples import load_site_rows
from worker.data.sweep import Setting, Sweep, described
from worker.sweeps import flat
from worker.sweeps.kept import Kept
from worker.sweeps.parquet import write_parquet
from worker.sweeps.processes import in_processes
from worker.sweeps.telling import table
from worker.sweeps.wanted import Wanted

Part = tuple[Setting, int]
"""A setting with one of its seeds: what one process does."""


def main(sweep: Sweep, wanted: Wanted = Wanted()) -> bool:  # noqa: B008
    """Simulates every setting, prints a table of each, writes what is wanted; whether all runs completed.

    What goes on is told on standard error, unless `quiet`: every round, or with several processes every setting and seed.

    Raises:
        DimatError: the data cannot be used. KeptError: the JSON file is of something else. ProcessEnded. OSError: writing failed.
    """
    kept = Kept(sweep, wanted.json, wanted.baselines)
    todo = [(s, seed) for s in sweep.settings if s.number not in kept.found for seed in s.spec.seeds]
    say = _ignore if wanted.quiet else _say
    if kept.num_found:
        say(f"{kept.num_found} of {len(sweep.settings)} settings are in {wanted.json} already")
    try:
        with closing(_done(sweep, todo, wanted)) as parts:
            for (setting, seed), found in parts:
                kept.add(setting, seed, found)
    finally:
        # Of a sweep that is broken off, what is done is kept; of a single pilot there is nothing to keep.
        if len(kept.found) == len(sweep.settings) or (kept.found and not sweep.is_single):
            kept.write()
            if len(kept.found) < len(sweep.settings) and wanted.json is not None:
                _say(f"{len(kept.found)} of {len(sweep.settings)} settings are kept in {wanted.json}; "
                     "the same command goes on with the others")  # fmt: skip
    if wanted.parquet is not None:
        write_parquet(wanted.parquet, flat.columns(sweep.values), flat.rows(sweep.values, kept.results))
    if wanted.figure is not None:
        # Not above: whoever wants no figure needs no Matplotlib, and does not wait for it.
        from worker.sweeps.figure import write_figure

        write_figure(wanted.figure, kept.results)
    for result in kept.results:
        if not sweep.is_single:
            print(f"setting {result['setting']}: {described(result['values'])}")
        print(table(result))
    ended = [run for result in kept.results for kind in ("runs", "baselines") for run in result.get(kind, ())]
    return all(run["state"] == "completed" for run in ended)


def _done(
    sweep: Sweep, todo: Sequence[Part], wanted: Wanted
) -> Generator[tuple[Part, dict[str, Any]], None, None]:
    """Each part with what it gave: one after the other, or several at once in processes of their own. The bits are the same.

    Each process needs the memory of a pilot of its own (about 300 MB for torch, and its models).
    """
    began = time.perf_counter()
    if wanted.jobs == 1 or len(todo) < 2:
        for setting, seed in todo:
            on_round: OnRound | None = None
            if not wanted.quiet:
                if not sweep.is_single and seed == setting.spec.seeds[0]:
                    _say(f"setting {setting.number} of {len(sweep.settings)}: {described(setting.values)}")
                on_round = _telling(setting.spec, began)
            yield (
                (setting, seed),
                simulate_part(
                    setting.spec, seed, wanted.baselines, sweep.amendments, sweep.absences, on_round
                ),
            )
        return
    calls = [
        (setting.spec, seed, wanted.baselines, sweep.amendments, sweep.absences) for setting, seed in todo
    ]
    for number, (position, found) in enumerate(in_processes(wanted.jobs, simulate_part, calls), start=1):
        yield todo[position], found
        # Told once it is kept: whoever reads it may press Ctrl-C.
        if not wanted.quiet:
            setting, seed = todo[position]
            which = "" if sweep.is_single else f"{setting}   "
            _say(f"{time.perf_counter() - began:6.1f} s  {number} of {len(todo)}   {which}seed {seed}")


def simulate_part(
    spec: PilotSpec,
    seed: int,
    baseline_names: Sequence[str] = (),
    amendments: Sequence[Amendment] = (),
    absences: Sequence[RunAbsence] = (),
    on_round: OnRound | None = None,
) -> dict[str, Any]:
    """The arms of a pilot with one seed in every detail, as JSON values; with `baselines` if any are named, which are not amended, and lack no site."""
    alone = spec.model_copy(update={"seeds": (seed,)})
    compute_repeatably()
    rows_of = _rows_of(alone)
    result = simulate(alone, rows_of, time.perf_counter, amendments, on_round, absences=by_run(absences))
    found = as_json(result, detailed=True)
    if baseline_names:
        found["baselines"] = [_baseline(name, alone, seed, rows_of) for name in baseline_names]
    return found


def _baseline(name: str, spec: PilotSpec, seed: int, rows_of: RowsOf) -> dict[str, Any]:
    """In the shape of a run, as far as a baseline is one: it has no method and leaves no artifacts."""
    began = time.perf_counter()
    rounds: tuple[RoundResult, ...] = ()
    reason: dict[str, Any] = {"code": "completed", "params": {"rounds": spec.rounds}}
    state = "completed"
    try:
        rows = [rows_of(seed, site) for site in range(len(spec.sites))]
        rounds = getattr(baselines, name)(spec, rows, seed)
    except DimatError as error:
        state, reason = "failed", {"code": error.code, "params": error.params}
    told = [round_json(one, spec.site_names, detailed=True) for one in rounds]
    if name == "centralised":
        # Rows would travel, not models: no bytes is another thing than bytes that are not counted.
        told = [one | {"bytes_so_far": None} for one in told]
    return {
        "baseline": name,
        "seed": seed,
        "state": state,
        "reason": reason,
        "rounds": told,
        "bytes_exchanged": told[-1]["bytes_so_far"] if told else None,
        "seconds": time.perf_counter() - began,
    }


def simulate_spec(
    spec: PilotSpec,
    on_round: OnRound | None = None,
    device: str = "cpu",
    amendments: Sequence[Amendment] = (),
    absences: Mapping[tuple[str, int], Sequence[Absence]] | None = None,
) -> dict[str, Any]:
    """The result of `dimat.simulate` as JSON values. Sets torch to one thread for the whole process.

    Args:
        device: `cpu` or `cuda:0`. Their bits differ; what a run on CPUs must equal is the result on `cpu`. absences: see
            `dimat.simulate`.
    """
    compute_repeatably()
    return as_json(simulate(spec, _rows_of(spec), time.perf_counter, amendments, on_round, device, absences))


def _rows_of(spec: PilotSpec) -> RowsOf:
    def rows_of(seed: int, site: int) -> SiteRows:
        return load_site_rows(spec.sites[site].data, spec.data, spec.site_names, site, seed)

    return rows_of


def _telling(spec: PilotSpec, began: float) -> OnRound:
    """A line for each round of each run, as the demo tells them."""

    def tell(arm: ArmSpec, seed: int, found: RoundResult) -> None:
        own = sum(metrics.own_site for metrics in found.after_train) / len(found.after_train)
        every = [metrics.all_site for metrics in found.after_train if metrics.all_site is not None]
        which = f"seed {seed}   " if len(spec.seeds) > 1 else ""
        _say(
            f"{time.perf_counter() - began:6.1f} s  {arm.name:<16}{which}"
            f"round {found.round} of {spec.rounds}   "
            f"all-site {f'{100 * sum(every) / len(every):.1f}%' if every else '-'}   own-site {100 * own:.1f}%"
        )

    return tell


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _ignore(_line: str) -> None:
    pass
