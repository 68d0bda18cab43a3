"""How alike the weights of units are, and anew when units of other groups have moved: only what moved is computed again.

Legend: N = units of a group, A = own units, B = the other's, R = everything else in a tensor.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import torch
from torch import Tensor

from dimat.matching.units import units_first, units_of_blocks
from dimat.params import Params, as_real
from dimat.permutation.apply import Move, Permutations, reordered, spread
from dimat.permutation.spec import Axis, Group, PermutationSpec

Orders = Mapping[int, Tensor]
"""By axis of a tensor: which of its entries stand where."""


class Products:
    """Of the weights of some own units and some of the other model's. Nothing else is looked at.

    Attributes:
        own_A, other_B: which units; int64, ascending.
    """

    def __init__(
        self, own: Params, other: Params, group: Group, own_A: Tensor, other_B: Tensor, spec: PermutationSpec
    ) -> None:
        self.own, self.other, self.group = own, other, group
        self.own_A, self.other_B = own_A, other_B
        self._axes = [axis for axis in group.axes if is_learnt(axis.param)]
        tensors = {axis.param for axis in self._axes}
        beside = [(one, axis) for one in spec.groups for axis in one.axes if axis.param in tensors]
        self._beside = [
            (one.name, axis, one.length_of(axis)) for one, axis in beside if one.name != group.name
        ]
        # Where others have an order of their own in each block, no order tells of an axis: the tensor itself is reordered.
        self._whole = {axis.param: beside for _, axis in beside if axis.within is not None}
        self._before: dict[Axis, tuple[list[Move], Tensor]] = {}
        self._orders: list[Orders] = []
        self._total_AB = torch.zeros(0, 0, dtype=torch.float64)

    def at(self, found: Permutations) -> Tensor:
        """(A, B) float64, with the units of all other groups where they were found; of the group itself, where a tensor has it on two
        axes (recurrent layers), on the other one."""
        if not len(self.own_A):
            return self._total_AB
        before, self._orders = self._orders, [self._orders_of(axis, found) for axis in self._axes]
        if not before:
            self._total_AB = torch.zeros(len(self.own_A), len(self.other_B), dtype=torch.float64)
        for i, (axis, orders) in enumerate(zip(self._axes, self._orders, strict=True)):
            if axis.param in self._whole:
                self._total_AB += self._change_of_whole(axis, found)
            else:
                self._total_AB += self._change(axis, before[i] if before else None, orders)
        return self._total_AB

    def of_pairs(self, permutation_N: Tensor) -> float:
        """What was told `at` last, summed over the pairs that a permutation makes of these units."""
        places = torch.searchsorted(self.other_B, permutation_N[self.own_A])
        return float(self._total_AB[torch.arange(len(self.own_A)), places].sum())

    def _change(self, axis: Axis, before: Orders | None, orders: Orders) -> Tensor | float:
        if before is None:
            return self._part(axis, {}, orders)
        moved = [k for k in orders if not torch.equal(before[k], orders[k])]
        if not moved:
            return 0.0
        if len(moved) > 1 or axis.axis in moved:
            return self._part(axis, {}, orders) - self._part(axis, {}, before)
        entries = (before[moved[0]] != orders[moved[0]]).nonzero().flatten()
        now, then = ({**which, moved[0]: which[moved[0]][entries]} for which in (orders, before))
        ours = {moved[0]: entries}
        mine_AR = unit_weights(self.own, axis, self.group, self.own_A, ours)
        theirs_BR = unit_weights(self.other, axis, self.group, self.other_B, now)
        theirs_BR -= unit_weights(self.other, axis, self.group, self.other_B, then)
        return mine_AR @ theirs_BR.T

    def _change_of_whole(self, axis: Axis, found: Permutations) -> Tensor | float:
        moves = [
            (one, its, found[one.name])
            for one, its in self._whole[axis.param]
            if its.param == axis.param and its != axis and one.name in found
        ]
        before, part_AB = self._before.get(axis, (None, torch.tensor(0.0)))
        if before is not None and all(map(_is_same, before, moves)):
            return 0.0
        mine_AR = unit_weights(self.own, axis, self.group, self.own_A)
        turned = {axis.param: reordered(self.other[axis.param].cpu(), moves)}
        now_AB = mine_AR @ unit_weights(turned, axis, self.group, self.other_B).T
        self._before[axis] = moves, now_AB
        return now_AB - part_AB

    def _part(self, axis: Axis, ours: Orders, theirs: Orders) -> Tensor:
        mine_AR = unit_weights(self.own, axis, self.group, self.own_A, ours)
        return mine_AR @ unit_weights(self.other, axis, self.group, self.other_B, theirs).T

    def _orders_of(self, axis: Axis, found: Permutations) -> dict[int, Tensor]:
        orders: dict[int, Tensor] = {}
        if axis.param in self._whole:
            return orders
        for name, one, length in self._beside:
            if one.param == axis.param and name in found:
                _then(orders, one.axis, spread(found[name], one, length))
        for one in self.group.axes:
            if one.param == axis.param and one.axis != axis.axis and self.group.name in found:
                _then(orders, one.axis, spread(found[self.group.name], one, self.group.length_of(one)))
        return orders


def unit_weights(
    params: Params, axis: Axis, group: Group, units_A: Tensor, orders: Orders = MappingProxyType({})
) -> Tensor:
    """(A, R) float64: for each of these units all weights in one tensor that belong to it, those that make it or those that read it.

    Args:
        orders: of the entries; all of an axis of which nothing is said. Of an axis within another one none.
    """
    tensor = as_real(params[axis.param]).cpu()  # indices and sums are there, wherever the params are
    if axis.within is not None:
        return units_of_blocks(tensor.double(), axis, group)[units_A]
    tiles = torch.arange(axis.tiles)[:, None, None] * group.size
    within = (tiles + units_A[:, None]) * axis.repeat + torch.arange(axis.repeat)
    mine = axis.offset + within.reshape(-1)
    wanted = {**orders, axis.axis: orders[axis.axis][mine] if axis.axis in orders else mine}
    for k in sorted(wanted, key=lambda k: len(wanted[k]) / tensor.shape[k]):  # first what leaves least
        tensor = tensor.index_select(k, wanted[k])
    return units_first(tensor.double(), replace(axis, offset=0), len(units_A))


def is_learnt(name: str) -> bool:
    """Running statistics are no weights: they tell of the rows that were seen."""
    return not name.endswith(("running_mean", "running_var"))


def _is_same(move: Move, other: Move) -> bool:
    return torch.equal(move[2], other[2])


def _then(orders: dict[int, Tensor], axis: int, order: Tensor) -> None:
    orders[axis] = orders[axis][order] if axis in orders else order
