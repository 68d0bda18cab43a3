"""`merge_all`: takes in what all sites' models come to, from the own sums at the root of the tree, from the parent elsewhere."""

from dimat import steps
from dimat.merging.sums import Sums
from dimat.params import Params
from dimat.steps import StepResult
from worker.messages.steps import MergeAllMessage
from worker.steps.bench import Bench


def run(bench: Bench, message: MergeAllMessage) -> StepResult:
    own, before = bench.own(message.own), bench.before(message)
    found: Sums | Params
    if message.parent is not None:
        found = bench.mean(message.parent)
    else:
        assert message.gathered is not None, "the message has one of the two"
        found = bench.gathered(message.gathered, message.method)
    return steps.merge_all(bench.context, bench.rows, message.merge, message.method, own, found, before)
