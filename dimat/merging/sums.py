"""Merging as one sum over sites: each site has a summand, and the merged model follows from their weighted total alone.

So it does not matter in which order and grouping sites are added up: over neighbours by the weights of W, or over all sites, up
the spanning tree, with nobody seeing more than the sums of whole branches.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch

from dimat.checked import check_mixture, check_sites, check_tensors
from dimat.errors import SumsImpossible
from dimat.merging.mix import Merged, MergeInputs
from dimat.params import Layout, Params, can_be_averaged, doubled, kept
from dimat.parts import MergeSpec

SHARE = ".share"
"""Among the summed params: the sum of the weights. No name in a state dict begins with a dot."""


@dataclass(frozen=True, slots=True)
class Sums:
    """A weighted sum of summands.

    Attributes:
        params: by the names of the model's tensors that `can_be_averaged`, of the same shapes, and `SHARE` (scalar).
        moments: by the names of the method's second moments; empty for methods without.
    """

    params: Params
    moments: Params = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Summed:
    """A method whose merge is a sum.

    Attributes:
        summand: of a site, from its params, its second moments and the settings: `doubled`, without `SHARE`.
        solve: the merged tensors, `doubled`, from the total.
        by_moments: whether a summand needs second moments.
        squares: of second moments, and of sums of them, the numbers that are sums of squares.
        finish: what the site makes of them by itself, from (inputs, merged params).
    """

    summand: Callable[[Params, Params, MergeSpec], Sums]
    solve: Callable[[Sums], Params]
    by_moments: bool = False
    squares: Callable[[Params], Params] = lambda _: {}
    finish: Callable[[MergeInputs, Params], Merged] = lambda _, params: Merged(params, {})

    def merge(self, inputs: MergeInputs) -> Merged:
        """The method over the own model and its neighbours'.

        Raises:
            SiteMissing, TensorMissing, ShapeMismatch, NonFiniteParams: of models, or of second moments that are needed.
            MixingRowSum, MixingNegative: the weights. SumsImpossible: second moments of no rows.
        """
        check_mixture(inputs.models, inputs.weights, inputs.site)
        if self.by_moments:
            check_sites(inputs.models, inputs.moments, "moments")
            moments = {j: inputs.moments[j] for j in inputs.models}
            check_tensors(moments, inputs.site, "moments")
            for j in sorted(moments):
                if name := self.first_impossible(moments[j]):
                    raise SumsImpossible(site=str(j), tensor=name)
        total = add(
            (inputs.weights[j], self.of_site(inputs.models[j], self._moments(inputs, j), inputs.settings))
            for j in sorted(inputs.models)
        )
        return self.finish(inputs, self.params_of(total, inputs.own))

    def of_site(self, params: Params, moments: Params, settings: MergeSpec) -> Sums:
        """The summand with its `SHARE` of 1."""
        found = self.summand(params, moments, settings)
        return Sums({**found.params, SHARE: torch.ones((), dtype=torch.float64)}, found.moments)

    def params_of(self, total: Sums, own: Params) -> Params:
        """A whole model from the total: dtypes are those of `own`, and so are tensors of whole numbers (counters), as a
        mean of them means nothing."""
        solved = self.solve(total)
        return {
            name: solved[name].to(value.dtype).contiguous() if name in solved else kept(value)
            for name, value in sorted(own.items())
        }

    def first_impossible(self, moments: Params) -> str | None:
        """The first name, in sorted order, of second moments (or of sums of them) with squares below 0; None if there are none."""
        squares = self.squares(moments)
        return next((name for name in sorted(squares) if bool((squares[name] < 0).any())), None)

    def _moments(self, inputs: MergeInputs, site: int) -> Params:
        return inputs.moments[site] if self.by_moments else {}


def add(weighted: Iterable[tuple[float, Sums]]) -> Sums:
    """sum of weight * summand in the order given, `doubled`. At least one."""
    params: dict[str, torch.Tensor] = {}
    moments: dict[str, torch.Tensor] = {}
    for weight, summand in weighted:
        for into, values in ((params, summand.params), (moments, summand.moments)):
            for name in sorted(values):
                part = doubled(values[name]) * weight
                into[name] = into[name] + part if name in into else part
    return Sums(params, moments)


def for_the_way(total: Sums) -> Sums:
    """Divided by its `SHARE`, which is kept: of the size of a model's numbers, so that halves can hold them."""
    share = total.params[SHARE]
    params = {name: value if name == SHARE else value / share for name, value in total.params.items()}
    return Sums(params, {name: value / share for name, value in total.moments.items()})


def received(sent: Sums) -> Sums:
    """The reverse of `for_the_way`, `doubled`."""
    share = sent.params[SHARE].double()
    params = {name: value if name == SHARE else doubled(value) * share for name, value in sent.params.items()}
    return Sums(params, {name: value.double() * share for name, value in sent.moments.items()})


def layout(model: Layout) -> Layout:
    """Shapes and dtypes of summed params as they travel (`for_the_way`): those of the model, and `SHARE` in float64."""
    return {**mean_layout(model), SHARE: ((), torch.float64)}


def mean_layout(model: Layout) -> Layout:
    """The same of merged params."""
    return {name: about for name, about in model.items() if can_be_averaged(about[1])}
