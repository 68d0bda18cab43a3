"""Which axes of which tensors must be reordered together."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of one tensor that follows a group.

    Attributes:
        param: name of the tensor. axis: its axis.
        repeat: each unit owns this many neighbouring entries of the axis (H*W behind a flatten).
    """

    param: str
    axis: int
    repeat: int = 1


@dataclass(frozen=True, slots=True)
class Group:
    """Hidden units that are reordered together.

    Attributes:
        name: of the layer that makes them. size: number of units.
        tap: the layer that reads them; activations are compared at its input.
        axes: everything that must follow, producer first.
    """

    name: str
    size: int
    tap: str
    axes: tuple[Axis, ...]


@dataclass(frozen=True, slots=True)
class PermutationSpec:
    """All groups of an architecture, in the order of the forward pass."""

    groups: tuple[Group, ...]

    def group(self, name: str) -> Group:
        """Raises: KeyError."""
        return {group.name: group for group in self.groups}[name]
