"""The steps as a worker runs them: fetch artifacts, call `dimat.steps`, book exchanges. No broker here."""

from dimat.steps import StepResult
from worker.messages.steps import (
    AdoptMessage,
    AlignMessage,
    EvaluateMessage,
    GatherMessage,
    MergeAllMessage,
    MergeMessage,
    PrepareMessage,
    TrainMessage,
)
from worker.steps import adopt, align, evaluate, gather, merge, merge_all, prepare, train
from worker.steps.bench import Bench

__all__ = ["Bench", "run"]


def run(bench: Bench) -> StepResult:
    """Runs the step of `bench.message`.

    Raises:
        DimatError: this step cannot succeed. StoreUnavailable: another attempt may. Cancelled.
    """
    match bench.message:
        case PrepareMessage() as message:
            result = prepare.run(bench, message)
        case AdoptMessage() as message:
            result = adopt.run(bench, message)
        case AlignMessage() as message:
            result = align.run(bench, message)
        case GatherMessage() as message:
            result = gather.run(bench, message)
        case MergeMessage() as message:
            result = merge.run(bench, message)
        case MergeAllMessage() as message:
            result = merge_all.run(bench, message)
        case TrainMessage() as message:
            result = train.run(bench, message)
        case EvaluateMessage() as message:
            result = evaluate.run(bench, message)
    bench.book(result)
    return result
