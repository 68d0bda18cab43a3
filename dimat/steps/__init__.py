"""The steps of a run as pure functions: `prepare`, `adopt`, `align`, `gather`, `merge`, `train`, `evaluate`.

A worker and `simulate` call these same functions with the same values, and that is why a distributed
run ends in the same bits. They read no file, no clock and no global state; the caller asks for
`compute_repeatably`. No argument is changed.
"""

from dimat.steps.context import Alone, NeighbourMatch, StepContext, StepResult
from dimat.steps.layouts import layout, mean_layout, momentum_layout, remembered_layout, sums_layout
from dimat.steps.merging import adopt, align, merge
from dimat.steps.over_all import gather, merge_all
from dimat.steps.training import evaluate, prepare, train
from dimat.training.evaluate import Metrics
from dimat.training.local import Cancelled

__all__ = [
    "Alone", "Cancelled", "Metrics", "NeighbourMatch", "StepContext", "StepResult",
    "adopt", "align", "evaluate", "gather", "layout", "mean_layout", "merge", "merge_all", "momentum_layout", "prepare",
    "remembered_layout", "sums_layout", "train",
]  # fmt: skip
