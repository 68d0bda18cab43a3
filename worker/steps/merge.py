"""`merge`: fetch the neighbours' models (that fetch is the exchange), match, permute, mix, evaluate."""

from dimat import steps
from dimat.steps import StepResult
from worker.messages.steps import MergeMessage
from worker.steps.bench import Bench


def run(bench: Bench, message: MergeMessage) -> StepResult:
    own = bench.own(message.own)
    neighbours = {ref.index: bench.neighbour(ref) for ref in message.neighbours}
    weights = {ref.index: ref.weight for ref in message.neighbours}
    weights[bench.context.site_index] = message.own_weight
    moments, before = bench.moments(message), bench.before(message)
    return steps.merge(
        bench.context, bench.rows, message.merge, message.method, own, neighbours, weights, moments, before
    )
