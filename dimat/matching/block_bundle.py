"""Weight matching of units that have an order of their own in each block, where a tensor holds several such groups.

What one order gains then depends on the others in the same pair of blocks. At first, and where the units of blocks that are paired already
gain nothing by other orders, each pair of blocks is tried with orders of its own.

Legend: G = blocks, N = units of a group, U = units of a block, H = blocks of the other model that are tried for one own block,
R = everything else in a tensor.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from dimat.matching.blocks import assign, assign_each
from dimat.matching.grids import Grid, Orders
from dimat.matching.products import is_learnt, unit_weights
from dimat.params import Params, as_real
from dimat.permutation.apply import Move, reordered
from dimat.permutation.spec import Axis, Group, PermutationSpec

MAX_PASSES = 100
PASSES_OF_A_PAIR = 2
"""Over the groups of one pair of blocks: the first order of each, and another that knows those of all others."""
ROUNDING = 1e-12


class BlockBundle:
    """Groups whose blocks move alike, at least one of them with its blocks on another axis of a tensor.

    Attributes:
        groups: all of them.
    """

    def __init__(
        self,
        groups: Sequence[Group],
        own: Params,
        other: Params,
        spec: PermutationSpec,
        pairs: Mapping[str, Tensor],
    ) -> None:
        self.groups = tuple(groups)
        self._num_blocks = groups[0].num_blocks
        self._inner = {group.name: group.size // self._num_blocks for group in groups}
        self._pairs, self._visited = pairs, False
        names = {group.name for group in groups}
        params = dict.fromkeys(a.param for group in groups for a in group.axes if is_learnt(a.param))
        self._own = {param: as_real(own[param]).cpu() for param in params}
        self._other = {param: as_real(other[param]).cpu() for param in params}
        self._follows: dict[str, list[tuple[Group, Axis]]] = {param: [] for param in params}
        for group in spec.groups:
            for axis in group.axes:
                if axis.param in params:
                    self._follows[axis.param].append((group, axis))
        mine = {param: [(g, a) for g, a in on if g.name in names] for param, on in self._follows.items()}
        self._grids = [grid for param, on in mine.items() if (grid := Grid.of(param, on, self._inner))]
        gridded = {grid.param for grid in self._grids}
        self._lone = [(g, a) for param, on in mine.items() if param not in gridded for g, a in _telling(on)]
        times = Counter((group.name, axis.param) for on in mine.values() for group, axis in on)
        # What one order gains is known for sure only where no tensor depends on it twice.
        self._is_exact = max(times.values()) == 1 and not any(
            count > 1 for count in Counter(axis.param for _, axis in self._lone).values()
        )
        self._scale = sum(_norm(self._own[param]) * _norm(self._other[param]) for param in params)

    def move(self, found: dict[str, Tensor]) -> bool:
        """Puts the best permutations, with all other groups where they are, into `found`; whether one is another than before."""
        first, self._visited = not self._visited, True
        moved = first and self._move_blocks(found)
        for _ in range(MAX_PASSES):
            if not self._move_inside(found) and not self._move_blocks(found):
                break
            moved = True
        return moved

    def _move_inside(self, found: dict[str, Tensor]) -> bool:
        moved = False
        for group in self.groups:
            inner = self._inner[group.name]
            if inner == 1:
                continue
            alike_GUU = torch.zeros(self._num_blocks, inner, inner, dtype=torch.float64)
            for axis in group.axes:
                if is_learnt(axis.param):
                    of_both = (self._own[axis.param], self._turned(axis.param, found))
                    ours, theirs = (self._units(of, group, axis) for of in of_both)
                    alike_GUU += _in_blocks(ours, inner) @ _in_blocks(theirs, inner).mT
            if group.name in self._pairs:
                allowed = self._pairs[group.name][:, found[group.name]]
                allowed = allowed.view(self._num_blocks, inner, self._num_blocks, inner)
                alike_GUU = torch.where(_diagonal(allowed), alike_GUU, -self._price)
            best_GU = assign_each(alike_GUU, self._finer(group))
            gained = _of_pairs(alike_GUU, best_GU).sum() - alike_GUU.diagonal(dim1=1, dim2=2).sum()
            if gained <= ROUNDING * self._scale:
                continue
            order = found[group.name].view(self._num_blocks, inner).gather(1, best_GU).flatten()
            moved |= self._accept({group.name: order}, found)
        return moved

    def _move_blocks(self, found: dict[str, Tensor]) -> bool:
        """Tries each own block with each of the other model, its units in the best order for the two that is found."""
        if self.groups[0].blocks_stay:
            return False
        top, now = self._apart(found)
        lone = {group.name: self._lone_pairs(group, found) for group in self.groups}
        outside = {
            grid.param: grid.blocks(self._turned(grid.param, found, inside=False)) for grid in self._grids
        }
        own = {grid.param: grid.blocks(self._own[grid.param]) for grid in self._grids}
        scores, best = [], []
        for g in range(self._num_blocks):
            ours = {param: blocks[g] for param, blocks in own.items()}
            alike = {name: one[g] for name, one in lone.items()}
            orders: Orders = {}
            for _ in range(PASSES_OF_A_PAIR if self._grids else 1):
                for group in self.groups:
                    alike_HUU = alike[group.name]
                    for grid in self._grids:
                        alike_HUU = alike_HUU + grid.alike(
                            group.name, ours[grid.param], outside[grid.param], orders
                        )
                    orders[group.name] = assign_each(alike_HUU, self._finer(group))
            gains = self._gains(alike, ours, outside, orders)
            here = {name: order[g] for name, order in now.items()}
            as_now = self._gains(
                {name: one[top[g]][None] for name, one in alike.items()},
                ours,
                {param: blocks[top[g]][None] for param, blocks in outside.items()},
                {name: order[None] for name, order in here.items()},
            )
            if as_now[0] >= gains[top[g]]:  # a way that was found step by step may be better
                gains[top[g]] = as_now[0]
                for name, order in here.items():
                    orders[name][top[g]] = order
            scores.append(gains)
            best.append(orders)
        other = assign(torch.stack(scores), self.groups[0].blocks[: self.groups[0].level])
        new = {}
        for group in self.groups:
            chosen = torch.stack([best[g][group.name][h] for g, h in enumerate(other.tolist())])
            new[group.name] = (other[:, None] * self._inner[group.name] + chosen).flatten()
        return self._accept(new, found, is_exact=False)

    def _lone_pairs(self, group: Group, found: Mapping[str, Tensor]) -> Tensor:
        """(G, H, U, U): how alike units are by the tensors that no grid tells of."""
        inner = self._inner[group.name]
        total = torch.zeros(group.size, group.size, dtype=torch.float64)
        for one, axis in self._lone:
            if one is group:
                other = self._turned(axis.param, found, inside=None, without=axis)
                total += self._units(self._own[axis.param], group, axis) @ self._units(other, group, axis).T
        if group.name in self._pairs:
            total = torch.where(self._pairs[group.name], total, -self._price)
        return total.view(self._num_blocks, inner, self._num_blocks, inner).transpose(1, 2)

    def _gains(
        self,
        alike: Mapping[str, Tensor],
        ours: Mapping[str, Tensor],
        theirs: Mapping[str, Tensor],
        orders: Orders,
    ) -> Tensor:
        """(H,) float64: what an own block and each of these of the other model have in common."""
        total = torch.stack([_of_pairs(alike[name], order).sum(1) for name, order in orders.items()]).sum(0)
        for grid in self._grids:
            total = total + grid.common(ours[grid.param], theirs[grid.param], orders)
        return total

    def _accept(
        self, new: Mapping[str, Tensor], found: dict[str, Tensor], is_exact: bool | None = None
    ) -> bool:
        """Takes permutations that are better; each tensor counts once, as it does not where they were looked for."""
        if all(torch.equal(found[name], one) for name, one in new.items()):
            return False
        if not (self._is_exact if is_exact is None else is_exact):
            after = {**found, **new}
            gained = sum(
                _product(own, self._turned(param, after)) - _product(own, self._turned(param, found))
                for param, own in self._own.items()
            )
            if gained <= ROUNDING * self._scale:
                return False
        found |= new
        return True

    def _turned(
        self,
        param: str,
        found: Mapping[str, Tensor],
        inside: bool | None = True,
        without: Axis | None = None,
    ) -> Tensor:
        """The other model's tensor with its units where they were found. Args: inside: also those of the groups here; None: these in
        their order, but the blocks in place. without: an axis that is left as it is."""
        moves: list[Move] = []
        for group, axis in self._follows[param]:
            is_mine = group.name in self._inner
            if axis == without or group.name not in found or (is_mine and inside is False):
                continue
            permutation = found[group.name]
            if is_mine and inside is None:
                top, orders = self._apart({group.name: permutation})
                permutation = (
                    torch.arange(len(top))[:, None] * self._inner[group.name]
                    + orders[group.name][torch.argsort(top)]
                ).flatten()
            moves.append((group, axis, permutation))
        return reordered(self._other[param], moves)

    def _apart(self, found: Mapping[str, Tensor]) -> tuple[Tensor, Orders]:
        """Which blocks are where, and the order inside of each."""
        split = {
            name: found[name].view(self._num_blocks, inner)
            for name, inner in self._inner.items()
            if name in found
        }
        name, first = next(iter(split.items()))
        top = first[:, 0] // self._inner[name]
        return top, {name: one % self._inner[name] for name, one in split.items()}

    def _units(self, tensor: Tensor, group: Group, axis: Axis) -> Tensor:
        return unit_weights({axis.param: tensor}, axis, group, torch.arange(group.size))

    def _finer(self, group: Group) -> list[int]:
        return [n // self._num_blocks for n in group.blocks[group.level + 1 :]]

    @property
    def _price(self) -> float:
        """Nothing that others gain makes up for a pair that may not be."""
        return 4 * self._scale + 1.0


def _telling(on: list[tuple[Group, Axis]]) -> list[tuple[Group, Axis]]:
    """The axes of a tensor from which units are compared: not those of whole blocks where others tell of what is in them."""
    finer = [(group, axis) for group, axis in on if group.size > group.num_blocks]
    return finer or on[:1]


def _norm(tensor: Tensor) -> float:
    return float(tensor.double().norm())


def _product(one: Tensor, other: Tensor) -> float:
    return float((one.double() * other.double()).sum())


def _in_blocks(units_NR: Tensor, inner: int) -> Tensor:
    return units_NR.view(-1, inner, units_NR.shape[1])


def _diagonal(cells: Tensor) -> Tensor:
    """(G, U, U) of (G, U, G, U): each block with itself. Two indices of one tensor apart from each other go to the front."""
    numbers = torch.arange(len(cells))
    return cells[numbers, :, numbers]


def _of_pairs(alike_HUU: Tensor, order_HU: Tensor) -> Tensor:
    """(H, U): of each unit with the one that an order gives it."""
    return alike_HUU.gather(2, order_HU[:, :, None])[:, :, 0]
