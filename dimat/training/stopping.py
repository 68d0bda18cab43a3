"""When training ends before its last epoch: no better on rows it does not learn from, for a while. Never on test rows."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dimat.params import Params
from dimat.training.loss import Objective

CHUNK_ROWS = 1024


@dataclass(frozen=True, slots=True)
class Stopping:
    """Ends training when the loss on `x`, `y` did not fall below its lowest for `patience` epochs.

    Attributes:
        patience: epochs, >= 1. x: (rows, ...) float32, y: (rows, ...) targets, the site's own validation rows.
    """

    patience: int
    x: Tensor
    y: Tensor


@dataclass(frozen=True, slots=True)
class Best:
    """The best epoch so far, counted from 0, as it was: its loss on the validation rows and on the training rows, and copies of the
    model's params and buffers and of what the optimiser remembered."""

    epoch: int
    held_out_loss: float
    train_loss: float
    state: Params
    momentum: Params


def held_out_loss(model: nn.Module, stopping: Stopping, objective: Objective) -> float:
    """The mean loss over the validation rows, with the model in evaluation mode, in which it is left; infinite where it is no number,
    so that any other is better."""
    model.eval()
    total = weight = 0.0
    with torch.no_grad():
        for start in range(0, len(stopping.x), CHUNK_ROWS):
            at = slice(start, start + CHUNK_ROWS)
            loss, of_rows = objective.total(model(stopping.x[at]), stopping.y[at])
            total, weight = total + loss, weight + of_rows
    mean = total / weight
    return mean if math.isfinite(mean) else math.inf
