"""Training a model on a site's own rows.

A fresh optimiser in every call: momentum is not carried from round to round, for any method alike.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

FINAL_FRACTION = 0.1


class Cancelled(Exception):
    """The caller asked a step to stop; nothing of it is kept."""


@dataclass(frozen=True, slots=True)
class Pass:
    """How to train in one call.

    Attributes:
        epochs: passes over the rows. lr_of: learning rate of an epoch 0..epochs-1.
        grad_clip: upper limit of the gradient's norm over all params.
    """

    epochs: int
    lr_of: Callable[[int], float]
    batch_size: int
    momentum: float
    weight_decay: float
    grad_clip: float


def cosine(start: float, progress: float) -> float:
    """Learning rate at `progress` 0..1: from `start` down to a tenth of it along half a cosine."""
    return start * (FINAL_FRACTION + (1 - FINAL_FRACTION) * 0.5 * (1 + math.cos(math.pi * progress)))


def train(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    how: Pass,
    rng: torch.Generator,
    should_stop: Callable[[], bool],
    on_progress: Callable[[float], None],
) -> float | None:
    """Trains `model` in place; the mean loss of the last epoch, None without an epoch.

    Args:
        x: (rows, ...) float32. y: (rows,) int64. rng: orders the rows of each epoch.
        should_stop: asked before every batch. on_progress: told the share done, 0..1, after every batch.

    Raises:
        Cancelled: `should_stop` said so.
    """
    model.train()
    # The rate is set at the start of each epoch; there may be none.
    optimiser = torch.optim.SGD(
        model.parameters(), lr=0.0, momentum=how.momentum, weight_decay=how.weight_decay
    )
    params = list(model.parameters())
    batches_of = _batch_starts(len(x), how.batch_size)
    mean_loss = None
    for epoch in range(how.epochs):
        for group in optimiser.param_groups:
            group["lr"] = how.lr_of(epoch)
        order = torch.randperm(len(x), generator=rng).to(x.device)
        total = torch.zeros((), dtype=torch.float64, device=x.device)
        for number, start in enumerate(batches_of):
            if should_stop():
                raise Cancelled
            rows = order[start : start + how.batch_size]
            optimiser.zero_grad()
            loss = functional.cross_entropy(model(x[rows]), y[rows])
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(params, how.grad_clip)
            optimiser.step()
            total += loss.detach()
            on_progress((epoch + (number + 1) / len(batches_of)) / how.epochs)
        mean_loss = float(total) / len(batches_of)
    return mean_loss


def _batch_starts(num_rows: int, batch_size: int) -> list[int]:
    """Where batches begin. A last batch of a single row is left out: BatchNorm cannot train on it."""
    starts = list(range(0, num_rows, batch_size))
    return starts[:-1] if len(starts) > 1 and num_rows - starts[-1] == 1 else starts
