"""`train`: the local epochs of one round, then evaluation."""

from dimat import steps
from dimat.steps import StepResult
from worker.messages.steps import TrainMessage
from worker.steps.bench import Bench


def run(bench: Bench, message: TrainMessage) -> StepResult:
    own, momentum = bench.own(message.own), bench.momentum(message.momentum)
    alone = bench.alone(message)
    return steps.train(
        bench.context, bench.rows, message.train, own, momentum, message.tell, alone, bench.start
    )
