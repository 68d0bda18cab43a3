"""The weighted mean of the models as they are: what decentralised averaging gives."""

from dimat.merging.sums import SHARE, Summed, Sums, reals
from dimat.params import Params
from dimat.parts import MergeSpec


def summand(params: Params, moments: Params, settings: MergeSpec) -> Sums:
    """theta_j."""
    return Sums({name: value.double() for name, value in reals(params).items()})


def mean(total: Sums) -> Params:
    """sum_j w_j theta_j / sum_j w_j.

    Reference: Lian et al. 2017, "Can decentralized algorithms outperform centralized algorithms?".
    """
    share = total.params[SHARE]
    return {name: value.double() / share for name, value in total.params.items() if name != SHARE}


METHOD = Summed(summand, mean)
