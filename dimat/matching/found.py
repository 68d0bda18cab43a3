"""What a matching gives: permutations, and how good they are."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch

from dimat.permutation.apply import Permutations


@dataclass(frozen=True, slots=True)
class GroupMatch:
    """How well one group of a neighbour's units was matched.

    Attributes:
        group: its name. correlation: mean over the matched pairs, -1..1.
        in_place_fraction: share of units that stayed where they were, 0..1.
    """

    group: str
    correlation: float
    in_place_fraction: float


@dataclass(frozen=True, slots=True)
class Match:
    """Permutations that bring another model into the own basis, and how good they are."""

    permutations: Permutations
    quality: tuple[GroupMatch, ...]


def counted_from_the_model(
    quality: Iterable[GroupMatch], permutations: Permutations
) -> tuple[GroupMatch, ...]:
    """The quality of a match that began with units moved already, with what stayed in place by the whole of what was done to them."""
    return tuple(replace(one, in_place_fraction=_in_place(permutations[one.group])) for one in quality)


def _in_place(permutation_U: torch.Tensor) -> float:
    return float((permutation_U == torch.arange(len(permutation_U))).double().mean())
