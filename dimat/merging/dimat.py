"""DIMAT: each neighbour's units are matched to the own ones and permuted before mixing, at every merge."""

from dimat.matching.activation import match, observe
from dimat.merging.mix import Merged, MergeInputs, mix
from dimat.models.registry import load
from dimat.permutation.apply import permute


def merge(inputs: MergeInputs) -> Merged:
    """theta_i <- sum_j W_ij permute(theta_j, P_ij), P_ii the identity, without a guard.

    Reference: Saadati et al. 2024, "DIMAT: Decentralized Iterative Merging-And-Training", arXiv 2404.08079.
    """
    return match_and_mix(inputs, guard=0.0)


def match_and_mix(inputs: MergeInputs, guard: float) -> Merged:
    """Every neighbour is matched against the own model alone, whose activations are computed once."""
    own = observe(
        load(inputs.model, inputs.models[inputs.site]),
        inputs.spec,
        inputs.probe,
        inputs.settings.probe.positions,
    )
    aligned, matches = dict(inputs.models), {}
    for j in sorted(inputs.models):
        if j == inputs.site:
            continue
        other = observe(
            load(inputs.model, inputs.models[j]), inputs.spec, inputs.probe, inputs.settings.probe.positions
        )
        found = match(own, other, guard, inputs.spec)
        aligned[j] = permute(inputs.models[j], inputs.spec, found.permutations)
        matches[j] = found.quality
    return Merged(mix(aligned, inputs.weights, inputs.site), matches)
