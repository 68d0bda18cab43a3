"""Activation matching: units are alike when they fire alike on the same rows."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dimat.matching.assignment import best_assignment
from dimat.matching.statistics import Centred, centred, correlation
from dimat.permutation.apply import Permutations
from dimat.permutation.spec import Group, PermutationSpec
from dimat.taps import Tap, look

Activations = Mapping[str, Centred]
"""Activations of each group by its name."""


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


def observe(model: nn.Module, spec: PermutationSpec, probe: Tensor) -> Activations:
    """Activations of every group at the input of the layer that reads it; positions count as samples.

    Args:
        probe: (rows, ...) inputs, on the model's device. The model is left in evaluation mode.
    """
    seen: dict[str, list[Tensor]] = {group.name: [] for group in spec.groups}

    def keep(group: Group) -> Tap:
        def tap(_layer: nn.Module, units: Tensor) -> None:
            units_BCP = units.reshape(len(units), group.size, -1)
            seen[group.name].append(units_BCP.transpose(1, 2).reshape(-1, group.size).cpu())

        return tap

    look(model, probe, {group.tap: keep(group) for group in spec.groups})
    return {name: centred(torch.cat(parts)) for name, parts in seen.items()}


def match(own: Activations, other: Activations, guard: float = 0.0) -> Match:
    """The permutations that make `other` most like `own`, group by group.

    Args:
        guard: see `best_assignment`.

    Raises:
        ShapeMismatch: not made on the same rows and architecture.
    Reference: Saadati et al. 2024 (DIMAT); Ainsworth et al. 2022 (Git Re-Basin), sec. 3.1.
    """
    permutations, quality = {}, []
    for name, own_acts in own.items():
        similarity = correlation(own_acts, other[name])
        permutation = best_assignment(similarity, guard)
        permutations[name] = permutation
        units = torch.arange(len(permutation))
        quality.append(
            GroupMatch(
                group=name,
                correlation=float(similarity[units, permutation].mean()),
                in_place_fraction=float((permutation == units).double().mean()),
            )
        )
    return Match(permutations, tuple(quality))
