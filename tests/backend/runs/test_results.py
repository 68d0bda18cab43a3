"""What a run measured is put together in one pass, however many rounds it has."""

from collections.abc import Iterator

from backend.db.tables import MetricRow, RunRow
from backend.runs.results import rounds
from dimat.spec import PilotSpec

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
