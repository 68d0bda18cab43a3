"""Weight matching: units are alike when they have alike weights. No row of data is touched.

Legend: N = units of a group, A, B = some of the own and of the other's, R = everything else in a tensor.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from dimat.checked import check_tensors
from dimat.matching.assignment import best_assignment
from dimat.matching.block_bundle import ROUNDING, BlockBundle
from dimat.matching.blocks import assignments
from dimat.matching.found import GroupMatch, Match
from dimat.matching.products import Products, is_learnt, unit_weights
from dimat.matching.reordered import order_of_copy
from dimat.params import Params, as_real
from dimat.permutation.apply import Permutations, identity, permute
from dimat.permutation.spec import Group, PermutationSpec

MAX_PASSES = 100
UNITS_FOR_ONE_THREAD = 512
"""Up to so many a group is done in thousands of products too small to share. On two busy processors a second thread that waits for its
part of each, spinning, cost ten times what the first did (benchmarks/merge.py --arch vgg16_bn)."""


def match_weights(own: Params, other: Params, spec: PermutationSpec) -> Match:
    """The permutations that bring the weights of `other` closest to `own`, found group by group until nothing moves.

    Coordinate descent: with all other groups held where they are, the best permutation of one group is an assignment. Each
    pass raises sum_ij own_ij * other_ij, so it ends; groups are taken in the order of the forward pass, the same every time.
    Groups whose blocks move alike (heads of q, k and v) are taken together. It may end in a local optimum, from which no group alone
    finds a way. It begins with the order in which both are; of a model that is the own one in another order
    (`order_of_copy`) with that one, too.

    Returns: `correlation` of each group is the mean cosine of the matched units' weights.
    Raises:
        TensorMissing, ShapeMismatch: not of one architecture. NonFiniteParams.
    Reference: Ainsworth et al. 2022, "Git Re-Basin: Merging Models modulo Permutation Symmetries", sec. 3.2.
    """
    check_tensors({0: own, 1: other}, 0)
    found = descend(own, other, spec, identity(spec), {})
    matched = permute(other, spec, found)
    copied = order_of_copy(own, other, spec)
    if copied is not None:  # units that are alike leave its order open, too: the better one counts
        second = descend(own, other, spec, copied, {})
        if _product(own, again := permute(other, spec, second)) > _product(own, matched):
            found, matched = second, again
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
    most = max((group.size for group in spec.groups), default=0)
    with _one_thread() if most <= UNITS_FOR_ONE_THREAD else nullcontext():
        return _descended(own, other, spec, dict(start), pairs)


def _descended(
    own: Params, other: Params, spec: PermutationSpec, found: dict[str, Tensor], pairs: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    bundles: dict[str, list[Group]] = {}
    for group in spec.groups:
        bundles.setdefault(group.link or f"group {group.name}", []).append(group)
    opened: list[_Bundle | BlockBundle] = [
        BlockBundle(groups, own, other, spec, pairs)
        if any(axis.within is not None for group in groups for axis in group.axes)
        else _Bundle.of(groups, own, other, spec, found, pairs)
        for groups in bundles.values()
        if any(g.name not in pairs or int(pairs[g.name].sum()) > g.size for g in groups)
    ]
    stale = dict.fromkeys(range(len(opened)), True)
    for _ in range(MAX_PASSES):
        moved = False
        for i, bundle in enumerate(opened):
            if not stale[i]:  # nothing beside it has moved since
                continue
            stale[i] = False
            if bundle.move(found):
                moved = True
                stale |= {j: True for j, one in enumerate(opened) if _are_beside(bundle.groups, one.groups)}
        if not moved:
            break
    return found


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(slots=True)
class _Bundle:
    """Groups whose blocks move alike, or one alone.

    Attributes:
        products: by group. pairs: of these units, see `descend`. visited: whether they were moved before.
    """

    groups: tuple[Group, ...]
    products: Mapping[str, Products]
    pairs: Mapping[str, Tensor]
    visited: bool = False

    @classmethod
    def of(
        cls,
        groups: list[Group],
        own: Params,
        other: Params,
        spec: PermutationSpec,
        found: Permutations,
        pairs: Mapping[str, Tensor],
    ) -> "_Bundle":
        products: dict[str, Products] = {}
        within: dict[str, Tensor] = {}
        for group in groups:
            units = torch.arange(group.size)
            mine = theirs = units
            if group.name in pairs:
                # The others have one possible partner, and nobody else may have that one.
                mine = units[pairs[group.name].sum(dim=1) > 1]
                theirs = found[group.name][mine].sort().values
                within[group.name] = pairs[group.name][mine[:, None], theirs]
            products[group.name] = Products(own, other, group, mine, theirs, spec)
        return cls(tuple(replace(group, under=()) for group in groups), products, within)

    def move(self, found: dict[str, Tensor]) -> bool:
        """Puts the best permutations, with all other groups where they are, into `found`; whether one is another than before."""
        names = {group.name for group in self.groups}
        outside = {name: one for name, one in found.items() if name not in names}
        alike = {name: one.at({**outside, name: found[name]}) for name, one in self.products.items()}
        best = self._best(alike, found)
        again, self.visited = self.visited, True
        if all(torch.equal(found[name], one) for name, one in best.items()):
            return False
        # What is computed step by step has rounding errors: units that are alike must not change places for ever.
        gained = sum(
            products.of_pairs(best[name]) - products.of_pairs(found[name])
            for name, products in self.products.items()
        )
        if again and gained <= ROUNDING * _size(alike):
            return False
        found |= best
        return True

    def _best(self, alike_AB: Mapping[str, Tensor], found: Permutations) -> dict[str, Tensor]:
        price = 4 * _size(alike_AB) + 1.0  # nothing that the others gain makes up for a pair that may not be
        priced_AB = {
            name: torch.where(self.pairs[name], alike, -price) if name in self.pairs else alike
            for name, alike in alike_AB.items()
        }
        first, products = self.groups[0], self.products[self.groups[0].name]
        if not first.link and not first.blocks:  # those with one possible partner need not be looked at
            best_N = found[first.name].clone()
            best_N[products.own_A] = products.other_B[best_assignment(priced_AB[first.name])]
            return {first.name: best_N}
        priced_NN = {}
        for group in self.groups:
            products, units = self.products[group.name], torch.arange(group.size)
            is_kept = torch.ones(group.size, dtype=torch.bool).index_fill(0, products.own_A, False)
            whole = torch.full((group.size, group.size), -price, dtype=torch.float64)
            whole[units[is_kept], found[group.name][is_kept]] = 0.0
            whole[products.own_A[:, None], products.other_B] = priced_AB[group.name]
            priced_NN[group.name] = whole
        return assignments(priced_NN, PermutationSpec(self.groups))


def _are_beside(some: Sequence[Group], others: Sequence[Group]) -> bool:
    """Whether what the others gain depends on where the units of the first are: they have a tensor in common."""
    own = [axis for group in some for axis in group.axes if is_learnt(axis.param)]
    its = [axis for group in others for axis in group.axes if is_learnt(axis.param)]
    return any(one.param == another.param and one != another for one in own for another in its)


def _size(alike_AB: Mapping[str, Tensor]) -> float:
    """Beyond any sum over the pairs."""
    return sum(len(alike) * float(alike.abs().max()) for alike in alike_AB.values() if alike.numel())


def _product(own: Params, matched: Params) -> float:
    """sum_ij own_ij * matched_ij over all weights, which matching makes as large as it can."""
    return sum(
        float((as_real(own[name]).double() * as_real(matched[name]).double()).sum())
        for name in own
        if is_learnt(name)
    )


def _quality(own: Params, matched: Params, group: Group, permutation: Tensor) -> GroupMatch:
    units_N = torch.arange(group.size)
    ours_NR, theirs_NR = (
        torch.cat([unit_weights(of, a, group, units_N) for a in group.axes if is_learnt(a.param)], dim=1)
        for of in (own, matched)
    )
    cosines = functional.cosine_similarity(ours_NR, theirs_NR, dim=1)
    return GroupMatch(group.name, float(cosines.mean()), float((permutation == units_N).double().mean()))
