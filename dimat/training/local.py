"""Training a model on a site's own rows. What an optimiser remembers goes in and comes out, so that a caller may carry it
from round to round."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from dimat.params import Params

FINAL_FRACTION = 0.1


class Cancelled(Exception):
    """The caller asked a step to stop; nothing of it is kept."""


def never() -> bool:
    """Nobody asks to stop."""
    return False


def ignore(_done_fraction: float) -> None:
    """Nobody wants to know how far it is."""


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
    log_prior_C: Tensor | None = None
    """Added to the logits in the loss (balanced softmax), on the CPU; None: plain cross-entropy."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a call of `train` tells: the mean loss of the last epoch (None without an epoch), and the optimiser's momentum
    by parameter name, on the CPU (empty without an epoch or without momentum)."""

    loss: float | None
    momentum: Params


def cosine(start: float, progress: float) -> float:
    """Learning rate at `progress` 0..1: from `start` down to a tenth of it along half a cosine."""
    return start * (FINAL_FRACTION + (1 - FINAL_FRACTION) * 0.5 * (1 + math.cos(math.pi * progress)))


def train(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    how: Pass,
    rng: torch.Generator,
    should_stop: Callable[[], bool] = never,
    on_progress: Callable[[float], None] = ignore,
    momentum: Params | None = None,
) -> Trained:
    """Trains `model` in place.

    Args:
        x: (rows, ...) float32. y: (rows,) int64. rng: orders the rows of each epoch.
        momentum: what an earlier call left, for the same architecture; None: a fresh optimiser.
        should_stop: asked before every batch. on_progress: told the share done, 0..1, after every batch.

    Raises:
        Cancelled: `should_stop` said so.
    """
    model.train()
    # The rate is set at the start of each epoch; there may be none.
    optimiser = torch.optim.SGD(
        model.parameters(), lr=0.0, momentum=how.momentum, weight_decay=how.weight_decay
    )
    named = dict(model.named_parameters())
    for name, buffer in (momentum or {}).items():
        optimiser.state[named[name]]["momentum_buffer"] = buffer.to(x.device, copy=True)
    params = list(named.values())
    offset_C = None if how.log_prior_C is None else how.log_prior_C.to(x.device)
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
            logits = model(x[rows])
            loss = functional.cross_entropy(logits if offset_C is None else logits + offset_C, y[rows])
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(params, how.grad_clip)
            optimiser.step()
            total += loss.detach()
            on_progress((epoch + (number + 1) / len(batches_of)) / how.epochs)
        mean_loss = float(total) / len(batches_of)
    left = {
        name: optimiser.state[param]["momentum_buffer"].cpu()
        for name, param in named.items()
        if optimiser.state[param].get("momentum_buffer") is not None
    }
    return Trained(mean_loss, left)


def _batch_starts(num_rows: int, batch_size: int) -> list[int]:
    """Where batches begin. A last batch of a single row is left out: BatchNorm cannot train on it."""
    starts = list(range(0, num_rows, batch_size))
    return starts[:-1] if len(starts) > 1 and num_rows - starts[-1] == 1 else starts
