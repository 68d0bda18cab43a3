"""The steps of a run as pure functions: `prepare`, `align`, `merge`, `train`, `evaluate`.

A worker and `simulate` call these same functions with the same values, and that is why a distributed
run ends in the same bits. They read no file, no clock and no global state; the caller sets one torch
thread and deterministic algorithms. No argument is changed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from dimat.errors import NonFiniteParams
from dimat.matching.found import GroupMatch
from dimat.merging import common_basis, fisher, gram
from dimat.merging.mix import MergeInputs
from dimat.merging.normalisation import reset_statistics
from dimat.merging.registry import METHODS
from dimat.models.registry import empty_model, initial_params, load, params_of
from dimat.models.symmetries import symmetries
from dimat.params import Layout, Params, first_non_finite, layout_of
from dimat.parts import EvaluationSpec, Loss, MergeSpec, Method, ModelSpec, Moments, TrainSpec
from dimat.rows import SiteRows
from dimat.training import local
from dimat.training.evaluate import Metrics, measure
from dimat.training.local import Cancelled
from dimat.training.seeding import torch_rng

__all__ = [
    "Cancelled", "Metrics", "NeighbourMatch", "StepContext", "StepResult",
    "align", "evaluate", "layout", "merge", "moments_layout", "momentum_layout", "prepare", "train",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class StepContext:
    """Where and when a step runs.

    Attributes:
        seed: of the run. round: 0 for prepare and align. rounds: of the pilot.
        site_index: place of the site in the pilot's list; all randomness and order come from it.
        site_name: used in messages only. num_sites: of the pilot.
        model, evaluation: parts of the pilot's spec. last_loss: see `Schedule.last_loss`.
        device: torch device of the computation; params always come back on the CPU.
        should_stop: asked often; when true the step ends with `Cancelled`.
        on_progress: told the share of the step that is done, 0..1.
    """

    seed: int
    round: int
    rounds: int
    site_index: int
    site_name: str
    num_sites: int
    model: ModelSpec
    evaluation: EvaluationSpec
    last_loss: Loss = "cross_entropy"
    device: str = "cpu"
    should_stop: Callable[[], bool] = local.never
    on_progress: Callable[[float], None] = local.ignore


@dataclass(frozen=True, slots=True)
class NeighbourMatch:
    """How well the units of one neighbour were matched (for `align`: the own units to the parent's)."""

    site_index: int
    groups: tuple[GroupMatch, ...]


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step made.

    Attributes:
        params: the site's model after the step; None for `evaluate`, which changes nothing.
        metrics: accuracies of this model; None for `prepare` and `align` (an `evaluate` step follows).
        matches: by neighbour, ascending; empty where nothing was matched.
        rejected: indices of neighbours whose model was not finite and was left out of this merge.
        train_loss: mean over the last epoch; None where nothing was trained.
        num_epochs: epochs trained in this step.
        momentum: what the optimiser, or a merge by `slowmo`, remembers; None unless a later round goes on with it.
        moments: see `merging.gram` and `merging.fisher`; None unless the next merge needs them.
    """

    params: Params | None = None
    metrics: Metrics | None = None
    matches: tuple[NeighbourMatch, ...] = ()
    rejected: tuple[int, ...] = ()
    train_loss: float | None = None
    num_epochs: int = 0
    momentum: Params | None = None
    moments: Params | None = None


def layout(model: ModelSpec, rows: SiteRows) -> Layout:
    """Names, shapes and dtypes of the model's params: what `wire.codec.decode` checks against."""
    return layout_of(empty_model(model, rows.shape, rows.num_classes).state_dict())


def momentum_layout(model: ModelSpec, rows: SiteRows) -> Layout:
    """The same for what an optimiser remembers: one tensor for each trained parameter."""
    return layout_of(dict(empty_model(model, rows.shape, rows.num_classes).named_parameters()))


def moments_layout(model: ModelSpec, rows: SiteRows, kind: Moments) -> Layout:
    """The same for second moments."""
    if kind == "fisher":
        return fisher.layout(empty_model(model, rows.shape, rows.num_classes))
    return gram.layout(*_hidden_readers(model, rows))


def prepare(context: StepContext, rows: SiteRows, train: TrainSpec) -> StepResult:
    """The site's start model: initialised and trained alone for `warmup_epochs`.

    The learning rate of warm-up epoch e of E is `cosine(warmup_lr, e / E)`. With init `common` all
    sites start from the same values, but each trains on its own rows.

    Raises:
        Cancelled. NonFiniteParams: training diverged.
    """
    model = empty_model(context.model, rows.shape, rows.num_classes)
    owner = "common" if train.init == "common" else context.site_index
    initial_params(model, torch_rng(context.seed, "init", owner))
    how = _pass(
        rows, train, train.warmup_epochs, lambda e: local.cosine(train.warmup_lr, e / train.warmup_epochs)
    )
    trained = _train(context, rows, model, how, torch_rng(context.seed, "warm-up", context.site_index))
    return StepResult(
        params=_finite(context, params_of(model)), train_loss=trained.loss, num_epochs=how.epochs
    )


def align(
    context: StepContext,
    rows: SiteRows,
    merge: MergeSpec,
    own: Params,
    parent: tuple[int, Params] | None,
    tell: Moments | None = None,
) -> StepResult:
    """The site's model in its parent's basis; what it computes does not change.

    Args:
        tell: also the second moments that a merge of the next round needs.
        parent: index and aligned params of the parent in the spanning tree; None for its root,
            whose model stays as it is.

    Raises:
        Cancelled. NonFiniteParams: the own model. A parent that is not finite is rejected: the site
        keeps its own basis.
    """
    _finite(context, own)
    if parent is None:
        return StepResult(params=dict(own), moments=_moments(context, rows, own, tell))
    index, params = parent
    if first_non_finite(params):
        return StepResult(params=dict(own), rejected=(index,), moments=_moments(context, rows, own, tell))
    models, weights = {context.site_index: own, index: params}, {context.site_index: 1.0, index: 0.0}
    aligned, quality = common_basis.align(_inputs(context, rows, merge, models, weights), index)
    moments = _moments(context, rows, aligned, tell)
    return StepResult(params=aligned, matches=(NeighbourMatch(index, quality),), moments=moments)


def merge(
    context: StepContext,
    rows: SiteRows,
    merge: MergeSpec,
    method: Method,
    own: Params,
    neighbours: Mapping[int, Params],
    weights: Mapping[int, float],
    moments: Mapping[int, Params] | None = None,
    before: tuple[Params, Params] | None = None,
) -> StepResult:
    """Mixes the neighbours' models into the own one, re-estimates norm statistics, evaluates.

    Args:
        neighbours: params by site index. Decode them with `allow_non_finite`: a model that is not finite
            is left out here, its weight goes to the own model, and it is named in `rejected`.
        weights: the site's row of W by site index; must hold the own index and every neighbour.
        moments: by site index, own and neighbours, for methods that merge by them.
        before: the own model and slow momentum that the last merge made, for `slowmo`; None at its first.

    Raises:
        Cancelled. NonFiniteParams: the own model.
    """
    _finite(context, own)
    moments = moments or {}
    rejected = tuple(
        j
        for j in sorted(neighbours)
        if first_non_finite(neighbours[j]) or first_non_finite(moments.get(j, {}))
    )
    models = {j: params for j, params in neighbours.items() if j not in rejected}
    models[context.site_index] = own
    kept = {j: weights[j] for j in models}
    kept[context.site_index] += sum(weights[j] for j in rejected)
    inputs = replace(
        _inputs(context, rows, merge, models, kept),
        moments={j: moments[j] for j in models if j in moments},
        before=before,
    )
    merged = METHODS[method](inputs)
    context.on_progress(0.8)
    _stop_if_asked(context)
    model = load(inputs.model, merged.params)
    here = rows.on(context.device)
    rng = torch_rng(context.seed, "normalisation", context.site_index, context.round)
    reset_statistics(model, _sample(here.train_x, len(here.train_x), rng))
    return StepResult(
        params=_finite(context, params_of(model)),
        metrics=measure(model, here, _has_all_site(context), context.last_loss),
        matches=tuple(NeighbourMatch(j, merged.matches[j]) for j in sorted(merged.matches)),
        rejected=rejected,
        momentum=merged.momentum,
    )


def train(
    context: StepContext,
    rows: SiteRows,
    train: TrainSpec,
    own: Params,
    momentum: Params | None = None,
    tell: Moments | None = None,
) -> StepResult:
    """Local epochs of one round, then evaluation. The learning rate of epoch e of E in round r of R is
    `cosine(lr, (r - 1 + e / E) / R)`.

    Args:
        momentum: with which the optimiser goes on; None: it starts afresh. tell: see `align`.

    Raises:
        Cancelled. NonFiniteParams: training diverged.
    """
    model = load(empty_model(context.model, rows.shape, rows.num_classes), own)
    start = context.round - 1
    how = _pass(
        rows,
        train,
        train.epochs,
        lambda e: local.cosine(train.lr, (start + e / train.epochs) / context.rounds),
    )
    rng = torch_rng(context.seed, "train", context.site_index, context.round)
    trained = _train(context, rows, model, how, rng, momentum)
    params = _finite(context, params_of(model))
    is_last = context.round == context.rounds
    return StepResult(
        params=params,
        metrics=measure(model, rows.on(context.device), _has_all_site(context), train.loss),
        train_loss=trained.loss,
        num_epochs=how.epochs,
        momentum=trained.momentum or None if train.keep_momentum and not is_last else None,
        moments=_moments(context, rows, params, tell),
    )


def evaluate(context: StepContext, rows: SiteRows, own: Params) -> StepResult:
    """Accuracies of the site's model as it is."""
    _stop_if_asked(context)
    model = load(empty_model(context.model, rows.shape, rows.num_classes), own).to(context.device)
    return StepResult(
        metrics=measure(model, rows.on(context.device), _has_all_site(context), context.last_loss)
    )


def _pass(rows: SiteRows, train: TrainSpec, epochs: int, lr_of: Callable[[int], float]) -> local.Pass:
    return local.Pass(
        epochs=epochs,
        lr_of=lr_of,
        batch_size=train.batch_size,
        momentum=train.momentum,
        weight_decay=train.weight_decay,
        grad_clip=train.grad_clip,
        log_prior_C=rows.log_prior() if train.loss == "balanced_softmax" else None,
    )


def _train(
    context: StepContext,
    rows: SiteRows,
    model: nn.Module,
    how: local.Pass,
    rng: torch.Generator,
    momentum: Params | None = None,
) -> local.Trained:
    _stop_if_asked(context)
    here = rows.on(context.device)
    model.to(context.device)
    return local.train(
        model, here.train_x, here.train_y, how, rng, context.should_stop, context.on_progress, momentum
    )


def _moments(context: StepContext, rows: SiteRows, params: Params, wanted: Moments | None) -> Params | None:
    if wanted is None:
        return None
    if wanted == "fisher":
        here = rows.on(context.device)
        net = load(empty_model(context.model, rows.shape, rows.num_classes), params).to(context.device)
        return fisher.fisher(net, here.train_x, here.train_y)
    model, layers = _hidden_readers(context.model, rows)
    return gram.gram(load(model, params).to(context.device), layers, rows.train_x.to(context.device))


def _hidden_readers(spec: ModelSpec, rows: SiteRows) -> tuple[nn.Module, tuple[str, ...]]:
    model = empty_model(spec, rows.shape, rows.num_classes)
    return model, gram.layers_of(model, symmetries(spec, rows.shape, rows.num_classes))


def _inputs(
    context: StepContext,
    rows: SiteRows,
    merge: MergeSpec,
    models: Mapping[int, Params],
    weights: Mapping[int, float],
) -> MergeInputs:
    """The probe is drawn anew every round: a fixed one would tie all merges to the same few rows."""
    _stop_if_asked(context)
    model = empty_model(context.model, rows.shape, rows.num_classes)
    rng = torch_rng(context.seed, "probe", context.site_index, context.round)
    return MergeInputs(
        model=model.to(context.device),
        spec=symmetries(context.model, rows.shape, rows.num_classes),
        site=context.site_index,
        models=models,
        weights=weights,
        probe=_sample(rows.train_x, merge.probe.rows, rng).to(context.device),
        settings=merge,
    )


def _sample(x: Tensor, num_rows: int, rng: torch.Generator) -> Tensor:
    """`num_rows` rows (all, if there are fewer) in random order."""
    return x[torch.randperm(len(x), generator=rng)[:num_rows].to(x.device)]


def _finite(context: StepContext, params: Params) -> Params:
    if name := first_non_finite(params):
        raise NonFiniteParams(site=context.site_name, tensor=name)
    return params


def _stop_if_asked(context: StepContext) -> None:
    if context.should_stop():
        raise Cancelled


def _has_all_site(context: StepContext) -> bool:
    return context.evaluation.all_site == "shared_set"
