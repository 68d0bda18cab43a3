"""Whether a common basis gets lost in the course of a run: what a second alignment gives, where sites have long trained alone.

`once` aligns before round 0; `again` aligns anew before every second merge, by amendments that say of the merges between that they are
in no common basis (which changes nothing in them). Both do the same otherwise. If sites drifted apart, `again` would be ahead.
Pen digits, ring of five, 128-128, unequal class mixes unless said otherwise.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import machine
from dimat.methods import Method
from dimat.parts import MergePatch
from dimat.plan import Amendment, Patch
from dimat.spec import PilotSpec
from worker.simulate import simulate_spec

TWO_CLASSES = {"partition": {"kind": "shards"}}
SETTINGS: dict[str, dict[str, Any]] = {
    "every round, lr 0.02": {"rounds": 9},
    "every 20th of 40, lr 0.1": {"rounds": 40, "merge": {"merge_every": 20}, "train": {"lr": 0.1}},
    "same, 40 rows a site": {
        "rounds": 40, "merge": {"merge_every": 20}, "train": {"lr": 0.1}, "data": {"rows_per_site": 40},
    },
    "same, two classes a site": {
        "rounds": 40, "merge": {"merge_every": 20}, "train": {"lr": 0.1}, "data": TWO_CLASSES,
    },
}  # fmt: skip


def spec(setting: dict[str, Any], method: Method, seed: int) -> PilotSpec:
    sites = [{"name": f"site-{i}", "data": {"kind": "sample", "dataset": "pendigits"}} for i in range(5)]
    arms = [{"name": name, "method": method} for name in ("once", "again")]
    about = {"name": "realign", "seeds": [seed], "sites": sites, "arms": arms}
    return PilotSpec.model_validate(about | setting)


def turns(rounds: int, merge_every: int) -> list[Amendment]:
    """Every other merge is called one of no common basis, so that sites align before the next."""
    merging = [round for round in range(merge_every, rounds + 1, merge_every) if round > 1]
    return [
        Amendment(
            arm="again", from_round=round, patch=Patch(merge=MergePatch(align=number % 2 == 1)),
            by="benchmark", why="to align again",
        )
        for number, round in enumerate(merging)
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--method", default="common_basis")
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    print(machine(f"method {asked.method}"))
    print("all-site accuracy, %: last merge, then end")
    for name, setting in SETTINGS.items():
        for seed in range(1, asked.seeds + 1):
            began = time.perf_counter()
            pilot = spec(setting, asked.method, seed)
            runs = simulate_spec(pilot, amendments=turns(pilot.rounds, pilot.merge.merge_every))["runs"]
            told = [
                f"{run['arm']} {_percent(run['rounds'][-1]['after_merge'])} {_percent(run['rounds'][-1]['after_train'])}"
                for run in runs
            ]
            print(
                f"{name}, seed {seed}: {'   '.join(told)}   ({time.perf_counter() - began:.0f} s)", flush=True
            )


def _percent(accuracies: dict[str, Any]) -> str:
    return f"{100 * accuracies['all_site']['mean']:.1f}"


if __name__ == "__main__":
    main()
