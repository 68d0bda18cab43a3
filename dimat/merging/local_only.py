"""No merging at all: the control arm against which every gain is measured."""

from dimat.merging.mix import Merged, MergeInputs


def merge(inputs: MergeInputs) -> Merged:
    """The own model as it is. The schedule has no merge steps for this method."""
    return Merged(inputs.own, {})
