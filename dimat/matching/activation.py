"""Activation matching: units are alike when they fire alike on the same rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dimat.matching.assignment import best_assignment
from dimat.matching.statistics import Centred, centred, correlation
from dimat.permutation.apply import Permutations
from dimat.permutation.spec import Group, PermutationSpec

CHUNK_ROWS = 256
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

    def keep(group: Group) -> Any:
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            units_BCP = inputs[0].reshape(len(inputs[0]), group.size, -1)
            seen[group.name].append(units_BCP.transpose(1, 2).reshape(-1, group.size).cpu())

        return hook

    handles = [model.get_submodule(group.tap).register_forward_pre_hook(keep(group)) for group in spec.groups]
    model.eval()
    try:
        with torch.no_grad():
            for start in range(0, len(probe), CHUNK_ROWS):
                model(probe[start : start + CHUNK_ROWS])
    finally:
        for handle in handles:
            handle.remove()
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
