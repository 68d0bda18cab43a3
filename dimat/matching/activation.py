"""Activation matching: units are alike when they fire alike on the same rows."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dimat.matching.blocks import assignments, mean_over_blocks
from dimat.matching.found import GroupMatch, Match
from dimat.matching.statistics import Centred, centred, correlation
from dimat.matching.units import units_at
from dimat.matching.weights import descend
from dimat.params import Params
from dimat.permutation.spec import Group, PermutationSpec
from dimat.taps import Watcher, watch


class Activations(dict[str, Centred]):
    """Activations of each group by its name; in `params` the tensors of groups that cannot be seen."""

    params: Params

    def __init__(self, seen: Mapping[str, Centred], params: Params) -> None:
        super().__init__(seen)
        self.params = params


POSITIONS = 16
"""Of an image: enough to tell units apart, and a fraction of the work (benchmarks/probe.py)."""


def observe(
    model: nn.Module, spec: PermutationSpec, probe: Tensor, positions: int = POSITIONS
) -> Activations:
    """Activations of every group at its tap; positions count as samples. Of groups without one, the weights.

    Args:
        probe: (rows, ...) inputs, on the model's device. The model is left in evaluation mode.
        positions: see `units_at`.
    """
    seen: dict[str, list[Tensor]] = {group.name: [] for group in spec.groups if group.tap}

    def keep(group: Group) -> Watcher:
        def watcher(layer: nn.Module, inputs: Any, output: Any) -> None:
            seen[group.name].append(units_at(group, spec, layer, inputs, output, positions))

        return watcher

    watch(model, probe, [(group.tap, keep(group)) for group in spec.groups if group.tap])
    acts = {name: centred(torch.cat(parts)) for name, parts in seen.items() if parts}
    unseen = {axis.param for group in spec.groups if group.name not in acts for axis in group.axes}
    params = {n: t.detach().cpu().clone() for n, t in model.state_dict().items() if n in unseen}
    return Activations(acts, params)


def match(
    own: Activations, other: Activations, guard: float = 0.0, spec: PermutationSpec | None = None
) -> Match:
    """The permutations that make `other` most like `own`.

    Args:
        guard: see `best_assignment`.
        spec: with which both were observed: it tells which permutations are admissible, and which groups could not be
            seen; these are matched by their weights. None: every group was seen, and none has blocks.

    Raises:
        ShapeMismatch: not made on the same rows and architecture.
    Reference: Saadati et al. 2024 (DIMAT); Ainsworth et al. 2022 (Git Re-Basin), sec. 3.1.
    """
    similarity = {name: correlation(own_acts, other[name]) for name, own_acts in own.items()}
    spec = spec or PermutationSpec(tuple(Group(name, len(s), name, ()) for name, s in similarity.items()))
    found = assignments(similarity, spec, guard)
    unseen = {group.name for group in spec.groups if group.name not in similarity}
    if unseen:
        found = descend(own.params, other.params, spec, found, unseen)
    quality = []
    for group in spec.groups:
        if group.name not in similarity:
            continue
        alike, permutation = similarity[group.name], found[group.name]
        if group.under:
            alike = mean_over_blocks(alike, group.size, found[group.under])
        units = torch.arange(group.size)
        quality.append(
            GroupMatch(
                group=group.name,
                correlation=float(alike[units, permutation].mean()),
                in_place_fraction=float((permutation == units).double().mean()),
            )
        )
    return Match(found, tuple(quality))
