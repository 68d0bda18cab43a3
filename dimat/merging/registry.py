"""Merge methods by name. A new method = one file, one line here, one name in `spec.Method`."""

from collections.abc import Callable, Mapping

from dimat.merging import (
    common_basis,
    dimat,
    dimat_guarded,
    fisher,
    local_only,
    plain_average,
    regmean,
    slowmo,
    weight_matching,
)
from dimat.merging.mix import Merged, MergeInputs
from dimat.parts import Method

METHODS: Mapping[Method, Callable[[MergeInputs], Merged]] = {
    "local_only": local_only.merge,
    "plain_average": plain_average.merge,
    "dimat": dimat.merge,
    "dimat_guarded": dimat_guarded.merge,
    "weight_matching": weight_matching.merge,
    "common_basis": common_basis.merge,
    "slowmo": slowmo.merge,
    "fisher": fisher.merge,
    "regmean": regmean.merge,
}
