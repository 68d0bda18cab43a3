"""What every merge method starts from and ends with: models and weights in, a weighted mean out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from dimat.checked import check_mixture, check_sites
from dimat.matching.found import GroupMatch
from dimat.params import Params, averaged, doubled, kept
from dimat.parts import MergeSpec
from dimat.permutation.apply import Permutations
from dimat.permutation.spec import PermutationSpec


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a site kept of its last merge, for itself alone.

    Attributes:
        momentum: its slow momentum, or with `warm_start` the permutations it found.
        model: that it made, for `slowmo`; None for others.
    """

    momentum: Params
    model: Params | None = None


@dataclass(frozen=True, slots=True)
class MergeInputs:
    """What a method may use.

    Attributes:
        model: a network of the right architecture on the probe's device; its params are overwritten.
        spec: the network's permutation groups.
        site: index of the own site. models: params by site index, own and neighbours, all finite.
        weights: by site index, >= 0, sum 1, for the same sites as `models`.
        probe: (rows, ...) own training rows on which units are compared.
        settings: the arm's, for `guard` (see `assignments`), `off_diagonal` and `ridge` (see `regmean`).
        moments: by site index what `gram` or `fisher` made of that site's model and rows, for the same sites as `models`;
            empty for methods that need none.
        before: what is left of the last merge; None at the first, and for methods that remember nothing.
    """

    model: nn.Module
    spec: PermutationSpec
    site: int
    models: Mapping[int, Params]
    weights: Mapping[int, float]
    probe: Tensor
    settings: MergeSpec
    moments: Mapping[int, Params] = field(default_factory=dict)
    before: Remembered | None = None

    @property
    def own(self) -> Params:
        """The own model. Raises: SiteMissing."""
        check_sites({self.site: None}, self.models, "models")
        return self.models[self.site]


@dataclass(frozen=True, slots=True)
class Merged:
    """The merged params, by neighbour how well its units were matched (empty without matching), the slow momentum
    with which the next merge goes on (None for methods that have none), and by neighbour the permutations that were found."""

    params: Params
    matches: Mapping[int, tuple[GroupMatch, ...]]
    momentum: Params | None = None
    permutations: Mapping[int, Permutations] = field(default_factory=dict)


def mix(models: Mapping[int, Params], weights: Mapping[int, float], site: int) -> Params:
    """sum_j weight_j * params_j, accumulated in float64 (complex numbers in complex128) in the order of the site indices.

    Tensors of whole numbers (counters), and what is no tensor (`get_extra_state`), are taken from `site`: a mean of them means nothing.

    Raises:
        SiteMissing, TensorMissing, ShapeMismatch, NonFiniteParams. MixingRowSum: the weights do not sum to 1. MixingNegative.
    """
    check_mixture(models, weights, site)
    own = models[site]
    with_mean = averaged(own)
    mixed = {}
    for name in sorted(own):
        if name not in with_mean:
            mixed[name] = kept(own[name])
            continue
        total = torch.zeros_like(doubled(own[name]))
        for j in sorted(models):
            total += doubled(models[j][name]) * weights[j]
        mixed[name] = total.to(own[name].dtype)
    return mixed
