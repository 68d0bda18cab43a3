"""Align once, then average: ours, not from the paper.

Before round 0 every site permutes *itself* into the basis of its parent in a spanning tree, which does
not change what its model computes. From then on units with one index mean the same everywhere, so that
plain averaging works, permutations compose over the whole graph, and merges need no matching.
"""

from dimat.matching.activation import match, observe
from dimat.matching.found import GroupMatch
from dimat.merging import plain_average
from dimat.merging.mix import MergeInputs
from dimat.models.registry import load
from dimat.params import Params
from dimat.permutation.apply import permute

METHOD = plain_average.METHOD
"""The weighted mean; all models are in the common basis already."""


def align(inputs: MergeInputs, parent: int) -> tuple[Params, tuple[GroupMatch, ...]]:
    """The own model with its units reordered to match those of `inputs.models[parent]`."""
    target = observe(
        load(inputs.model, inputs.models[parent]), inputs.spec, inputs.probe, inputs.settings.probe.positions
    )
    own = observe(
        load(inputs.model, inputs.models[inputs.site]),
        inputs.spec,
        inputs.probe,
        inputs.settings.probe.positions,
    )
    found = match(target, own, spec=inputs.spec)
    return permute(inputs.models[inputs.site], inputs.spec, found.permutations), found.quality
