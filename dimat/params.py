"""The tensors of a model by name, and the questions every part asks about them."""

from collections.abc import Mapping

import torch
from torch import Tensor

Params = Mapping[str, Tensor]
"""A model's parameters and buffers by their names in `state_dict`, on the CPU. Never mutated."""

Layout = Mapping[str, tuple[tuple[int, ...], torch.dtype]]
"""Shape and dtype of each tensor of an architecture."""


def layout_of(params: Params) -> Layout:
    """Shape and dtype of each tensor, names sorted."""
    return {name: (tuple(params[name].shape), params[name].dtype) for name in sorted(params)}


def first_non_finite(params: Params) -> str | None:
    """The first name, in sorted order, of a tensor with NaN or infinite values; None if all are finite."""
    for name in sorted(params):
        if not bool(torch.isfinite(params[name]).all()):
            return name
    return None
