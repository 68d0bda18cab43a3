"""Reorders hidden units: permute, invert, compose, random permutations.

A permutation p of a group is a (size,) int64 tensor: unit p[i] moves to place i, as in `x[p]`.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from dimat.errors import ShapeMismatch
from dimat.params import Params
from dimat.permutation.spec import PermutationSpec

Permutations = Mapping[str, Tensor]
"""Permutation of each group by its name. A group that is left out stays as it is."""


def permute(params: Params, spec: PermutationSpec, permutations: Permutations) -> Params:
    """`params` with the units of each group reordered; the model computes the same function.

    Raises:
        ShapeMismatch: a permutation or tensor does not have the group's size. KeyError: no such group.
    """
    result = dict(params)
    for name, permutation in permutations.items():
        group = spec.group(name)
        if permutation.shape != (group.size,):
            raise ShapeMismatch(name=name, actual=str(tuple(permutation.shape)), expected=str((group.size,)))
        for axis in group.axes:
            tensor = result[axis.param]
            if tensor.shape[axis.axis] != group.size * axis.repeat:
                raise ShapeMismatch(
                    name=axis.param,
                    actual=str(tuple(tensor.shape)),
                    expected=f"{group.size * axis.repeat} entries on axis {axis.axis}",
                )
            result[axis.param] = tensor.index_select(axis.axis, _spread(permutation, axis.repeat))
    return result


def invert(permutations: Permutations) -> Permutations:
    """The permutations that undo these."""
    return {name: torch.argsort(p) for name, p in permutations.items()}


def compose(first: Permutations, second: Permutations) -> Permutations:
    """One permutation for: apply `first`, then `second`. Both must name the same groups."""
    return {name: p[second[name]] for name, p in first.items()}


def identity(spec: PermutationSpec) -> Permutations:
    """Every unit stays in place."""
    return {group.name: torch.arange(group.size) for group in spec.groups}


def random(spec: PermutationSpec, rng: torch.Generator) -> Permutations:
    """A uniformly random permutation of each group."""
    return {group.name: torch.randperm(group.size, generator=rng) for group in spec.groups}


def _spread(permutation: Tensor, repeat: int) -> Tensor:
    """Index of each entry of an axis on which a unit owns `repeat` neighbouring entries."""
    if repeat == 1:
        return permutation
    return (permutation[:, None] * repeat + torch.arange(repeat)).reshape(-1)
