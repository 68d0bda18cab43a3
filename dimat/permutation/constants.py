"""Buffers that belong to the architecture, as masks and frequencies do: they are the same at all sites and no training changes them.

Permuted like weights they would keep what one model computes, but two models whose units were matched would differ in them, and their
mean is no mask any more. So they stay, with what they touch.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from dimat.permutation.exporting import ONE_AT_A_TIME, copied
from dimat.permutation.steady import steady

STATISTICS = ("running_mean", "running_var")


def constants(model: nn.Module, example_inputs: tuple[Any, ...]) -> frozenset[str]:
    """Names in the state dict of buffers that tell units apart and that training leaves as they are.

    Those of a layer with running statistics are its statistics, though it may be frozen. A buffer that is alike everywhere may yet be
    filled; on the meta device, where values are not known, none counts as alike. Of a model that cannot be trained on these inputs training writes none.
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
    return not buffer.is_meta and bool((buffer == buffer.flatten()[:1]).all())


def _changed(model: nn.Module, example_inputs: tuple[Any, ...], names: Iterable[str]) -> set[str]:
    """Those that a pass in training mode writes, be it the same numbers, as where a power iteration has arrived."""
    training = copied(model).train()
    before = {name: (buffer, buffer._version) for name, buffer in training.named_buffers()}
    try:
        with ONE_AT_A_TIME, torch.no_grad(), steady(training):
            training(*example_inputs)
    except Exception:  # whatever a model says that trains on other inputs than these
        return set()
    after = dict(training.named_buffers())
    return {
        name
        for name in names
        if after[name] is not before[name][0] or after[name]._version != before[name][1]
    }
