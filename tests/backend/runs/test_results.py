"""What a run measured is put together in one pass, however many rounds it has, and holds all that repeats it."""

from collections.abc import Iterator
from pathlib import Path

from backend.db.tables import MetricRow, RunRow
from backend.runs import results
from backend.runs.results import rounds
from backend.runs.schemas import Result
from dimat.plan import RunKey
from dimat.spec import PilotSpec
from dimat.training.repeatable import compute_repeatably
from tests.backend.coordinator.stage import SITES as STAGED
from tests.backend.coordinator.stage import Stage, spec
from worker.artifacts import DirectoryStore
from worker.data.sweep import read_sweep
from worker.execution import Execution
from worker.messages.reports import Report
from worker.messages.steps import StepMessage
from worker.simulate import main
from worker.sweeps.wanted import Wanted

SITES, ROUNDS = 2, 40


class Counted:
    """The metrics of a run, and how many of them were looked at."""

    def __init__(self, metrics: list[MetricRow]) -> None:
        self._metrics, self.looks = metrics, 0

    def __iter__(self) -> Iterator[MetricRow]:
        for metric in self._metrics:
            self.looks += 1
            yield metric


def test_each_metric_is_looked_at_once_however_many_rounds_there_are() -> None:
    data = {"kind": "sample", "dataset": "pendigits"}
    spec = PilotSpec.model_validate(
        {
            "name": "long", "rounds": ROUNDS, "sites": [{"name": f"s{i}", "data": data} for i in range(SITES)],
            "arms": [{"name": "merged", "method": "dimat"}],
        }
    )  # fmt: skip
    metrics = [
        MetricRow(run_id="run", round=at, phase=phase, site_index=site, own_site=at / ROUNDS, all_site=0.5)
        for at in range(ROUNDS + 1)
        for phase in ("after_merge", "after_train")[at == 0 :]
        for site in range(SITES)
    ]
    counted = Counted(metrics)
    found = rounds(RunRow(id="run", arm="merged", rounds_done=ROUNDS), spec, [], counted, {3: 0.5})
    assert counted.looks == len(metrics)
    assert [one.after_merge is None for one in found] == [True] + [False] * ROUNDS
    assert [one.round for one in found if one.cycle_inconsistency is not None] == [3]
    assert found[30].after_train is not None
    assert found[30].after_train.own_site is not None
    assert found[30].after_train.own_site.by_site == {"s0": 0.75, "s1": 0.75}


class Reports:
    """Takes to the coordinator what an execution reports."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def send(self, report: Report, until_taken: bool = True) -> None:
        self._stage.post.report(report)

    def is_cancelled(self, message: StepMessage, execution_id: str) -> bool:
        return False


def test_a_pilot_is_repeated_bit_by_bit_where_an_amendment_came_too_late_for_one_arm(
    stage: Stage, tmp_path: Path
) -> None:
    """It had been simulated with the amendment in all arms: other models, and nothing said so."""
    small = {
        "data": {"rows_per_site": 30},
        "model": {"kind": "mlp", "hidden": [6]},
        "train": {"warmup_epochs": 1},
    }
    pilot = spec(rounds=3, arms=("local_only", "plain_average"), topology={"kind": "full"}, **small)
    store = DirectoryStore(tmp_path / "store")
    compute_repeatably()
    stage.launch(pilot)

    def work(ahead_only: bool) -> None:
        """Each step that waits is done; `ahead_only`: of the arm that merges none that the other need not wait for."""
        stage.beat("w", *STAGED, concurrency=16)
        stage.turn()
        for message in stage.waiting():
            is_alone = message.run_id == "p/local_only" and message.round < pilot.rounds
            if not ahead_only or is_alone or message.kind in ("prepare", "evaluate"):
                stage.take(message)
                Execution(message, "w", Reports(stage), 4.0).run(lambda: store, "cpu")

    while not any(step.round == pilot.rounds for step in stage.steps("p/local_only")):
        work(ahead_only=True)
    stage.amend({"train": {"epochs": 3}})
    while any(stage.run(f"p/{arm.name}").state != "completed" for arm in pilot.arms):
        work(ahead_only=False)
    with stage.database.read() as session:
        told = results.of_pilot(session, "p")
    (amended,) = told.pilot.amendments
    assert amended.left_out == (RunKey(arm="local_only", seed=1),)
    downloaded, repeated = tmp_path / "result.json", tmp_path / "again.json"
    downloaded.write_text(told.model_dump_json())
    assert main(read_sweep(downloaded), Wanted(json=repeated, quiet=True))
    again = Result.model_validate_json(repeated.read_text())
    assert again.pilot == told.pilot
    for known, found in zip(told.runs, again.runs, strict=True):
        assert (found.arm, found.final_artifacts) == (known.arm, known.final_artifacts)
        assert (found.rounds, found.bytes_exchanged) == (known.rounds, known.bytes_exchanged)
