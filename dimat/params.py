"""The tensors of a model by name, and the questions every part asks about them."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

Params = Mapping[str, Tensor]
"""A model's parameters and buffers by their names in `state_dict`, on the CPU. Never mutated."""

Layout = Mapping[str, tuple[tuple[int, ...], torch.dtype]]
"""Shape and dtype of each tensor of an architecture."""


def layout_of(params: Params) -> Layout:
    """Shape and dtype of each tensor, names sorted."""
    return {name: (tuple(params[name].shape), params[name].dtype) for name in sorted(params)}


def tensors_of(params: Mapping[str, object]) -> Params:
    """Without what else a module keeps in its state dict (`get_extra_state`)."""
    return {name: value for name, value in params.items() if isinstance(value, Tensor)}


def can_be_averaged(dtype: torch.dtype) -> bool:
    """Whether a mean of such numbers means something: of real and of complex ones, not of whole ones, which count."""
    return dtype.is_floating_point or dtype.is_complex


def kept(value: Any) -> Any:
    """A copy of what is not averaged; of what is no tensor the thing itself."""
    return value.clone() if isinstance(value, Tensor) else value


def averaged(params: Params) -> Params:
    """The tensors that `can_be_averaged`."""
    return {name: value for name, value in tensors_of(params).items() if can_be_averaged(value.dtype)}


def doubled(value: Tensor) -> Tensor:
    """In float64, complex numbers in complex128: what means are summed up in."""
    return value.to(torch.complex128 if value.is_complex() else torch.float64)


def as_real(value: Tensor) -> Tensor:
    """Complex numbers as pairs on a last axis of their own, others as they are."""
    return torch.view_as_real(value.resolve_conj()) if value.is_complex() else value


def first_names(model: nn.Module) -> Mapping[str, str]:
    """By the name of each parameter the first name of its tensor: the same one for tied weights, which have several names."""
    firsts = {id(param): name for name, param in model.named_parameters()}
    return {name: firsts[id(param)] for name, param in model.named_parameters(remove_duplicate=False)}


def first_non_finite(params: Params) -> str | None:
    """The first name, in sorted order, of a tensor with NaN or infinite values; None if all are finite."""
    for name, value in sorted(tensors_of(params).items()):
        # Numbers of 8 bits are not asked themselves: torch cannot say it of all their kinds.
        asked = value.float() if value.is_floating_point() and value.itemsize == 1 else value
        if not bool(torch.isfinite(asked).all()):
            return name
    return None
