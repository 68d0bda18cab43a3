"""Match by weights instead of activations: for sites that let no data be touched for merging."""

from dimat.matching.weights import match_weights
from dimat.merging.mix import Merged, MergeInputs, mix
from dimat.permutation.apply import permute


def merge(inputs: MergeInputs) -> Merged:
    """As `dimat`, with the units of each neighbour matched to the own ones by their weights.

    Reference: Ainsworth et al. 2022 (Git Re-Basin), weight matching, here between neighbours.
    """
    own, aligned = inputs.models[inputs.site], dict(inputs.models)
    matches, permutations = {}, {}
    for j in sorted(inputs.models):
        if j == inputs.site:
            continue
        found = match_weights(own, inputs.models[j], inputs.spec)
        aligned[j] = permute(inputs.models[j], inputs.spec, found.permutations)
        matches[j], permutations[j] = found.quality, found.permutations
    return Merged(mix(aligned, inputs.weights, inputs.site), matches, permutations=permutations)
