"""Which axes of which tensors must be reordered together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from dimat.checked import check_kind
from dimat.errors import UnknownGroup


@dataclass(frozen=True, slots=True)
class Axis:
    """A part of one axis of one tensor that follows a group.

    It begins at entry `offset` and holds the group's units `tiles` times one behind the other, each unit with `repeat`
    entries next to each other: the entry of unit u in tile t is offset + (t * size + u) * repeat + 0..repeat-1.

    With `within` it holds the units of one block of the group only, in that many entries fewer: the blocks (those of `Group.level`) lie on
    another axis of the tensor, equally long parts of all of it, and in each part the entries are the units of that block, which
    have an order of their own there. Weights of experts (E, d, f), of a convolution's groups (out, in / groups, ...).

    Attributes:
        param: name of a parameter or buffer. axis: its axis.
        repeat: 1, or more behind a flatten (H*W), or where a unit is a whole head.
        offset: where the part begins. tiles: more than 1 for gates of a cell, and for units of a head shared by all heads.
        length: of the axis where the group is only a part of it; 0 where it is all of it.
        within: the axis of the same tensor on which the group's blocks lie; None: the axis holds all of its units.
    """

    param: str
    axis: int
    repeat: int = 1
    offset: int = 0
    tiles: int = 1
    length: int = 0
    within: int | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where activations of a group can be seen: parts of one axis of a tensor at the module `Group.tap`.

    Attributes:
        side: the module's `input` or `output`; `projection`: q, k and v of an `nn.MultiheadAttention` side by side;
            `layer`: what a layer of a recurrent module gives to the next.
        axis: of that tensor. number: of the layer. repeat: as in `Axis`.
        starts: where all units of the group stand one after the other, and where they do so again: behind each other all blocks in which
            they recur, then the same in the next part of each block.
        others: axes of that tensor (from its end) that another group reorders: they cannot count as samples.
        is_mixed: another group reorders the entries of a unit: they cannot count as samples either.
    """

    side: Literal["input", "output", "projection", "layer"] = "input"
    axis: int = 1
    number: int = 0
    repeat: int = 1
    starts: tuple[int, ...] = (0,)
    others: tuple[int, ...] = ()
    is_mixed: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Hidden units that are reordered together.

    Attributes:
        name: of the layer (or tensor) that makes them. size: number of units.
        tap: the layer that reads them, where there is one; activations are compared at its input. Empty: they cannot be
            seen, only permuted.
        axes: everything that must follow, producer first. place: where to look at the tap.
        blocks: admissible permutations map each of so many equal blocks of units to one of them: norm groups, heads.
            Several levels, coarse to fine. blocks_stay: each of those of its level to itself.
        link: groups of one link move blocks of one level alike (the heads of q, k and v). level: which level that is, 0 or more where
            these blocks belong to coarser ones.
        under: the groups of blocks or heads in each of which these units recur at the tap, all reordered alike; coarse to fine.
    """

    name: str
    size: int
    tap: str
    axes: tuple[Axis, ...]
    place: Place = Place()
    blocks: tuple[int, ...] = ()
    link: str = ""
    under: tuple[str, ...] = ()
    blocks_stay: bool = False
    level: int = 0

    @property
    def num_blocks(self) -> int:
        """Of those that move alike in all groups of the link, that stay, or within which axes are read; 1 where there are none."""
        return self.blocks[self.level] if self.blocks else 1

    def length_of(self, axis: Axis) -> int:
        """How many entries an axis of its tensors has, those included that do not follow."""
        return axis.length or self.units_on(axis) * axis.repeat * axis.tiles

    def units_on(self, axis: Axis) -> int:
        """How many of the group's units lie next to each other on an axis of its tensors: all, or those of one block."""
        return self.size if axis.within is None else self.size // self.num_blocks


@dataclass(frozen=True, slots=True)
class Frozen:
    """An axis, or a part of it, that stays as it is, and why."""

    param: str
    axis: int
    reason: str


@dataclass(frozen=True, slots=True)
class PermutationSpec:
    """All groups of an architecture, in the order of the forward pass.

    Attributes:
        frozen: axes that stay. coverage: share of the parameters' elements on at least one axis of a group, 0..1.
        uncalled: names of modules with params that the forward pass does not call, only reads from, if at all.
    """

    groups: tuple[Group, ...]
    frozen: tuple[Frozen, ...] = ()
    coverage: float = 0.0
    uncalled: frozenset[str] = frozenset()
    _by_name: Mapping[str, Group] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {group.name: group for group in self.groups})

    def group(self, name: str) -> Group:
        """Raises: UnknownGroup."""
        if name not in self._by_name:
            raise UnknownGroup(name=name, known=", ".join(self._by_name))
        return self._by_name[name]

    def random(self, generator: torch.Generator) -> dict[str, Tensor]:
        """A uniformly random admissible permutation of each group: (size,) int64 by name. Raises: TypeError: no generator."""
        check_kind("'generator'", generator, torch.Generator, "a torch.Generator")
        tops: dict[str, Tensor] = {}
        found = {}
        for group in self.groups:
            if group.link and group.link not in tops:
                tops[group.link] = _nested(group.num_blocks, group.blocks[: group.level], generator)
            top = torch.arange(group.num_blocks) if group.blocks_stay else tops.get(group.link)
            found[group.name] = _nested(group.size, group.blocks[group.level :], generator, top)
        return found


def _nested(size: int, blocks: tuple[int, ...], rng: torch.Generator, top: Tensor | None = None) -> Tensor:
    """A random permutation that maps blocks to blocks on every level; `top`: of the first level."""
    if not blocks:
        return torch.randperm(size, generator=rng)
    outer = torch.randperm(blocks[0], generator=rng) if top is None else top
    inner = size // blocks[0]
    finer = tuple(n // blocks[0] for n in blocks[1:])
    return torch.cat([int(block) * inner + _nested(inner, finer, rng) for block in outer])
