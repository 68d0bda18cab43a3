"""Recognises a model that is the own one with its units in another order: a start of its own for weight matching, which may not find there.

A unit's weights in one tensor, sorted, are the same wherever the units of other groups stand. Of copies they fit exactly; of
models that were trained apart they say too little to start from.
"""

from dataclasses import replace

import torch
from torch import Tensor

from dimat.matching.blocks import assignments
from dimat.matching.products import is_learnt, unit_weights
from dimat.params import Params, as_real
from dimat.permutation.apply import Permutations
from dimat.permutation.spec import Group, PermutationSpec

FITS = 1e-6
"""Relative: no further apart are sums over a tensor and over the same in another order."""


def order_of_copy(own: Params, other: Params, spec: PermutationSpec) -> Permutations | None:
    """The permutations that make `other` the own model again, or hardly worse ones where units are alike; None: it is no copy of it."""
    tensors = {axis.param for group in spec.groups for axis in group.axes if is_learnt(axis.param)}
    if not all(_is_same_but_for_order(own[name], other[name]) for name in tensors):
        return None
    alone = PermutationSpec(tuple(replace(group, under=()) for group in spec.groups))
    return assignments({group.name: -_apart(own, other, group) for group in spec.groups}, alone)


def _is_same_but_for_order(one: Tensor, other: Tensor) -> bool:
    # The third is the sum itself, moved away from 0, where nothing could be told from rounding.
    sums = [
        (of.abs().sum(), of.square().sum(), of.sum() + of.abs().sum())
        for of in (as_real(one).double(), as_real(other).double())
    ]
    return all(bool((a - b).abs() <= FITS * a.abs()) for a, b in zip(*sums, strict=True))


def _apart(own: Params, other: Params, group: Group) -> Tensor:
    """(N, N) float64: squared distance of the sorted weights of each own unit from those of each of the other's."""
    units_N = torch.arange(group.size)
    total_NN = torch.zeros(group.size, group.size, dtype=torch.float64)
    for axis in group.axes:
        if is_learnt(axis.param):
            ours_NR, theirs_NR = (
                unit_weights(of, axis, group, units_N).sort(dim=1).values for of in (own, other)
            )
            total_NN += torch.cdist(ours_NR, theirs_NR).square()
    return total_NN
