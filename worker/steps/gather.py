"""`gather`: the own summand and those of the branches below in the tree, added up for the parent."""

from dimat import steps
from dimat.steps import StepResult
from worker.messages.steps import GatherMessage
from worker.steps.bench import Bench


def run(bench: Bench, message: GatherMessage) -> StepResult:
    own = bench.own(message.own)
    branches = {ref.index: bench.branch(ref, message.method) for ref in message.branches}
    return steps.gather(bench.context, bench.rows, message.merge, message.method, own, branches)
