"""`prepare`: the site's start model, trained alone; shared by all runs of (pilot, seed)."""

from dimat import steps
from dimat.steps import StepResult
from worker.messages.steps import PrepareMessage
from worker.steps.bench import Bench


def run(bench: Bench, message: PrepareMessage) -> StepResult:
    return steps.prepare(bench.context, bench.rows, message.train, bench.start)
