"""Buffers that belong to the architecture, as masks and frequencies do: they are the same at all sites and no training changes them.

Permuted like weights they would keep what one model computes, but two models whose units were matched would differ in them, and their
mean is no mask any more. So they stay, with what they touch.
"""

from typing import Any

import torch
from torch import Tensor, nn

from dimat.permutation.exporting import copied
from dimat.permutation.steady import steady

STATISTICS = ("running_mean", "running_var")


def constants(model: nn.Module, example_inputs: tuple[Any, ...]) -> frozenset[str]:
    """Names in the state dict of buffers that tell units apart and that training leaves as they are.

    Those of a layer with running statistics are its statistics, though it may be frozen; a buffer that is alike everywhere may yet be
    filled. Of a model that cannot be trained on these inputs no other buffer is taken for changed by training.
    """
    kept = model.state_dict(keep_vars=True)
    asked = {
        name: buffer
        for name, buffer in model.named_buffers()
        if name in kept and not _is_statistic(model, name) and not _is_alike(buffer)
    }
    return frozenset(asked.keys() - _changed(model, example_inputs, asked)) if asked else frozenset()


def _is_statistic(model: nn.Module, name: str) -> bool:
    owner = model.get_submodule(name.rpartition(".")[0])
    return any(owner._buffers.get(one) is not None for one in STATISTICS)


def _is_alike(buffer: Tensor) -> bool:
    return buffer.is_meta or buffer.numel() < 2 or bool((buffer == buffer.flatten()[0]).all())


def _changed(model: nn.Module, example_inputs: tuple[Any, ...], buffers: dict[str, Tensor]) -> set[str]:
    training = copied(model).train()
    try:
        with torch.no_grad(), steady(training):
            training(*example_inputs)
    except Exception:  # whatever a model says that trains on other inputs than these
        return set()
    after = dict(training.named_buffers())
    return {name for name, before in buffers.items() if not torch.equal(after[name], before)}
