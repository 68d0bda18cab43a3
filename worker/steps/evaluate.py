"""`evaluate`: accuracies of the start state; makes no model."""

from dimat import steps
from dimat.steps import StepResult
from worker.messages.steps import EvaluateMessage
from worker.steps.bench import Bench


def run(bench: Bench, message: EvaluateMessage) -> StepResult:
    return steps.evaluate(bench.context, bench.rows, bench.own(message.own))
