"""Averaging that goes on with part of its last movement: for sites that let nothing leave but models.

Aligned once as in `common_basis`. No bytes beyond those of plain averaging: each site remembers its own movement.
"""

from dimat.merging import plain_average
from dimat.merging.mix import Merged, MergeInputs
from dimat.merging.sums import Summed
from dimat.params import Params


def go_on(inputs: MergeInputs, mean: Params) -> Merged:
    """theta = mean - b * v, v <- b * v + (theta_before - mean), with b the setting `slow_momentum` and theta_before the own model
    after the merge before this one. At the first merge v is zero: how far strangers are apart is no movement.

    Reference: Wang et al. 2020, "SlowMo: Improving Communication-Efficient Distributed SGD with Slow Momentum", with slow
    learning rate 1, and without the division by the learning rate (which falls from round to round here).
    """
    names = [name for name, _ in inputs.model.named_parameters(remove_duplicate=False)]
    if inputs.before is None:
        return Merged(mean, {}, {name: mean[name] - mean[name] for name in names})
    before, momentum = inputs.before.model, inputs.before.momentum
    assert before is not None, "its last merge kept the model, too"
    moved: Params = {
        name: inputs.settings.slow_momentum * momentum[name] + (before[name] - mean[name]) for name in names
    }
    return Merged({**mean, **{name: before[name] - moved[name] for name in names}}, {}, moved)


METHOD = Summed(plain_average.summand, plain_average.mean, finish=go_on)
