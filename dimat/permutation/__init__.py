"""Hidden units can be reordered without changing what a model computes: which ones, and how."""

from dimat.permutation.apply import compose, identity, invert, permute, random
from dimat.permutation.discover import discover
from dimat.permutation.spec import Axis, Frozen, Group, PermutationSpec, Place

__all__ = [
    "Axis", "Frozen", "Group", "PermutationSpec", "Place",
    "compose", "discover", "identity", "invert", "permute", "random",
]  # fmt: skip
