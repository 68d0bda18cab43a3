"""`adopt`: the site goes on with a neighbour's model, as it joins or comes back."""

from dimat import steps
from dimat.steps import StepResult
from worker.messages.steps import AdoptMessage
from worker.steps.bench import Bench


def run(bench: Bench, message: AdoptMessage) -> StepResult:
    source = (message.source.index, bench.neighbour(message.source))
    return steps.adopt(bench.context, bench.rows, source, message.tell)
