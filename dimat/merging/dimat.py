"""DIMAT: each neighbour's units are matched to the own ones and permuted before mixing, at every merge."""

from dimat.matching.activation import compare, match
from dimat.matching.found import counted_from_the_model
from dimat.merging import warm_start
from dimat.merging.mix import Merged, MergeInputs, mix
from dimat.permutation.apply import compose, permute


def merge(inputs: MergeInputs) -> Merged:
    """theta_i <- sum_j W_ij permute(theta_j, P_ij), P_ii the identity, without a guard.

    Reference: Saadati et al. 2024, "DIMAT: Decentralized Iterative Merging-And-Training", arXiv 2404.08079.
    """
    return match_and_mix(inputs, guard=0.0)


def match_and_mix(inputs: MergeInputs, guard: float) -> Merged:
    """Every neighbour is matched against the own model alone, whose activations are computed once. With `warm_start` the guard
    is added where the last merge put the units."""
    own, start = inputs.own, warm_start.starts(inputs)
    others = warm_start.brought(inputs, start)
    positions = inputs.settings.probe.positions
    compared = compare(inputs.model, inputs.spec, own, others, inputs.probe, positions)
    aligned, matches, permutations = {inputs.site: own}, {}, {}
    for j, alike in compared.items():
        found = match(alike, inputs.spec, guard)
        aligned[j] = permute(others[j], inputs.spec, found.permutations)
        permutations[j] = compose(start[j], found.permutations)
        matches[j] = counted_from_the_model(found.quality, permutations[j])
    return Merged(mix(aligned, inputs.weights, inputs.site), matches, permutations=permutations)
