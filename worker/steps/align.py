"""`align`: the site permutes its own model into the basis of its parent in the spanning tree."""

from dimat import steps
from dimat.steps import StepResult
from worker.messages.steps import AlignMessage
from worker.steps.bench import Bench


def run(bench: Bench, message: AlignMessage) -> StepResult:
    own = bench.own(message.own)
    parent = None
    if message.parent is not None:
        parent = (message.parent.index, bench.neighbour(message.parent))
    momentum = bench.momentum(message.momentum)
    return steps.align(bench.context, bench.rows, message.merge, own, parent, message.tell, momentum)
