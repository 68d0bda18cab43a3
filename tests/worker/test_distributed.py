"""A run by messages, as the coordinator writes and workers execute them, ends in the artifacts of `simulate`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from backend.coordinator.plans import Artifacts, Made, RunPlan, StepId
from dimat.absence import Absence
from dimat.parts import MergePatch, TrainPatch, WireSpec
from dimat.plan import Amendment, Patch
from dimat.schedule import StepKey
from dimat.spec import PilotSpec
from worker.artifacts import DirectoryStore
from worker.execution import Execution
from worker.messages.reports import Report, StepFailed, StepFinished
from worker.messages.steps import StepMessage
from worker.simulate import simulate_spec
from worker.steps.fetches import fetches_of


class Heard:
    def __init__(self) -> None:
        self.reports: list[Report] = []

    def send(self, report: Report, until_taken: bool = True) -> None:
        self.reports.append(report)

    def is_cancelled(self, message: StepMessage, execution_id: str) -> bool:
        return False


class Failed(Exception):
    """A step's end: code and params."""


def executed(message: StepMessage, store: DirectoryStore) -> Made:
    heard = Heard()
    received = type(message).model_validate_json(message.model_dump_json())
    Execution(received, "w", heard, 4.0).run(lambda: store, "cpu")
    end = heard.reports[-1]
    if isinstance(end, StepFailed):
        raise Failed(end.code, end.params)
    assert isinstance(end, StepFinished), end
    # What was said before the first byte moved is what moved.
    due = {(one.from_index, one.purpose, one.num_bytes) for one in fetches_of(received)}
    assert due == {(one.from_index, one.purpose, one.num_bytes) for one in end.exchanges}
    made = end.artifact or received.own  # type: ignore[union-attr]
    return Made(
        made,
        end.momentum,
        end.moments,
        end.mean,
        end.shared,
        end.residual,
        end.delta,
        end.alone,
        end.alone_momentum,
    )


def by_messages(
    spec: PilotSpec,
    arm: str,
    store: DirectoryStore,
    amendments: Sequence[Amendment] = (),
    absences: Sequence[Absence] = (),
) -> dict[str, str]:
    """The last models that sites trained in the run."""
    plan = RunPlan(spec, arm, spec.seeds[0], amendments, absences)
    sites = range(len(spec.sites))
    artifacts: Artifacts = {}
    for step in [*(StepKey(0, "prepare", site) for site in sites), *in_order(plan)]:
        message = plan.message(step, StepId(str(step), 1, "p", "r"), artifacts, None)
        artifacts[step] = executed(message, store)
    last = {spec.site_names[site]: plan.schedule.last_trained(site) for site in sites}
    return {name: artifacts[step].model.sha256 for name, step in last.items() if step is not None}


def in_order(plan: RunPlan) -> list[StepKey]:
    """Parents align before their children; everything else is in order of work already."""
    done = {StepKey(0, "prepare", site) for site in range(plan.schedule.num_sites)}
    order: list[StepKey] = []
    while ready := plan.schedule.ready_steps(done):
        order += ready
        done |= set(ready)
    return order


@pytest.mark.parametrize(
    ("num_sites", "topology"),
    [
        (4, {"kind": "one_peer"}),
        (3, {"kind": "one_peer"}),
        (5, {"kind": "exponential", "mixing": "optimised"}),
        (6, {"kind": "random_regular", "degree": 3, "seed": 4}),
    ],
)
def test_a_run_on_a_graph_of_any_kind_ends_in_the_artifacts_of_simulate(
    num_sites: int, topology: dict[str, Any], tmp_path: Path
) -> None:
    spec = PilotSpec.model_validate(
        {
            "name": "small", "rounds": 3, "topology": topology, "data": {"rows_per_site": 40},
            "model": {"kind": "mlp", "hidden": [8]}, "train": {"warmup_epochs": 1}, "merge": {"probe": {"rows": 16}},
            "sites": [
                {"name": f"s{i}", "data": {"kind": "sample", "dataset": "pendigits"}} for i in range(num_sites)
            ],
            "arms": [{"name": method, "method": method} for method in ("plain_average", "regmean")],
        }
    )  # fmt: skip
    simulated = simulate_spec(spec)
    for run in simulated["runs"]:
        assert run["state"] == "completed"
        store = DirectoryStore(tmp_path / run["arm"])
        assert by_messages(spec, run["arm"], store) == run["final_artifacts"]


