"""What a matching gives: permutations, and how good they are."""

from dataclasses import dataclass

from dimat.permutation.apply import Permutations


@dataclass(frozen=True, slots=True)
class GroupMatch:
    """How well one group of a neighbour's units was matched.

    Attributes:
        group: its name. correlation: mean over the matched pairs, -1..1.
        in_place_fraction: share of units that stayed where they were (with `warm_start` where the last merge had put them), 0..1.
    """

    group: str
    correlation: float
    in_place_fraction: float


@dataclass(frozen=True, slots=True)
class Match:
    """Permutations that bring another model into the own basis, and how good they are."""

    permutations: Permutations
    quality: tuple[GroupMatch, ...]
