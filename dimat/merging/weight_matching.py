"""Match by weights instead of activations: for sites that let no data be touched for merging."""

from dimat.matching.found import counted_from_the_model
from dimat.matching.weights import match_weights
from dimat.merging import warm_start
from dimat.merging.mix import Merged, MergeInputs, mix
from dimat.permutation.apply import compose, permute


def merge(inputs: MergeInputs) -> Merged:
    """As `dimat`, with the units of each neighbour matched to the own ones by their weights. With `warm_start` the descent begins
    where the last merge ended.

    Reference: Ainsworth et al. 2022 (Git Re-Basin), weight matching, here between neighbours.
    """
    own, start = inputs.own, warm_start.starts(inputs)
    aligned, matches, permutations = {inputs.site: own}, {}, {}
    for j, other in warm_start.brought(inputs, start).items():
        found = match_weights(own, other, inputs.spec)
        aligned[j] = permute(other, inputs.spec, found.permutations)
        permutations[j] = compose(start[j], found.permutations)
        matches[j] = counted_from_the_model(found.quality, permutations[j])
    return Merged(mix(aligned, inputs.weights, inputs.site), matches, permutations=permutations)
