"""Reorders hidden units: permute, invert, compose, random permutations.

A permutation p of a group is a (size,) int64 tensor: unit p[i] moves to place i, as in `x[p]`.
"""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from dimat.checked import check_kind, check_params, check_shape
from dimat.errors import PermutationNotAdmissible, ShapeMismatch, TensorsUnknown, UnknownGroup
from dimat.params import Params
from dimat.permutation.spec import Axis, Group, PermutationSpec

Permutations = Mapping[str, Tensor]
"""Permutation of each group by its name. A group that is left out stays as it is."""
Move = tuple[Group, Axis, Tensor]
"""An axis of a tensor, the group that it follows, and the permutation of that."""


def permute(params: Params, spec: PermutationSpec, permutations: Permutations) -> Params:
    """`params` with the units of each group reordered; the model computes the same function.

    Args:
        params: a state dict, or what an optimiser remembers under the same names: tensors that it lacks are passed over, as of params
            that are not trained.

    Raises:
        TensorsUnknown: it has tensors, and none of those that are to be reordered, as where a wrapper puts a word before all names.
        TypeError: it is no state dict.
        ShapeMismatch: a permutation or tensor does not have the group's size. UnknownGroup.
        PermutationNotAdmissible: it is no tensor of whole numbers, tears apart a norm group or a head, or moves linked
            heads apart.
    """
    check_params("'params'", params)
    _check(spec, permutations)
    moved = [axis.param for name in permutations for axis in spec.group(name).axes]
    if params and moved and not any(name in params for name in moved):
        raise TensorsUnknown(argument="params", name=moved[0], given=str(next(iter(params))))
    moves: dict[str, list[Move]] = {}
    for name, permutation in permutations.items():
        group = spec.group(name)
        for axis in group.axes:
            if axis.param in params:
                check_axis(group, axis, params[axis.param])
                moves.setdefault(axis.param, []).append((group, axis, permutation))
    return {**params, **{name: reordered(params[name], given) for name, given in moves.items()}}


def reordered(tensor: Tensor, moves: Iterable[Move]) -> Tensor:
    """A tensor with the units on some of its axes moved by the permutations of their groups; none of this is checked."""
    # Inside of blocks before the blocks move: an order belongs to the block that is there.
    for group, axis, permutation in sorted(moves, key=lambda move: move[1].within is None):
        tensor = _moved(tensor, group, axis, permutation)
    return tensor


