"""Training a model on a site's own rows. What an optimiser remembers goes in and comes out, so that a caller may carry it
from round to round."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dimat.params import Params
from dimat.training.loss import CROSS_ENTROPY, Objective
from dimat.training.stopping import Best, Stopping, held_out_loss

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
    objective: Objective = CROSS_ENTROPY
    stopping: Stopping | None = None
    """When to end before the last epoch; None: never."""
    channels_last: bool = False
    """Whether images and kernels lie in memory with their channels last meanwhile. A matter of time, and of the last bits."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a call of `train` tells: the mean loss of the epoch whose params were kept (None without an epoch), the optimiser's momentum
    then by parameter name, on the CPU (empty without an epoch or without momentum), and how many epochs it took, those after the
    best one included."""

    loss: float | None
    momentum: Params
    num_epochs: int


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
        x: (rows, ...) float32. y: (rows, ...) targets, as `how.objective` takes them. rng: orders the rows of each epoch.
        momentum: what an earlier call left, for the same architecture; None: a fresh optimiser.
        should_stop: asked before every batch. on_progress: told the share done, 0..1, after every batch.

    Raises:
        Cancelled: `should_stop` said so.
    """
    form = torch.channels_last if how.channels_last else torch.contiguous_format
    model.to(memory_format=form)  # type: ignore[call-overload]
    # The rate is set at the start of each epoch; there may be none.
    optimiser = torch.optim.SGD(
        model.parameters(), lr=0.0, momentum=how.momentum, weight_decay=how.weight_decay
    )
    named = dict(model.named_parameters())
    for name, buffer in (momentum or {}).items():
        # In memory as its parameter is.
        optimiser.state[named[name]]["momentum_buffer"] = torch.empty_like(named[name]).copy_(buffer)
    objective = how.objective.on(x.device)
    batches_of = _batch_starts(len(x), how.batch_size)
    best: Best | None = None
    num_epochs, mean_loss = 0, None
    for epoch in range(how.epochs):
        model.train()
        for group in optimiser.param_groups:
            group["lr"] = how.lr_of(epoch)
        order = torch.randperm(len(x), generator=rng).to(x.device)
        total = torch.zeros((), dtype=torch.float64, device=x.device)
        for number, start in enumerate(batches_of):
            if should_stop():
                raise Cancelled
            rows = order[start : start + how.batch_size]
            optimiser.zero_grad()
            batch = x[rows].contiguous(memory_format=form)
            loss = objective.mean(model(batch), y[rows])
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(named.values(), how.grad_clip)
            optimiser.step()
            total += loss.detach()
            on_progress((epoch + (number + 1) / len(batches_of)) / how.epochs)
        num_epochs, mean_loss = epoch + 1, float(total) / len(batches_of)
        if how.stopping is None:
            continue
        held_out = held_out_loss(model, how.stopping, objective)
        if best is None or held_out < best.held_out_loss:
            state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
            best = Best(epoch, held_out, mean_loss, state, _momentum(optimiser, named))
        elif epoch - best.epoch >= how.stopping.patience:
            on_progress(1.0)
            break
    left = _momentum(optimiser, named)
    if best is not None:
        model.load_state_dict(dict(best.state))
        mean_loss, left = best.train_loss, best.momentum
    model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return Trained(mean_loss, left, num_epochs)


def _momentum(optimiser: torch.optim.Optimizer, named: Mapping[str, Tensor]) -> Params:
    """A copy of what it remembers, on the CPU."""
    found = {name: optimiser.state[param].get("momentum_buffer") for name, param in named.items()}
    return {
        name: buffer.cpu().clone(memory_format=torch.contiguous_format)
        for name, buffer in found.items()
        if buffer is not None
    }


def _batch_starts(num_rows: int, batch_size: int) -> list[int]:
    """Where batches begin. A last batch of a single row is left out: BatchNorm cannot train on it."""
    starts = list(range(0, num_rows, batch_size))
    return starts[:-1] if len(starts) > 1 and num_rows - starts[-1] == 1 else starts
