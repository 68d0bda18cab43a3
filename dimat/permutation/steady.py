"""Forward passes that leave nothing to luck, so that a training pass can be compared with another.

What is drawn for each unit alike (dropout, stochastic depth, noise) depends on no order of units, yet a draw does. So each
draw is one number.
"""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils._python_dispatch import TorchDispatchMode

from dimat.permutation.exporting import tensors_in

HALF = ("rand", "rand_like", "randn", "randn_like", "uniform_", "normal_", "exponential_")
"""Draws that become 0.5 everywhere: within what each can give, and not zero, which would hide what is multiplied with it."""
LIKE_EVALUATION = (_NormBase, nn.RReLU)
"""Layers whose training pass is known to treat each channel or each number by itself. With few rows BatchNorm's would blow up
rounding errors, or refuse to run."""


def as_trained(model: nn.Module) -> nn.Module:
    """The model in training mode, but for layers known to keep symmetries in it. It is changed in place, and returned."""
    model.train()
    for module in model.modules():
        if isinstance(module, LIKE_EVALUATION):
            module.eval()
    return model


@contextmanager
def steady(model: nn.Module) -> Iterator["Reads"]:
    """Meanwhile draws of this thread are constants: of a Bernoulli trial its probability, so that dropout changes nothing, 0.5 of all
    that is in `HALF`. Others, as of an order of rows, are the same each time: the generators of the process begin at one seed, for
    all its threads.

    Yields: which of the model's buffers are read.
    """
    luck = random.getstate()
    reads = Reads(model)
    try:
        with torch.random.fork_rng(devices=[]), reads:
            torch.default_generator.manual_seed(0)
            random.setstate(random.Random(0).getstate())  # noqa: S311  (no secret)
            yield reads
    finally:
        random.setstate(luck)


class Reads(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Attributes:
    unread: names of the model's buffers that no operation has read.
    """

    supports_higher_order_operators = True

    def __init__(self, model: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._names = {_place(buffer): name for name, buffer in model.named_buffers()}
        self._read: set[str] = set()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # to skip it would load it, which takes seconds

    @property
    def unread(self) -> frozenset[str]:
        return frozenset(self._names.values()) - self._read

    def __torch_dispatch__(
        self, op: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        named = dict(kwargs or {})
        for tensor in tensors_in([args, named]):
            if (buffer := self._names.get(_place(tensor))) is not None:
                self._read.add(buffer)
        name = op.__name__.partition(".")[0]
        if name in ("bernoulli", "bernoulli_"):
            chance = args[1] if len(args) > 1 else named.get("p", args[0] if name == "bernoulli" else 0.5)
            into = args[0] if name == "bernoulli_" else torch.empty_like(args[0])
            return into.copy_(chance) if isinstance(chance, Tensor) else into.fill_(chance)
        found = op(*args, **named)
        return found.fill_(0.5) if name in HALF and found.is_floating_point() else found


def _place(tensor: Tensor) -> int:
    """Where its numbers are: the same of views. 0 where that cannot be said."""
    return tensor.untyped_storage().data_ptr() if tensor.layout == torch.strided else 0
