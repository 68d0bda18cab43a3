"""The steps in which a site takes in its neighbours' models: `adopt`, `align` and `merge`."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dimat.errors import NonFiniteParams, SumsImpossible
from dimat.merging import common_basis, warm_start
from dimat.merging.mix import Merged, MergeInputs, Remembered
from dimat.merging.normalisation import reset_statistics
from dimat.merging.registry import METHODS, SUMMED
from dimat.methods import WARM_METHODS, Method, Moments
from dimat.models.registry import empty_model, load, params_of
from dimat.models.symmetries import symmetries
from dimat.params import Params, first_non_finite
from dimat.parts import MergeSpec
from dimat.permutation.apply import Permutations, permute
from dimat.rows import SiteRows
from dimat.steps.context import (
    NeighbourMatch,
    StepContext,
    StepResult,
    finite,
    has_all_site,
    moments_of,
    stop_if_asked,
)
from dimat.training.evaluate import measure
from dimat.training.seeding import torch_rng


def adopt(
    context: StepContext, rows: SiteRows, source: tuple[int, Params], tell: Moments | None = None
) -> StepResult:
    """A neighbour's model, with which a site goes on that joins or comes back.

    Args:
        source: index and params of the neighbour. Decode them with `allow_non_finite`.
        tell: see `align`.

    Raises:
        Cancelled. NonFiniteParams: there is nothing else to go on with.
    """
    stop_if_asked(context)
    _, params = source
    return StepResult(params=finite(context, params), moments=moments_of(context, rows, params, tell))


def align(
    context: StepContext,
    rows: SiteRows,
    merge: MergeSpec,
    own: Params,
    parent: tuple[int, Params] | None,
    tell: Moments | None = None,
    momentum: Params | None = None,
) -> StepResult:
    """The site's model in its parent's basis; what it computes does not change, nor how training goes on.

    Args:
        tell: also the second moments that the merge that comes needs.
        momentum: what the optimiser of the round before left; it is reordered with the model.
        parent: index and aligned params of the parent in the spanning tree; None for its root,
            whose model stays as it is.

    Raises:
        Cancelled. NonFiniteParams: the own model. A parent that is not finite is rejected: the site
        keeps its own basis.
    """
    finite(context, own)
    as_it_is = StepResult(params=dict(own), momentum=momentum)
    if parent is None:
        return replace(as_it_is, moments=moments_of(context, rows, own, tell))
    index, params = parent
    if first_non_finite(params):
        return replace(
            as_it_is, rejected={index: NonFiniteParams.code}, moments=moments_of(context, rows, own, tell)
        )
    models, weights = {context.site_index: own, index: params}, {context.site_index: 1.0, index: 0.0}
    inputs = merge_inputs(context, rows, merge, models, weights)
    found = common_basis.align(inputs, index)
    aligned = permute(own, inputs.spec, found.permutations)
    return StepResult(
        params=aligned,
        matches=(NeighbourMatch(index, found.quality),),
        momentum=None if momentum is None else permute(momentum, inputs.spec, found.permutations),
        moments=moments_of(context, rows, aligned, tell),
    )


def merge(
    context: StepContext,
    rows: SiteRows,
    merge: MergeSpec,
    method: Method,
    own: Params,
    neighbours: Mapping[int, Params],
    weights: Mapping[int, float],
    moments: Mapping[int, Params] | None = None,
    before: Remembered | None = None,
) -> StepResult:
    """Mixes the neighbours' models into the own one, re-estimates norm statistics, evaluates.

    Args:
        neighbours: params by site index. Decode them with `allow_non_finite`: a model that is not finite, or whose moments are not or
            cannot be, is left out here, its weight goes to the own model, and it is named in `rejected`.
        weights: the site's row of W by site index; must hold the own index and every neighbour.
        moments: by site index, own and neighbours, for methods that merge by them.
        before: what the last merge left, for methods that remember something; None at the first.

    Raises:
        Cancelled. NonFiniteParams: the own model, or its moments.
    """
    finite(context, own)
    moments = moments or {}
    finite(context, moments.get(context.site_index, {}))
    rejected: dict[int, str] = {}
    for j in sorted(neighbours):
        if first_non_finite(neighbours[j]) or first_non_finite(moments.get(j, {})):
            rejected[j] = NonFiniteParams.code
        elif method in SUMMED and SUMMED[method].first_impossible(moments.get(j, {})):
            rejected[j] = SumsImpossible.code
    models = {j: params for j, params in neighbours.items() if j not in rejected}
    models[context.site_index] = own
    kept = {j: weights[j] for j in models}
    kept[context.site_index] += sum(weights[j] for j in rejected)
    inputs = replace(
        merge_inputs(context, rows, merge, models, kept),
        moments={j: moments[j] for j in models if j in moments},
        before=before,
    )
    merged = METHODS[method](inputs)
    if merge.warm_start and method in WARM_METHODS:
        last = before.momentum if before is not None else None
        kept_units = warm_start.remembered(inputs.spec, context.num_sites, last, merged.permutations)
        merged = replace(merged, momentum=kept_units)
    return replace(settled(context, rows, inputs.model, merged), rejected=rejected)


def settled(context: StepContext, rows: SiteRows, model: nn.Module, merged: Merged) -> StepResult:
    """A merged model on its site: norm statistics re-estimated, and measured."""
    context.on_progress(0.8)
    stop_if_asked(context)
    load(model, merged.params)
    here = rows.on(context.device)
    rng = torch_rng(context.seed, "normalisation", context.site_index, context.round)
    reset_statistics(model, _sample(here.train_x, len(here.train_x), rng))
    return StepResult(
        params=finite(context, params_of(model)),
        metrics=measure(model, here, has_all_site(context), context.last_loss),
        matches=tuple(
            NeighbourMatch(j, merged.matches[j], units_of(merged.permutations[j]))
            for j in sorted(merged.matches)
        ),
        momentum=merged.momentum,
    )


def units_of(permutations: Permutations) -> NDArray[np.int64]:
    """(U,) of all groups in the order of the forward pass, units numbered throughout."""
    parts, num_units = [], 0
    for permutation in permutations.values():
        parts.append(permutation.numpy() + num_units)
        num_units += len(permutation)
    return np.concatenate([np.empty(0, np.int64), *parts])


def merge_inputs(
    context: StepContext,
    rows: SiteRows,
    merge: MergeSpec,
    models: Mapping[int, Params],
    weights: Mapping[int, float],
) -> MergeInputs:
    """The probe is drawn anew every round: a fixed one would tie all merges to the same few rows."""
    stop_if_asked(context)
    model = empty_model(context.model, rows.shape, rows.num_outputs)
    rng = torch_rng(context.seed, "probe", context.site_index, context.round)
    return MergeInputs(
        model=model.to(context.device),
        spec=symmetries(context.model, rows.shape, rows.num_outputs),
        site=context.site_index,
        models=models,
        weights=weights,
        probe=_sample(rows.train_x, merge.probe.rows, rng).to(context.device),
        settings=merge,
    )


def _sample(x: Tensor, num_rows: int, rng: torch.Generator) -> Tensor:
    """`num_rows` rows (all, if there are fewer) in random order."""
    return x[torch.randperm(len(x), generator=rng)[:num_rows].to(x.device)]
