"""Recognises a model that is the own one with its units in another order, or hardly more: from there weight matching need not search.

A unit's weights in one tensor, sorted, are the same wherever the units of other groups stand. Of copies they fit exactly; of
models that were trained apart they say too little to start from.
"""

import torch
from torch import Tensor

from dimat.matching.blocks import assignments
from dimat.matching.products import is_learnt, unit_weights
from dimat.params import Params
from dimat.permutation.apply import Permutations
from dimat.permutation.spec import Group, PermutationSpec

FITS = 1e-3
"""Of the mean squared distance between units: no further apart are those of a copy."""


def order_of_copy(own: Params, other: Params, spec: PermutationSpec) -> Permutations | None:
    """The permutations that make `other` the own model again; None: it is no copy of it."""
    apart = {group.name: _apart(own, other, group) for group in spec.groups}
    found = assignments({name: -apart_NN for name, apart_NN in apart.items()}, spec)
    matched = sum(float(apart[g.name][torch.arange(g.size), found[g.name]].mean()) for g in spec.groups)
    any_two = sum(float(apart_NN.mean()) for apart_NN in apart.values())
    return found if matched <= FITS * any_two else None


def _apart(own: Params, other: Params, group: Group) -> Tensor:
    """(N, N) float64: squared distance of the sorted weights of each own unit from those of each of the other's."""
    units_N = torch.arange(group.size)
    total_NN = torch.zeros(group.size, group.size, dtype=torch.float64)
    for axis in group.axes:
        if is_learnt(axis.param):
            ours_NR, theirs_NR = (
                unit_weights(of, axis, group.size, units_N).sort(dim=1).values for of in (own, other)
            )
            total_NN += torch.cdist(ours_NR, theirs_NR).square()
    return total_NN
