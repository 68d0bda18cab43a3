"""Weight matching: units are alike when they have alike weights. No row of data is touched.

Legend: N = units of a group, R = everything else in a tensor.
"""

import torch
from torch import Tensor
from torch.nn import functional

from dimat.matching.activation import GroupMatch, Match
from dimat.matching.assignment import best_assignment
from dimat.params import Params
from dimat.permutation.apply import identity, permute
from dimat.permutation.spec import Axis, Group, PermutationSpec

MAX_PASSES = 100


def match_weights(own: Params, other: Params, spec: PermutationSpec) -> Match:
    """The permutations that bring the weights of `other` closest to `own`, found group by group until nothing moves.

    Coordinate descent: with all other groups held where they are, the best permutation of one group is an assignment. Each
    pass raises sum_ij own_ij * other_ij, so it ends; groups are taken in the order of the forward pass, the same every time.

    Returns: `correlation` of each group is the mean cosine of the matched units' weights.
    Raises:
        ShapeMismatch: not of one architecture.
    Reference: Ainsworth et al. 2022, "Git Re-Basin: Merging Models modulo Permutation Symmetries", sec. 3.2.
    """
    found = dict(identity(spec))
    for _ in range(MAX_PASSES):
        moved = False
        for group in spec.groups:
            # All but this group is where it was put last; of this group the tensors of `other` stand as they came.
            rest = permute(other, spec, {name: p for name, p in found.items() if name != group.name})
            permutation = best_assignment(_unit_weights(own, group) @ _unit_weights(rest, group).T)
            moved |= not torch.equal(permutation, found[group.name])
            found[group.name] = permutation
        if not moved:
            break
    matched = permute(other, spec, found)
    return Match(found, tuple(_quality(own, matched, group, found[group.name]) for group in spec.groups))


def _quality(own: Params, matched: Params, group: Group, permutation: Tensor) -> GroupMatch:
    cosines = functional.cosine_similarity(_unit_weights(own, group), _unit_weights(matched, group), dim=1)
    stayed = permutation == torch.arange(len(permutation))
    return GroupMatch(group.name, float(cosines.mean()), float(stayed.double().mean()))


def _unit_weights(params: Params, group: Group) -> Tensor:
    """(N, R) float64: for each unit all weights that belong to it, those that make it and those that read it."""
    parts = [
        _units_first(params[axis.param], axis, group.size) for axis in group.axes if _is_learnt(axis.param)
    ]
    return torch.cat(parts, dim=1)


def _units_first(tensor: Tensor, axis: Axis, size: int) -> Tensor:
    return tensor.double().movedim(axis.axis, 0).reshape(size, -1)


def _is_learnt(name: str) -> bool:
    """Running statistics are no weights: they tell of the rows that were seen."""
    return not name.endswith(("running_mean", "running_var"))
