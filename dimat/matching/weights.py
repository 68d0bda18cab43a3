"""Weight matching: units are alike when they have alike weights. No row of data is touched.

Legend: N = units of a group, R = everything else in a tensor.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from dimat.matching.blocks import assignments
from dimat.matching.found import GroupMatch, Match
from dimat.matching.units import units_first
from dimat.params import Params, as_real
from dimat.permutation.apply import Permutations, identity, permute, spread
from dimat.permutation.spec import Group, PermutationSpec

MAX_PASSES = 100


def match_weights(own: Params, other: Params, spec: PermutationSpec) -> Match:
    """The permutations that bring the weights of `other` closest to `own`, found group by group until nothing moves.

    Coordinate descent: with all other groups held where they are, the best permutation of one group is an assignment. Each
    pass raises sum_ij own_ij * other_ij, so it ends; groups are taken in the order of the forward pass, the same every time.
    Groups whose blocks move alike (heads of q, k and v) are taken together. It may end in a local optimum, from which no group alone
    finds a way: of experts stacked in one tensor even a planted permutation is not always found.

    Returns: `correlation` of each group is the mean cosine of the matched units' weights.
    Raises:
        ShapeMismatch: not of one architecture.
    Reference: Ainsworth et al. 2022, "Git Re-Basin: Merging Models modulo Permutation Symmetries", sec. 3.2.
    """
    found = descend(own, other, spec, identity(spec), {})
    matched = permute(other, spec, found)
    return Match(found, tuple(_quality(own, matched, group, found[group.name]) for group in spec.groups))


def descend(
    own: Params,
    other: Params,
    spec: PermutationSpec,
    start: Permutations,
    pairs: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """`start` with what is open found by weights.

    Args:
        pairs: by group (N, N) bool, the pairs of an own and another unit that may be, those of `start` among them; of a group
            that is left out any.
    """
    found = dict(start)
    bundles: dict[str, list[Group]] = {}
    for group in spec.groups:
        bundles.setdefault(group.link or f"group {group.name}", []).append(group)
    is_open = {g.name for g in spec.groups if g.name not in pairs or int(pairs[g.name].sum()) > g.size}
    for _ in range(MAX_PASSES):
        moved = False
        for bundle in bundles.values():
            together = {group.name for group in bundle}
            if not together & is_open:
                continue
            # All but these groups are where they were put last; of these the tensors of `other` stand as they came.
            theirs = {axis.param: other[axis.param] for group in bundle for axis in group.axes}
            rest = permute(theirs, spec, {name: p for name, p in found.items() if name not in together})
            similarity = {
                group.name: _products(own, rest, group, found[group.name], pairs.get(group.name))
                for group in bundle
            }
            alone = PermutationSpec(tuple(replace(group, under="") for group in bundle))
            for name, permutation in assignments(_within(similarity, pairs), alone).items():
                moved |= not torch.equal(permutation, found[name])
                found[name] = permutation
        if not moved:
            break
    return found


def _products(own: Params, rest: Params, group: Group, found: Tensor, pairs: Tensor | None) -> Tensor:
    """(N, N) float64: of the weights of each own unit and each of the other's; 0 of units that have one possible partner."""
    ours_NR, theirs_NR = _unit_weights(own, group), _unit_weights(rest, group, found)
    if pairs is None:
        return ours_NR @ theirs_NR.T
    several, wanted = pairs.sum(dim=1) > 1, pairs.sum(dim=0) > 1
    products_NN = torch.zeros(pairs.shape, dtype=torch.float64)
    products_NN[several[:, None] & wanted] = (ours_NR[several] @ theirs_NR[wanted].T).flatten()
    return products_NN


def _within(similarity: Mapping[str, Tensor], pairs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The similarities with a price on all pairs that may not be which nothing that the others gain makes up for."""
    price = 4 * sum(len(alike) * float(alike.abs().max()) for alike in similarity.values()) + 1.0
    return {
        name: torch.where(pairs[name], alike, -price) if name in pairs else alike
        for name, alike in similarity.items()
    }


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
        tensor = as_real(params[axis.param]).double()
        for other in group.axes:
            if found is not None and other.param == axis.param and other.axis != axis.axis:
                tensor = tensor.index_select(other.axis, spread(found, other, tensor.shape[other.axis]))
        parts.append(units_first(tensor, axis, group.size))
    return torch.cat(parts, dim=1)


def _is_learnt(name: str) -> bool:
    """Running statistics are no weights: they tell of the rows that were seen."""
    return not name.endswith(("running_mean", "running_var"))
