"""The weighted mean of the models as they are: what decentralised averaging gives."""

from dimat.merging.sums import SHARE, Summed, Sums
from dimat.params import Params, averaged, doubled
from dimat.parts import MergeSpec


def summand(params: Params, moments: Params, settings: MergeSpec) -> Sums:
    """theta_j."""
    return Sums({name: doubled(value) for name, value in averaged(params).items()})


def mean(total: Sums) -> Params:
    """sum_j w_j theta_j / sum_j w_j.

    Reference: Lian et al. 2017, "Can decentralized algorithms outperform centralized algorithms?".
    """
    share = total.params[SHARE]
    return {name: doubled(value) / share for name, value in total.params.items() if name != SHARE}


METHOD = Summed(summand, mean)