def pen_digits(rounds: int, arms: list[dict[str, Any]], **changes: Any) -> PilotSpec:
    return PilotSpec.model_validate(
        {
            "name": "small", "rounds": rounds, "topology": {"kind": "line"}, "data": {"rows_per_site": 40},
            "model": {"kind": "mlp", "hidden": [8, 8]}, "train": {"warmup_epochs": 1}, "merge": {"probe": {"rows": 16}},
            "sites": [
                {"name": f"s{i}", "data": {"kind": "sample", "dataset": "pendigits"}} for i in range(4)
            ],
            "arms": arms, **changes,
        }
    )  # fmt: skip


def turned(arm: str, from_round: int, **patch: Any) -> Amendment:
    return Amendment(
        arm=arm, from_round=from_round, patch=Patch(**patch), by="manager", why="to see its effect"
    )


def test_a_run_whose_method_changes_ends_in_the_artifacts_of_simulate(tmp_path: Path) -> None:
    """Alignment before a later round takes along what optimisers remember, what is sent and second moments."""
    kept = TrainPatch(keep_momentum=True)
    small = MergePatch(wire=WireSpec(numbers="int8"))
    slow = {"name": "slow", "method": "slowmo", "merge": {"align": False}}
    spec = pen_digits(
        5, [{"name": "alone", "method": "local_only"}, {"name": "matched", "method": "dimat"}, slow]
    )
    amendments = [
        turned("alone", 2, train=kept),
        turned("alone", 3, method="regmean", merge=small),
        turned("matched", 3, method="common_basis", merge=MergePatch(over="tree")),
        turned("matched", 4, method="dimat"),
        turned("matched", 5, method="fisher", merge=MergePatch(over="neighbours")),
        turned("slow", 3, merge=MergePatch(align=True)),
        turned("slow", 2, train=TrainPatch(own_model=True, keep_momentum=True)),
    ]
    for run in simulate_spec(spec, amendments=amendments)["runs"]:
        assert run["state"] == "completed"
        store = DirectoryStore(tmp_path / run["arm"])
        assert by_messages(spec, run["arm"], store, amendments) == run["final_artifacts"]


def test_a_run_whose_sites_come_and_go_ends_in_the_artifacts_of_simulate(tmp_path: Path) -> None:
    """Planned or not, over neighbours and over all sites, and with all that a site remembers."""
    kept = {"keep_momentum": True, "own_model": True}
    arms = [
        {"name": "alone", "method": "local_only"},
        {"name": "matched", "method": "dimat_guarded", "merge": {"warm_start": True}},
        {"name": "basis", "method": "regmean", "merge": {"wire": {"numbers": "int8"}}, "train": kept},
        {"name": "later", "method": "plain_average"},
        {"name": "tree", "method": "slowmo", "merge": {"over": "tree"}},
    ]
    spec = pen_digits(6, arms, waiting=["s3"])
    joins = Amendment(from_round=2, patch=Patch(members=("s0", "s1", "s2", "s3")), by="m", why="w")
    leaves = Amendment(from_round=5, patch=Patch(members=("s1", "s2", "s3")), by="m", why="w")
    amendments = [joins, turned("later", 4, method="common_basis"), leaves]
    gone = [Absence(site="s2", from_round=3, until_round=4, undone=((2, "train"),))]
    silent = {(arm, 1): gone for arm in ("alone", "matched", "basis", "later")}
    for run in simulate_spec(spec, amendments=amendments, absences=silent)["runs"]:
        assert run["state"] == "completed"
        took_part = [len(item["after_train"]["own_site"]["by_site"]) for item in run["rounds"]]
        assert took_part == ([3, 3, 4, 4, 4, 3, 3] if run["arm"] == "tree" else [3, 3, 3, 3, 4, 3, 3])
        store, absences = DirectoryStore(tmp_path / run["arm"]), silent.get((run["arm"], 1), ())
        assert by_messages(spec, run["arm"], store, amendments, absences) == run["final_artifacts"]


