"""Activations of a group's units at its tap.

Legend: S = samples (rows and all positions), N = units.
"""

from math import prod as product
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence

from dimat.errors import TensorMissing
from dimat.params import Params
from dimat.permutation.apply import check_axis
from dimat.permutation.spec import Axis, Group, PermutationSpec


def units_at(
    group: Group, spec: PermutationSpec, layer: nn.Module, inputs: Any, output: Any, positions: int
) -> Tensor:
    """(S, N) float on the CPU; N = size, or for a group under others (blocks, heads) blocks * size, block after block.

    Args:
        inputs, output: of a call of the module `group.tap`.
        positions: at most so many of an image or a sequence are looked at, evenly spread.
    """
    place = group.place
    starts = torch.tensor(place.starts)
    if place.side == "input":
        seen = inputs[0]
    elif place.side == "output":
        # A copy: an activation that works in place may follow.
        seen = (output[0] if isinstance(output, tuple) else output).clone()
    elif place.side == "layer":
        seen = _of_layer(layer, inputs[0], place.number)
    else:
        seen, starts = _projected(layer, inputs, starts)
    if seen.is_complex():  # two samples of each unit: both parts move with it
        seen = torch.cat([seen.real, seen.imag])
    if place.others:
        # Their order differs from model to model; what does not depend on it is compared in their place.
        seen = torch.stack(
            [seen.mean(place.others, keepdim=True), seen.square().mean(place.others, keepdim=True)]
        )
        seen = seen.movedim(0, 1).flatten(0, 1)
    if place.axis == 1 and seen.ndim > 2:
        seen = _some_positions(seen.flatten(2), positions)
    part: Tensor = seen.movedim(place.axis, -1)
    entries = (starts[:, None] + torch.arange(group.size * place.repeat)).flatten()
    if not torch.equal(entries, torch.arange(part.shape[-1])):  # a copy only where it must be
        part = part.index_select(-1, entries.to(part.device))
    blocks = product(spec.group(name).size for name in group.under)
    split = part.reshape(*part.shape[:-1], len(starts) // blocks, blocks, group.size, place.repeat)
    if place.is_mixed:
        split = torch.stack([split.mean(-1), split.square().mean(-1)], dim=-1)
    # A parameter that a layer reads keeps its gradient, whatever is said around.
    return split.detach().transpose(-1, -2).transpose(-2, -3).reshape(-1, blocks * group.size).cpu()


def _some_positions(seen_BCP: Tensor, most: int) -> Tensor:
    """Neighbouring positions tell almost the same: a few of them, the same ones every time, do."""
    num = seen_BCP.shape[2]
    if num <= most:
        return seen_BCP
    return seen_BCP[:, :, torch.arange(most, device=seen_BCP.device) * num // most]


def check_groups(spec: PermutationSpec, params: Params) -> None:
    """That the groups are those of this model. Raises: TensorMissing, ShapeMismatch."""
    for group in spec.groups:
        for axis in group.axes:
            if axis.param not in params:
                raise TensorMissing(argument="params", site="own", name=axis.param)
            check_axis(group, axis, params[axis.param])


def units_first(tensor: Tensor, axis: Axis, size: int) -> Tensor:
    """(size, everything else) of a tensor that follows a group on this axis."""
    part = tensor.movedim(axis.axis, 0)[axis.offset : axis.offset + axis.tiles * size * axis.repeat]
    split = part.reshape(axis.tiles, size, axis.repeat, *part.shape[1:])
    return split.movedim(1, 0).reshape(size, -1)


def units_of_blocks(tensor: Tensor, axis: Axis, group: Group) -> Tensor:
    """(N, everything else), block after block, of a tensor that holds the units of a group within the blocks on another axis."""
    assert axis.within is not None, axis
    inner, num_blocks = group.units_on(axis), group.num_blocks
    part = tensor.movedim((axis.within, axis.axis), (0, 1))
    part = part[:, axis.offset : axis.offset + axis.tiles * inner * axis.repeat]
    split = part.reshape(num_blocks, -1, axis.tiles, inner, axis.repeat, *part.shape[2:])
    return split.movedim(3, 1).reshape(group.size, -1)


def _of_layer(module: nn.Module, given: Tensor | PackedSequence, number: int) -> Tensor:
    """What layer `number` of a recurrent module gives, started from zeros."""
    assert isinstance(module, nn.RNNBase), type(module)
    directions = 2 if module.bidirectional else 1
    each = directions * ((4 if module.bias else 2) + (module.proj_size > 0))
    lengths: tuple[Any, ...] = ()
    if isinstance(given, PackedSequence):
        x, lengths, rows = given.data, (given.batch_sizes,), int(given.batch_sizes[0])
    else:
        x, rows = given, given.shape[0 if module.batch_first else 1]
    sizes = (module.proj_size or module.hidden_size, module.hidden_size)
    starts = tuple(torch.zeros(directions, rows, size, dtype=x.dtype, device=x.device) for size in sizes)
    run = getattr(torch, module.mode.lower())
    state: Any = starts if module.mode == "LSTM" else starts[0]
    for layer in range(number + 1):
        weights = module._flat_weights[each * layer : each * (layer + 1)]
        how: tuple[Any, ...] = (bool(module.bias), 1, 0.0, False, bool(module.bidirectional))
        if not lengths:
            how = (*how, bool(module.batch_first))
        x = run(x, *lengths, state, weights, *how)[0]
    return x


def _projected(module: nn.Module, inputs: Any, starts: Tensor) -> tuple[Tensor, Tensor]:
    """q, k or v of an attention module, and the places in it of what starts there in the packed projection."""
    assert isinstance(module, nn.MultiheadAttention), type(module)
    which = int(starts[0]) // module.embed_dim
    rows = slice(which * module.embed_dim, (which + 1) * module.embed_dim)
    packed = getattr(module, "in_proj_bias", None)
    bias = None if packed is None else packed[rows]
    return functional.linear(inputs[which], module.in_proj_weight[rows], bias), starts - rows.start
