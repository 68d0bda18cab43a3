"""Align once, then average: ours, not from the paper.

Before the first such merge every site permutes *itself* into the basis of its parent in a spanning tree, which does
not change what its model computes. From then on units with one index mean the same everywhere, so that
plain averaging works, permutations compose over the whole graph, and merges need no matching.
"""

from dimat.matching.activation import compare, match
from dimat.matching.found import Match
from dimat.merging import plain_average
from dimat.merging.mix import MergeInputs

METHOD = plain_average.METHOD
"""The weighted mean; all models are in the common basis already."""


def align(inputs: MergeInputs, parent: int) -> Match:
    """How the own model's units are to be reordered to match those of `inputs.models[parent]`."""
    target, own = inputs.models[parent], inputs.own
    positions = inputs.settings.probe.positions
    compared = compare(inputs.model, inputs.spec, target, {inputs.site: own}, inputs.probe, positions)
    return match(compared[inputs.site], inputs.spec)