def test_a_method_that_comes_later_merges_as_well_as_if_it_had_been_there_from_the_start() -> None:
    well_trained = {
        "topology": {"kind": "full"}, "data": {"rows_per_site": 150}, "model": {"kind": "mlp", "hidden": [48, 48]},
        "train": {"warmup_epochs": 12}, "merge": {"probe": {"rows": 150}, "merge_every": 3},
    }  # fmt: skip
    arms = [
        {"name": "later", "method": "local_only"},
        {"name": "from-the-start", "method": "common_basis"},
        {"name": "never-aligned", "method": "common_basis", "merge": {"align": False}},
    ]
    spec = pen_digits(3, arms, **well_trained)
    runs = simulate_spec(spec, amendments=[turned("later", 3, method="common_basis")])["runs"]
    assert len({run["rounds"][2]["after_train"]["all_site"]["mean"] for run in runs}) == 1
    later, start, never = (run["rounds"][3]["after_merge"]["all_site"]["mean"] for run in runs)
    assert later == pytest.approx(start, abs=0.05)
    assert later > never + 0.1
    links = {run["arm"]: run["bytes_exchanged"] for run in runs}
    assert links["later"] == links["from-the-start"] > links["never-aligned"]


def test_sites_that_differ_in_people_and_conditions_end_in_the_artifacts_of_simulate(tmp_path: Path) -> None:
    spec = PilotSpec.model_validate(
        {
            "name": "people", "rounds": 2, "topology": {"kind": "ring"},
            "data": {
                "partition": {"kind": "column", "column": "subject"}, "rows_per_site": 60,
                "shift": {"kind": "conditions", "rotation": 0},
            },
            "model": {"kind": "mlp", "hidden": [8]}, "train": {"warmup_epochs": 1}, "merge": {"probe": {"rows": 16}},
            "sites": [
                {"name": f"s{i}", "data": {"kind": "sample", "dataset": "watch_imu"}} for i in range(4)
            ],
            "arms": [{"name": "dimat", "method": "dimat"}],
        }
    )  # fmt: skip
    (run,) = simulate_spec(spec)["runs"]
    assert run["state"] == "completed"
    assert by_messages(spec, "dimat", DirectoryStore(tmp_path)) == run["final_artifacts"]


def test_sums_that_run_over_fail_for_the_same_reason_as_in_simulate(tmp_path: Path) -> None:
    """At the root of the tree they are read from the store like a model; they are no damaged file."""
    spec = PilotSpec.model_validate(
        {
            "name": "diverges", "rounds": 3, "topology": {"kind": "line"}, "data": {"rows_per_site": 50},
            "model": {"kind": "mlp", "hidden": [32, 32]},
            "train": {"warmup_epochs": 1, "lr": 10.0, "warmup_lr": 10.0, "grad_clip": 1e6},
            "merge": {"over": "tree", "wire": {"numbers": "float16"}, "probe": {"rows": 16}},
            "sites": [
                {"name": f"s{i}", "data": {"kind": "sample", "dataset": "pendigits"}} for i in range(4)
            ],
            "arms": [{"name": "regmean", "method": "regmean"}],
        }
    )  # fmt: skip
    (run,) = simulate_spec(spec)["runs"]
    assert run["state"] == "failed"
    with pytest.raises(Failed) as failed:
        by_messages(spec, "regmean", DirectoryStore(tmp_path))
    code, params = failed.value.args
    assert {"code": code, "params": params} == run["reason"]
