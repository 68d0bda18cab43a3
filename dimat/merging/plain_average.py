"""The weighted mean of the models as they are: what decentralised averaging gives."""

from dimat.merging.mix import Merged, MergeInputs, mix


def merge(inputs: MergeInputs) -> Merged:
    """Reference: Lian et al. 2017, "Can decentralized algorithms outperform centralized algorithms?"."""
    return Merged(mix(inputs.models, inputs.weights, inputs.site), {})
