"""Tensors that hold several groups of units in the same blocks, as the weight of a grouped convolution: outputs and inputs of each group.

Legend: G = blocks, U = units of a block, H = blocks of the other model that are tried for one own block, R = everything else.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from dimat.permutation.spec import Axis, Group

Orders = dict[str, Tensor]
"""By group, for each of some pairs of blocks, which unit of the other's block is put where: (..., U) int64."""


class Grid:
    """A tensor whose blocks lie on one axis, and in each block units of two groups or more on an axis each."""

    def __init__(self, param: str, carrier: int, axes: list[tuple[Group, Axis]], num_blocks: int) -> None:
        self.param, self._carrier, self._axes, self._num_blocks = param, carrier, axes, num_blocks
        self.names = [group.name for group, _ in axes]

    @classmethod
    def of(cls, param: str, on: list[tuple[Group, Axis]], inner: Mapping[str, int]) -> "Grid | None":
        within = {axis.within for _, axis in on if axis.within is not None}
        if len(within) != 1:
            return None
        (carrier,) = within
        places = [axis.axis for _, axis in on]
        if len(set(places)) < len(on) or any(
            a.length or (a.within is None) != (a.axis == carrier) for _, a in on
        ):
            return None
        several = [(group, axis) for group, axis in on if inner[group.name] > 1]
        return cls(param, carrier, several, on[0][0].num_blocks) if len(several) > 1 else None

    def blocks(self, tensor: Tensor) -> Tensor:
        """(G, U of the first group, U of the second, ..., R) float64."""
        rows = tensor.double().movedim(self._carrier, 0)
        shape = [self._num_blocks]
        at: dict[int, int] = {}
        for place in (self._carrier, *(k for k in range(tensor.ndim) if k != self._carrier)):
            here = [
                (number, group, axis) for number, (group, axis) in enumerate(self._axes) if axis.axis == place
            ]
            length = tensor.shape[place] // (self._num_blocks if place == self._carrier else 1)
            if not here:
                shape.append(length)
                continue
            number, group, axis = here[0]
            at[number] = len(shape) + 1
            shape += [axis.tiles, group.size // self._num_blocks, axis.repeat]  # no tiles on the carrier
        split = rows.reshape(shape)
        first = [at[number] for number in range(len(self._axes))]
        return split.movedim(first, list(range(1, 1 + len(first)))).flatten(1 + len(first))

    def alike(self, name: str, ours: Tensor, theirs: Tensor, orders: Orders) -> Tensor | float:
        """(H, U, U) of one group, with the others in these orders; 0 where one of them has none yet."""
        total: Tensor | float = 0.0
        for dim, its in enumerate(self.names):
            rest = {k: one for k, one in enumerate(self.names) if k != dim}
            if its != name or any(one not in orders for one in rest.values()):
                continue
            turned = theirs
            for k, one in rest.items():
                turned = _taken(turned, k + 1, orders[one])
            total = total + ours.movedim(dim, 0).flatten(1) @ turned.movedim(dim + 1, 1).flatten(2).mT
        return total

    def common(self, ours: Tensor, theirs: Tensor, orders: Orders) -> Tensor:
        """(H,) float64: the products of an own block and each of the other model, in these orders."""
        for k, name in enumerate(self.names):
            theirs = _taken(theirs, k + 1, orders[name])
        return (ours * theirs).flatten(1).sum(1)


def _taken(tensor: Tensor, dim: int, order_HU: Tensor) -> Tensor:
    """Entries of axis `dim` of each (H, ...) in an order of their own."""
    rows = torch.arange(len(tensor))[:, None]
    return tensor.movedim(dim, 1)[rows, order_HU].movedim(1, dim)
