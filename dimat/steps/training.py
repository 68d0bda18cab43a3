"""The steps in which a site works alone: `prepare`, `train`, `evaluate`."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from dimat.methods import Moments
from dimat.models.registry import empty_model, initial_params, load, params_of
from dimat.params import Params
from dimat.parts import TrainSpec
from dimat.rows import SiteRows, check_sides
from dimat.steps.context import (
    Alone,
    StepContext,
    StepResult,
    finite,
    has_all_site,
    moments_of,
    stop_if_asked,
)
from dimat.training import local
from dimat.training.checkpoint import Checkpoint, Underway
from dimat.training.evaluate import measure
from dimat.training.seeding import torch_rng
from dimat.training.stopping import Stopping


def prepare(
    context: StepContext, rows: SiteRows, train: TrainSpec, start: Underway | None = None
) -> StepResult:
    """The site's start model: initialised and trained alone for `warmup_epochs`.

    The learning rate of warm-up epoch e of E is `cosine(warmup_lr, e / E)`. With init `common` all
    sites start from the same values, but each trains on its own rows. start: what an earlier attempt of the same step told
    `on_epoch`.

    Raises:
        Cancelled. NonFiniteParams: training diverged. TooFewRows: none to train on, to decide by or to be judged by.
    """
    check_sides(rows, context.site_name)
    model = empty_model(context.model, rows.shape, rows.num_outputs)
    owner = "common" if train.init == "common" else context.site_index
    initial_params(model, torch_rng(context.seed, "init", owner))
    here = rows.on(context.device)
    how = _pass(
        context,
        here,
        train,
        train.warmup_epochs,
        lambda e: local.cosine(train.warmup_lr, e / train.warmup_epochs),
    )
    rng = torch_rng(context.seed, "warm-up", context.site_index)
    trained = _train(context, here, model, how, rng, start=start.now if start is not None else None)
    return StepResult(
        params=finite(context, params_of(model)), train_loss=trained.loss, num_epochs=trained.num_epochs
    )


def train(
    context: StepContext,
    rows: SiteRows,
    train: TrainSpec,
    own: Params,
    momentum: Params | None = None,
    tell: Moments | None = None,
    alone: Alone | None = None,
    start: Underway | None = None,
) -> StepResult:
    """Local epochs of one round, then evaluation. The learning rate of epoch e of E in round r of R is
    `cosine(lr, (r - 1 + e / E) / R)`.

    Args:
        momentum: with which the optimiser goes on; None: it starts afresh. tell: see `align`.
        alone: the model that the site trains alone, as the round before left it. It is trained on the same rows in the same order, so
            that it becomes what the site would have without any merge.
        start: what an earlier attempt of the same step told `on_epoch`; None: from the first epoch.

    Raises:
        Cancelled. NonFiniteParams: training diverged.
    """
    before, here = context.round - 1, rows.on(context.device)
    how = _pass(
        context,
        here,
        train,
        train.epochs,
        lambda e: local.cosine(train.lr, (before + e / train.epochs) / context.rounds),
    )
    keeps = train.keep_momentum and context.round < context.rounds

    now, ended = (start.now, start.ended) if start is not None else (None, None)

    def go_on(
        part: StepContext, params: Params, momentum: Params | None, from_: Checkpoint | None,
        beside: Checkpoint | None = None,
    ) -> tuple[nn.Module, local.Trained]:  # fmt: skip
        model = load(empty_model(context.model, rows.shape, rows.num_outputs), params)
        rng = torch_rng(context.seed, "train", context.site_index, context.round)
        return model, _train(part, here, model, how, rng, momentum, from_, beside)

    parts = [context] if alone is None else _halves(context)
    if ended is None:
        model, trained = go_on(parts[0], own, momentum, now)
    else:
        model = load(empty_model(context.model, rows.shape, rows.num_outputs), ended.params)
        model, trained = model.to(context.device), local.Trained(ended.loss, ended.momentum, ended.num_epochs)
    params = finite(context, params_of(model))
    result = StepResult(
        params=params,
        train_loss=trained.loss,
        num_epochs=trained.num_epochs,
        momentum=trained.momentum or None if keeps else None,
        moments=moments_of(context, rows, params, tell),
    )
    if alone is None:
        return replace(result, metrics=measure(model, here, has_all_site(context), context.last_loss))
    own_end = None
    if trained.loss is not None:  # it took an epoch
        own_end = Checkpoint(trained.num_epochs, trained.loss, params, trained.momentum)
    from_ = now if ended is not None else None
    beside, trained = go_on(parts[1], alone.params, alone.momentum, from_, own_end)
    left = Alone(finite(context, params_of(beside)), trained.momentum or None if keeps else None)
    metrics = measure(model, here, has_all_site(context), context.last_loss, beside, train.loss)
    return replace(result, metrics=metrics, alone=left)


def _halves(context: StepContext) -> list[StepContext]:
    """Of a step that trains two models: each tells of its half."""
    tell = context.on_progress
    return [
        replace(context, on_progress=lambda done: tell(done / 2)),
        replace(context, on_progress=lambda done: tell((1 + done) / 2)),
    ]


def evaluate(context: StepContext, rows: SiteRows, own: Params) -> StepResult:
    """Accuracies of the site's model as it is."""
    stop_if_asked(context)
    model = load(empty_model(context.model, rows.shape, rows.num_outputs), own).to(context.device)
    return StepResult(
        metrics=measure(model, rows.on(context.device), has_all_site(context), context.last_loss)
    )


def _pass(
    context: StepContext, here: SiteRows, train: TrainSpec, epochs: int, lr_of: Callable[[int], float]
) -> local.Pass:
    stopping = None
    if train.patience and train.seeks_best(epochs):
        stopping = Stopping(train.patience, here.validation_x, here.validation_y)
    return local.Pass(
        epochs=epochs,
        lr_of=lr_of,
        batch_size=train.batch_size,
        momentum=train.momentum,
        weight_decay=train.weight_decay,
        grad_clip=train.grad_clip,
        objective=here.targets.objective(train, context.site_name),
        stopping=stopping,
        # Less time on a processor wherever there are convolutions (docs/results.md).
        channels_last=context.device == "cpu" and context.model.kind != "mlp" and len(here.shape) == 3,
    )


def _train(
    context: StepContext,
    here: SiteRows,
    model: nn.Module,
    how: local.Pass,
    rng: torch.Generator,
    momentum: Params | None = None,
    start: Checkpoint | None = None,
    ended: Checkpoint | None = None,
) -> local.Trained:
    stop_if_asked(context)
    model.to(context.device)

    def on_epoch(take: Callable[[], Checkpoint]) -> None:
        context.on_epoch(lambda: Underway(take(), ended))

    return local.train(
        model, here.train_x, here.train_y, how, rng, context.should_stop, context.on_progress, momentum, start,
        on_epoch,
    )  # fmt: skip
