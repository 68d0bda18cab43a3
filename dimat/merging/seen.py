"""What a linear layer reads, as rows of a matrix: features as they are, patches of a convolution, what attention mixed.

Legend: B = rows of a chunk, C = channels, S = samples (rows x positions), I = inputs of a unit, without one for its bias.
"""

import inspect
from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from dimat.merging.layers import PROJECTIONS

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
ATTENTION = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight", "in_proj_bias")
GOLDEN = (5**0.5 - 1) / 2

Call = tuple[tuple[Any, ...], Mapping[str, Any]]
"""Positional and named arguments of a module's call."""
See = Callable[[nn.Module, Call, int, int], Tensor]
"""(S, I) from the module, its call, the most positions of an image, and the number of samples seen before."""


def linear_layers(model: nn.Module) -> dict[str, tuple[str, See]]:
    """By the name of each layer (`merging.layers`) the module whose call shows its inputs, and how; in the order of the modules.

    Layers whose outputs are linear in all their inputs: Linear, and convolutions of one group. Grouped and depthwise convolutions are
    none: each of their outputs reads some channels only, so that they had as many small problems as groups; they are averaged.
    So are layers of complex numbers, transposed convolutions, whose outputs add up what overlaps, and layers whose weight or bias is computed, as by weight norm:
    nobody could set them. And so are those of a class with a `forward` of its own (a mask, standardised weights): whether it is linear in
    the weight as it is stored nobody can tell.
    """
    found: dict[str, tuple[str, See]] = {}
    inner: set[str] = set()  # output layers of attentions are never called by themselves
    for name, module in model.named_modules():
        if isinstance(module, nn.MultiheadAttention):
            inside = f"{name}." if name else ""
            inner.add(f"{inside}out_proj")
            if not (_is_plain(module, ATTENTION) and _is_plain(module.out_proj)):
                continue
            found |= {f"{inside}{projection}": (name, _projected(projection)) for projection in PROJECTIONS}
            found[f"{inside}out_proj"] = (name, _attended)
        elif name in inner or not _is_plain(module):
            continue
        elif isinstance(module, CONVOLUTIONS) and module.groups == 1:
            found[name] = (name, _patches)
        elif isinstance(module, nn.Linear):
            found[name] = (name, _features)
    return found


def _is_plain(module: nn.Module, tensors: tuple[str, ...] = ("weight", "bias")) -> bool:
    """Whether it computes as torch's own class does, and these are params of its own, and real numbers. Weight norm and the like, of old and
    of new, put others in their place."""
    held = module._parameters
    if not any(_computes_as(module, kind) for kind in (nn.Linear, *CONVOLUTIONS, nn.MultiheadAttention)):
        return False
    return all(name in held for name in tensors) and not any(
        tensor is not None and tensor.is_complex() for tensor in held.values()
    )


def _computes_as(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Neither its class nor somebody who patched the module put another computation in the place of that of `kind`."""
    steps = [name for name in ("forward", "_conv_forward") if hasattr(kind, name)]
    return isinstance(module, kind) and all(
        getattr(type(module), name) is getattr(kind, name) and name not in vars(module) for name in steps
    )


def first_of(call: Call) -> Tensor:
    """The first argument."""
    arguments, named = call
    read: Tensor = arguments[0] if arguments else next(iter(named.values()))
    return read


def _features(layer: nn.Module, call: Call, positions: int, before: int) -> Tensor:
    """Of Linear: tokens and whatever else stands between rows and features count as samples, all of them."""
    read = first_of(call)
    return read.reshape(-1, read.shape[-1])


def _patches(layer: nn.Module, call: Call, positions: int, before: int) -> Tensor:
    """Of a convolution: what its kernel covers, at no more than `positions` places of an image or series.

    Neighbouring places tell almost the same. Which ones: by multiples of the golden ratio, counted on from image to image, so that they are
    spread over each image and all places have their turn. Patches are views of the input until they are chosen.
    """
    assert isinstance(layer, CONVOLUTIONS)
    rank = len(layer.kernel_size)
    windows = functional.pad(
        first_of(call),
        _padding(layer),
        mode="constant" if layer.padding_mode == "zeros" else layer.padding_mode,
    )
    for axis, (kernel, stride, dilation) in enumerate(
        zip(layer.kernel_size, layer.stride, layer.dilation, strict=True), start=2
    ):
        windows = windows.unfold(axis, dilation * (kernel - 1) + 1, stride)[..., ::dilation]
    windows = windows.movedim(1, rank + 1)  # rows, places, channels, kernel
    rows, places = len(windows), windows.shape[1 : rank + 1]
    if prod(places) > positions:
        turn = torch.arange(before, before + rows * positions, dtype=torch.float64, device=windows.device)
        place = (turn * GOLDEN % 1 * prod(places)).long()
        row = torch.arange(rows, device=windows.device).repeat_interleave(positions)
        windows = windows[(row, *torch.unravel_index(place, places))]
    return windows.reshape(-1, layer.weight[0].numel())


def _padding(layer: nn.Conv1d | nn.Conv2d | nn.Conv3d) -> list[int]:
    """Before and behind each axis, the last axis first."""
    sides: list[int] = []
    for axis in reversed(range(len(layer.kernel_size))):
        if layer.padding == "same":
            both = layer.dilation[axis] * (layer.kernel_size[axis] - 1)
            sides += [both // 2, both - both // 2]
        else:
            side = 0 if isinstance(layer.padding, str) else layer.padding[axis]
            sides += [side, side]
    return sides


def _projected(projection: str) -> See:
    """Of q, k or v: query, key or value, whose tokens count as samples."""
    which = ("query", "key", "value")[PROJECTIONS.index(projection)]

    def see(layer: nn.Module, call: Call, positions: int, before: int) -> Tensor:
        read: Tensor = inspect.signature(layer.forward).bind(*call[0], **call[1]).arguments[which]
        return read.reshape(-1, read.shape[-1])

    return see


def _attended(layer: nn.Module, call: Call, positions: int, before: int) -> Tensor:
    """Of the output layer: the heads' answers side by side. They are never shown; with the identity in its place it gives them away."""
    assert isinstance(layer, nn.MultiheadAttention)
    out = layer.out_proj
    through = {
        "inner.out_proj.weight": torch.eye(layer.embed_dim, dtype=out.weight.dtype, device=out.weight.device)
    }
    if out.bias is not None:
        through["inner.out_proj.bias"] = torch.zeros_like(out.bias)
    answers: Tensor = functional_call(_PastHooks(layer), through, call[0], dict(call[1]))[0]
    return answers.reshape(-1, layer.embed_dim)


class _PastHooks(nn.Module):
    """Calls a module without its hooks: one of them is what calls."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *arguments: Any, **named: Any) -> Any:
        return self.inner.forward(*arguments, **named)
