"""Weight matching: units are alike when they have alike weights. No row of data is touched.

Legend: N = units of a group, R = everything else in a tensor.
"""

from collections.abc import Set
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from dimat.matching.blocks import assignments
from dimat.matching.found import GroupMatch, Match
from dimat.matching.units import units_first
from dimat.params import Params
from dimat.permutation.apply import Permutations, identity, permute, spread
from dimat.permutation.spec import Group, PermutationSpec

MAX_PASSES = 100


def match_weights(own: Params, other: Params, spec: PermutationSpec) -> Match:
    """The permutations that bring the weights of `other` closest to `own`, found group by group until nothing moves.

    Coordinate descent: with all other groups held where they are, the best permutation of one group is an assignment. Each
    pass raises sum_ij own_ij * other_ij, so it ends; groups are taken in the order of the forward pass, the same every time.
    Groups whose blocks move alike (heads of q, k and v) are taken together.

    Returns: `correlation` of each group is the mean cosine of the matched units' weights.
    Raises:
        ShapeMismatch: not of one architecture.
    Reference: Ainsworth et al. 2022, "Git Re-Basin: Merging Models modulo Permutation Symmetries", sec. 3.2.
    """
    found = descend(own, other, spec, identity(spec), {group.name for group in spec.groups})
    matched = permute(other, spec, found)
    return Match(found, tuple(_quality(own, matched, group, found[group.name]) for group in spec.groups))


def descend(
    own: Params, other: Params, spec: PermutationSpec, start: Permutations, names: Set[str]
) -> dict[str, Tensor]:
    """`start` with the permutations of the named groups found by their weights; the others stay."""
    found = dict(start)
    bundles: dict[str, list[Group]] = {}
    for group in spec.groups:
        bundles.setdefault(group.link or f"group {group.name}", []).append(group)
    for _ in range(MAX_PASSES):
        moved = False
        for bundle in bundles.values():
            inside = [group for group in bundle if group.name in names]
            if not inside:
                continue
            # All but these groups are where they were put last; of these the tensors of `other` stand as they came.
            together = {group.name for group in bundle}
            rest = permute(other, spec, {name: p for name, p in found.items() if name not in together})
            similarity = {
                group.name: _unit_weights(own, group) @ _unit_weights(rest, group, found[group.name]).T
                for group in inside
            }
            alone = PermutationSpec(tuple(replace(group, under="") for group in bundle))
            for name, permutation in assignments(similarity, alone).items():
                moved |= not torch.equal(permutation, found[name])
                found[name] = permutation
        if not moved:
            break
    return found


def _quality(own: Params, matched: Params, group: Group, permutation: Tensor) -> GroupMatch:
    cosines = functional.cosine_similarity(_unit_weights(own, group), _unit_weights(matched, group), dim=1)
    stayed = permutation == torch.arange(len(permutation))
    return GroupMatch(group.name, float(cosines.mean()), float(stayed.double().mean()))


def _unit_weights(params: Params, group: Group, found: Tensor | None = None) -> Tensor:
    """(N, R) float64: for each unit all weights that belong to it, those that make it and those that read it.

    Args:
        found: where a tensor has the units on two axes (recurrent layers), the other one is reordered so.
    """
    parts = []
    for axis in group.axes:
        if not _is_learnt(axis.param):
            continue
        tensor = params[axis.param].double()
        for other in group.axes:
            if found is not None and other.param == axis.param and other.axis != axis.axis:
                tensor = tensor.index_select(other.axis, spread(found, other, tensor.shape[other.axis]))
        parts.append(units_first(tensor, axis, group.size))
    return torch.cat(parts, dim=1)


def _is_learnt(name: str) -> bool:
    """Running statistics are no weights: they tell of the rows that were seen."""
    return not name.endswith(("running_mean", "running_var"))
