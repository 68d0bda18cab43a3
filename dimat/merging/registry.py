"""Merge methods by name. A new method = one file, one line here, one name in `methods.Method`."""

from collections.abc import Callable, Mapping
from typing import NoReturn

from dimat.merging import (
    common_basis,
    dimat,
    dimat_guarded,
    federated_average,
    fisher,
    local_only,
    plain_average,
    regmean,
    ridge_head,
    slowmo,
    weight_matching,
)
from dimat.merging.mix import Merged, MergeInputs
from dimat.merging.sums import Summed
from dimat.methods import Method

SUMMED: Mapping[Method, Summed] = {
    "plain_average": plain_average.METHOD,
    "federated_average": federated_average.METHOD,
    "common_basis": common_basis.METHOD,
    "slowmo": slowmo.METHOD,
    "fisher": fisher.METHOD,
    "regmean": regmean.METHOD,
    "ridge_head": ridge_head.METHOD,
}
"""Those that can be added up over all sites, too."""


class _ByName(dict[Method, Callable[[MergeInputs], Merged]]):
    def __missing__(self, name: object) -> NoReturn:
        raise KeyError(f"{name!r} is no method; there are: {', '.join(self)}")


METHODS: Mapping[Method, Callable[[MergeInputs], Merged]] = _ByName(
    {
        "local_only": local_only.merge,
        "dimat": dimat.merge,
        "dimat_guarded": dimat_guarded.merge,
        "weight_matching": weight_matching.merge,
        **{name: method.merge for name, method in SUMMED.items()},
    }
)
"""Over the own model and its neighbours'."""
