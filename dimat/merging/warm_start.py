"""Matching that starts where the last merge ended: ours, not from the paper.

Sites that started apart keep a basis of their own each, so the permutation that was found for a neighbour at the last merge is
the best guess for this one. Each neighbour's units are put there first and matched from there on: a guard then holds on to the
last permutation instead of to the identity, and weight matching descends from it. What a site found stays at the site.

Legend: J = sites of the pilot, U = units of all groups one behind the other.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from dimat.merging.mix import MergeInputs
from dimat.params import Layout, Params
from dimat.permutation.apply import Permutations, identity, permute
from dimat.permutation.spec import PermutationSpec

UNITS = "permutations"
"""(J, U) int32, by site of the pilot: its last permutation, within each group."""


def starts(inputs: MergeInputs) -> dict[int, Permutations]:
    """By neighbour where its units were put last; the identity where it was not matched before."""
    others = [j for j in inputs.models if j != inputs.site]
    if inputs.before is None or not inputs.settings.warm_start:
        return dict.fromkeys(others, identity(inputs.spec))
    units_JU = inputs.before.momentum[UNITS].long()
    sizes = [group.size for group in inputs.spec.groups]
    names = [group.name for group in inputs.spec.groups]
    return {j: dict(zip(names, torch.split(units_JU[j], sizes), strict=True)) for j in others}


def brought(inputs: MergeInputs, start: Mapping[int, Permutations]) -> dict[int, Params]:
    """The neighbours' models with their units where the last merge had put them.

    Raises:
        PermutationNotAdmissible: what was remembered is of no use.
    """
    return {j: permute(inputs.models[j], inputs.spec, start[j]) for j in sorted(start)}


def remembered(
    spec: PermutationSpec, num_sites: int, before: Params | None, found: Mapping[int, Permutations]
) -> Params:
    """What the next merge starts from. Sites that were no neighbours this time keep what was found for them before."""
    one_U = _joined(identity(spec), spec)
    units_JU = one_U.repeat(num_sites, 1) if before is None else before[UNITS].clone()
    for j, permutations in found.items():
        units_JU[j] = _joined(permutations, spec)
    return {UNITS: units_JU}


def _joined(permutations: Permutations, spec: PermutationSpec) -> Tensor:
    """(U,) int32; of a model without groups (0,)."""
    return torch.cat([torch.empty(0), *(permutations[group.name] for group in spec.groups)]).int()


def layout(spec: PermutationSpec, num_sites: int) -> Layout:
    """Of what is remembered."""
    return {UNITS: ((num_sites, sum(group.size for group in spec.groups)), torch.int32)}
