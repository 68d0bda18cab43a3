"""Activation matching: units are alike when they fire alike on the same rows.

Rows go through all models chunk by chunk, and of each chunk only sums are kept: what matching needs of memory does not grow
with the rows.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dimat.checked import check_kind, check_model, check_rows
from dimat.errors import NonFiniteParams, NumberNotFinite, NumberTooSmall
from dimat.matching.blocks import assignments, mean_over_blocks
from dimat.matching.found import GroupMatch, Match
from dimat.matching.statistics import (
    Centred,
    Together,
    centred,
    correlation,
    joined,
    open_pairs,
    tells_apart,
    together,
)
from dimat.matching.units import check_groups, units_at
from dimat.matching.weights import descend
from dimat.params import Params, first_non_finite
from dimat.permutation.apply import Permutations
from dimat.permutation.exporting import copied
from dimat.permutation.spec import Group, PermutationSpec
from dimat.taps import CHUNK_ROWS, Watcher, watch

POSITIONS = 16
"""Of an image: enough to tell units apart, and a fraction of the work (benchmarks/probe.py)."""


@dataclass(frozen=True, slots=True)
class Compared:
    """How alike the units of another model are to the own ones.

    Attributes:
        similarity: (N, N) float64 correlations by group, rows are own units; of a group under others those of all their
            blocks at once. Groups that cannot be seen, and those whose samples do not tell units apart, are left out.
        own, other: params of the two models.
    """

    similarity: Mapping[str, Tensor]
    own: Params
    other: Params


def compare(
    model: nn.Module,
    spec: PermutationSpec,
    own: Params,
    others: Mapping[int, Params],
    probe: Tensor,
    positions: int = POSITIONS,
    chunk_rows: int = CHUNK_ROWS,
) -> dict[int, Compared]:
    """The own model beside each of the others on the same rows, at the tap of every group; positions count as samples.

    Each model sees each row once, the own one too, however many the others are.

    Args:
        model: a network of the right architecture on the probe's device; it stays as it is.
        others: params by site index.
        probe: (rows, ...) inputs. positions: see `units_at`, >= 1. chunk_rows: how many rows go through at once, >= 1.

    Raises:
        NoRows, NonFiniteInput, InputsNotTaken: the probe. NonFiniteParams. NumberTooSmall: chunk_rows, positions.
        TensorMissing, ShapeMismatch: not of one architecture, nor `spec`, or the models do not give the same number of samples.
        TypeError: params are no state dict, `others` no mapping, the probe no tensor.
    """
    check_kind("'others'", others, Mapping, "params by site index")
    for j, params in others.items():
        check_kind(f"'others' at {j!r}", params, Mapping, "a state dict: 'others' has one by site index")
    check_rows("probe", probe)
    for name, value in (("chunk_rows", chunk_rows), ("positions", positions)):
        if value < 1:
            raise NumberTooSmall(name=name, value=value, least=1)
    for site, params in (("own", own), *others.items()):
        check_model(params, model, str(site))
        broken = first_non_finite(params)
        if broken is not None:
            raise NonFiniteParams(site=str(site), tensor=broken)
    check_groups(spec, own)
    net = copied(model)
    so_far: dict[int, dict[str, Together]] = {j: {} for j in others}
    for start in range(0, len(probe), chunk_rows):
        chunk = probe[start : start + chunk_rows]
        mine = _observe(net, spec, own, chunk, positions)
        for j, params in others.items():
            theirs = _observe(net, spec, params, chunk, positions)
            so_far[j] = {name: _with_chunk(so_far[j].get(name), mine[name], theirs[name]) for name in mine}
    found = {j: {name: correlation(seen) for name, seen in so_far[j].items()} for j in others}
    return {
        j: Compared({name: alike for name, alike in found[j].items() if tells_apart(alike)}, own, params)
        for j, params in others.items()
    }


def match(compared: Compared, spec: PermutationSpec, guard: float = 0.0) -> Match:
    """The permutations that make the other model most like the own one.

    What no sample speaks for, groups that could not be seen and units that are dead in either model, is matched by its weights.

    Args:
        spec: with which both were compared: it tells which permutations are admissible.
        guard: see `assignments`, >= 0; where weights decide there is none.

    Raises:
        NumberNotFinite, NumberTooSmall: guard. TensorMissing, ShapeMismatch: `spec` is of another architecture.
        TypeError: `compared` is all that `compare` gives, not what it found of one site.

    Reference: Saadati et al. 2024 (DIMAT); Ainsworth et al. 2022 (Git Re-Basin), sec. 3.1 and 3.2.
    """
    check_kind("'compared'", compared, Compared, "what `compare` found of one site, as compare(...)[1]")
    if not math.isfinite(guard):
        raise NumberNotFinite(name="guard", value=str(guard))
    if guard < 0:
        raise NumberTooSmall(name="guard", value=guard, least=0)
    check_groups(spec, compared.own)
    seen = [group for group in spec.groups if group.name in compared.similarity]
    found = assignments(compared.similarity, spec, guard)
    pairs = {group.name: open_pairs(_alike(compared, group, found), found[group.name]) for group in seen}
    found = descend(compared.own, compared.other, spec, found, pairs)
    quality = []
    for group in seen:
        alike, permutation = _alike(compared, group, found), found[group.name]
        units = torch.arange(group.size)
        quality.append(
            GroupMatch(
                group=group.name,
                correlation=float(alike[units, permutation].mean().clamp(-1, 1)),
                in_place_fraction=float((permutation == units).double().mean()),
            )
        )
    return Match(found, tuple(quality))


def _alike(compared: Compared, group: Group, found: Permutations) -> Tensor:
    """(size, size): how alike the units of a group are, of one under others the mean over its matched blocks."""
    return mean_over_blocks(compared.similarity[group.name], [found[name] for name in group.under])


def _observe(
    model: nn.Module, spec: PermutationSpec, params: Params, rows: Tensor, positions: int
) -> dict[str, list[Centred]]:
    """Activations of every group that can be seen, one entry for each time its tap is called. `model` takes the params."""
    model.load_state_dict(dict(params))
    seen: dict[str, list[Tensor]] = {group.name: [] for group in spec.groups if group.tap}

    def keep(group: Group) -> Watcher:
        def watcher(layer: nn.Module, inputs: Any, output: Any) -> None:
            seen[group.name].append(units_at(group, spec, layer, inputs, output, positions))

        return watcher

    watch(model, rows, [(group.tap, keep(group)) for group in spec.groups if group.tap])
    return {name: [centred(acts) for acts in calls] for name, calls in seen.items() if calls}


def _with_chunk(before: Together | None, own: list[Centred], other: list[Centred]) -> Together:
    """What was seen `before` and, call by call, what was seen now."""
    for mine, theirs in zip(own, other, strict=True):
        now = together(mine, theirs)
        before = now if before is None else joined(before, now)
    assert before is not None, "a group without calls was left out"
    return before