def _moved(tensor: Tensor, group: Group, axis: Axis, permutation: Tensor) -> Tensor:
    if axis.within is None:
        index = spread(permutation, axis, group.length_of(axis)).to(tensor.device)
        return tensor.index_select(axis.axis, index)
    num_blocks, length = group.num_blocks, group.length_of(axis)
    top, inner = _top(group, permutation), group.units_on(axis)
    orders = permutation.view(num_blocks, inner)[torch.argsort(top)] % inner
    index = torch.stack([spread(order, axis, length) for order in orders])
    entries = index.repeat_interleave(tensor.shape[axis.within] // num_blocks, dim=0).to(tensor.device)
    rows = torch.arange(len(entries), device=tensor.device)[:, None]
    places = (axis.within, axis.axis)
    return tensor.movedim(places, (0, 1))[rows, entries].movedim((0, 1), places).contiguous()


def check_axis(group: Group, axis: Axis, tensor: Tensor) -> None:
    """Raises: ShapeMismatch: the axis of this tensor has no room for the group, or for more."""
    length = group.length_of(axis)
    if tensor.ndim <= axis.axis or tensor.shape[axis.axis] != length:
        raise ShapeMismatch(
            name=axis.param, actual=str(tuple(tensor.shape)), expected=f"{length} entries on axis {axis.axis}"
        )
    if axis.within is not None and (
        tensor.ndim <= axis.within or tensor.shape[axis.within] % group.num_blocks
    ):
        raise ShapeMismatch(
            name=axis.param,
            actual=str(tuple(tensor.shape)),
            expected=f"{group.num_blocks} blocks on axis {axis.within}",
        )


def invert(permutations: Permutations) -> Permutations:
    """The permutations that undo these.

    Raises: PermutationNotAdmissible: one is no tensor of whole numbers, or does not hold every unit once. TypeError.
    """
    _check_units("'permutations'", permutations)
    return {name: torch.argsort(p) for name, p in permutations.items()}


def compose(first: Permutations, second: Permutations) -> Permutations:
    """One permutation for: apply `first`, then `second`. Both must name the same groups.

    Raises: UnknownGroup, where one of both lacks one. ShapeMismatch: they are of other sizes. PermutationNotAdmissible, TypeError: as `invert`.
    """
    _check_units("'first'", first)
    _check_units("'second'", second)
    for one, other in ((first, second), (second, first)):
        for name in one:
            if name not in other:
                raise UnknownGroup(name=name, known=", ".join(other))
    for name, permutation in first.items():
        check_shape(name, second[name], tuple(permutation.shape))
    return {name: p[second[name]] for name, p in first.items()}


def identity(spec: PermutationSpec) -> Permutations:
    """Every unit stays in place: of each group (size,) int64."""
    return {group.name: torch.arange(group.size) for group in spec.groups}


def random(spec: PermutationSpec, rng: torch.Generator) -> Permutations:
    """A uniformly random admissible permutation of each group."""
    return spec.random(rng)


def _check_units(argument: str, permutations: Permutations) -> None:
    check_kind(argument, permutations, Mapping, "permutations by the names of their groups")
    for name, permutation in permutations.items():
        _check_whole(name, permutation)
        _check_each_once(name, permutation)


def _check_whole(name: str, permutation: Tensor) -> None:
    if getattr(permutation, "dtype", None) != torch.int64:
        raise PermutationNotAdmissible(name=name, expected="a tensor of whole numbers (int64)")


def _check_each_once(name: str, permutation: Tensor) -> None:
    if not torch.equal(permutation.sort().values, torch.arange(permutation.numel())):
        raise PermutationNotAdmissible(name=name, expected="every unit once")


def _check(spec: PermutationSpec, permutations: Permutations) -> None:
    check_kind("'permutations'", permutations, Mapping, "permutations by the names of their groups")
    tops: dict[str, Tensor] = {}
    for name, permutation in permutations.items():
        group = spec.group(name)
        _check_whole(name, permutation)
        if permutation.shape != (group.size,):
            raise ShapeMismatch(name=name, actual=str(tuple(permutation.shape)), expected=str((group.size,)))
        _check_each_once(name, permutation)
        for blocks in group.blocks:
            of_block = (permutation // (group.size // blocks)).view(blocks, -1)
            if (of_block != of_block[:, :1]).any():
                raise PermutationNotAdmissible(
                    name=name, expected=f"each of {blocks} blocks moved as a whole"
                )
        if group.blocks_stay and not torch.equal(_top(group, permutation), torch.arange(group.num_blocks)):
            raise PermutationNotAdmissible(
                name=name, expected=f"each of {group.num_blocks} blocks in its place"
            )
        if group.link:
            tops.setdefault(group.link, _top(group, permutation))
    for group in spec.groups:
        if group.link in tops:
            given = permutations.get(group.name)
            top = torch.arange(group.num_blocks) if given is None else _top(group, given)
            if not torch.equal(top, tops[group.link]):
                raise PermutationNotAdmissible(
                    name=group.name, expected=f"heads moved as those of '{group.link}'"
                )


def _top(group: Group, permutation: Tensor) -> Tensor:
    inner = group.size // group.num_blocks
    return permutation[::inner] // inner


def spread(permutation: Tensor, axis: Axis, length: int) -> Tensor:
    """Index of each entry of an axis of which a part follows a group."""
    if length == len(permutation):
        return permutation
    size = len(permutation)
    units = permutation[:, None] * axis.repeat + torch.arange(axis.repeat)
    tiles = torch.arange(axis.tiles)[:, None, None] * (size * axis.repeat)
    index = torch.arange(length)
    end = axis.offset + axis.tiles * size * axis.repeat
    index[axis.offset : end] = (axis.offset + tiles + units).reshape(-1)
    return index
