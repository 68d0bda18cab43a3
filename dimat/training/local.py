"""Training a model on a site's own rows. What an optimiser remembers goes in and comes out, so that a caller may carry it
from round to round."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from dimat.params import Params
from dimat.training.checkpoint import Checkpoint
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


def pass_on(_take: Callable[[], object]) -> None:
    """Nobody keeps what is there between two epochs."""


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
    start: Checkpoint | None = None,
    on_epoch: Callable[[Callable[[], Checkpoint]], None] = pass_on,
) -> Trained:
    """Trains `model` in place.

    Args:
        x: (rows, ...) float32. y: (rows, ...) targets, as `how.objective` takes them. rng: orders the rows of each epoch.
        momentum: what an earlier call left, for the same architecture; None: a fresh optimiser.
        should_stop: asked before every batch. on_progress: told the share done, 0..1, after every batch.
        start: after which epoch to go on, as an earlier call with the same arguments told `on_epoch`; the bits are then those of
            a call that was never interrupted. None: from the first one.
        on_epoch: given, after every epoch that another one follows, what takes the checkpoint; it may be called before `on_epoch`
            comes back, and costs a copy of the model.

    Raises:
        Cancelled: `should_stop` said so.
    """
    if start is not None:
        model.load_state_dict(dict(start.params))
        momentum = start.momentum
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
    best = start.best if start is not None else None
    num_epochs, mean_loss = (start.num_epochs, start.loss) if start is not None else (0, None)
    for _ in range(num_epochs):
        torch.randperm(
            len(x), generator=rng
        )  # the orders of the epochs before, so that the next one is the same
    for epoch in range(num_epochs, how.epochs):
        model.train()
        for group in optimiser.param_groups:
            group["lr"] = how.lr_of(epoch)
        order = torch.randperm(len(x), generator=rng).to(x.device)
        total = torch.zeros((), dtype=torch.float64, device=x.device)
        for number, first in enumerate(batches_of):
            if should_stop():
                raise Cancelled
            rows = order[first : first + how.batch_size]
            optimiser.zero_grad()
            batch = x[rows].contiguous(memory_format=form)
            loss = objective.mean(model(batch), y[rows])
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(named.values(), how.grad_clip)
            optimiser.step()
            total += loss.detach()
            on_progress((epoch + (number + 1) / len(batches_of)) / how.epochs)
        num_epochs, mean_loss = epoch + 1, float(total) / len(batches_of)
        if how.stopping is not None:
            held_out = held_out_loss(model, how.stopping, objective)
            if best is None or held_out < best.held_out_loss:
                state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
                best = Best(epoch, held_out, mean_loss, state, _momentum(optimiser, named))
            elif epoch - best.epoch >= how.stopping.patience:
                on_progress(1.0)
                break
        if num_epochs < how.epochs:
            on_epoch(partial(_checkpoint, num_epochs, mean_loss, model, optimiser, best))
    left = _momentum(optimiser, named)
    if best is not None:
        model.load_state_dict(dict(best.state))
        mean_loss, left = best.train_loss, best.momentum
    model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return Trained(mean_loss, left, num_epochs)


def _checkpoint(
    num_epochs: int, loss: float, model: nn.Module, optimiser: torch.optim.Optimizer, best: Best | None
) -> Checkpoint:
    if best is not None:
        best = replace(best, state=_plain(best.state))
    momentum = _momentum(optimiser, dict(model.named_parameters()))
    return Checkpoint(num_epochs, loss, _plain(model.state_dict()), momentum, best)


def _plain(tensors: Params) -> Params:
    """Copies on the CPU, in memory as they are everywhere else."""
    return {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }


def _momentum(optimiser: torch.optim.Optimizer, named: Mapping[str, Tensor]) -> Params:
    """A copy of what it remembers, on the CPU."""
    found = {name: optimiser.state[param].get("momentum_buffer") for name, param in named.items()}
    return _plain({name: buffer for name, buffer in found.items() if buffer is not None})


def _batch_starts(num_rows: int, batch_size: int) -> list[int]:
    """Where batches begin. A last batch of a single row is left out, as BatchNorm cannot train on it, unless all of them are of one."""
    starts = list(range(0, num_rows, batch_size))
    return starts[:-1] if 1 < batch_size < num_rows and num_rows - starts[-1] == 1 else starts
