"""What a step's book says of models that were not used."""

from types import SimpleNamespace
from typing import Any, cast

from dimat.steps import StepResult
from worker.messages.reports import ExchangeReport
from worker.steps.bench import Bench


def test_the_ledger_is_told_why_each_model_was_refused() -> None:
    message = SimpleNamespace(context=SimpleNamespace(site_names=("a", "b", "c", "d")))
    came = [
        ExchangeReport(from_index=j, to_index=0, purpose=purpose, num_bytes=9, seconds=0.1)
        for j, purpose in ((1, "merge"), (2, "merge"), (2, "moments"), (3, "merge"))
    ]  # fmt: skip
    bench = Bench(*cast(Any, (message, None, None, None)), exchanges=came)
    bench.book(StepResult(rejected={2: "sums_impossible", 3: "non_finite_params"}))
    told = [(exchange.from_index, exchange.rejected) for exchange in bench.exchanges]
    assert told == [(1, None), (2, "sums_impossible"), (2, "sums_impossible"), (3, "non_finite_params")]
