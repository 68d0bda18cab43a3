"""Training at one site: when it ends, what a row counts, and how it lies in memory meanwhile."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dimat import steps
from dimat.model_spec import CnnSpec, ResNet20Spec
from dimat.models.registry import empty_model, load, params_of
from dimat.params import Params
from dimat.parts import TrainSpec
from dimat.rows import SiteRows
from dimat.steps import StepContext
from dimat.training import local
from dimat.training.checkpoint import Checkpoint
from dimat.training.loss import CROSS_ENTROPY
from dimat.training.seeding import torch_rng
from dimat.training.stopping import Stopping, held_out_loss

MakeContext = Callable[..., StepContext]
Rows = tuple[SiteRows, ...]


def same(a: Params | None, b: Params | None) -> bool:
    return a is not None and b is not None and all(torch.equal(a[name], b[name]) for name in a)


def trained(
    rows: SiteRows, context: StepContext, epochs: int, stopping: Stopping | None = None
) -> tuple[Params, local.Trained]:
    """At a rate at which the model soon learns its 60 rows by heart."""
    own = steps.prepare(replace(context, round=0), rows, TrainSpec(warmup_epochs=1)).params
    assert own is not None
    model = load(empty_model(context.model, rows.shape, rows.num_outputs), own)
    how = local.Pass(epochs, lambda _: 0.2, 16, 0.9, 0.0, 10.0, stopping=stopping)
    told = local.train(model, rows.train_x, rows.train_y, how, torch_rng(1, "t"))
    return params_of(model), told


def unsure(rows: SiteRows) -> Stopping:
    """Validation rows of which a part is labelled wrongly: whoever is too sure of itself pays for it."""
    x, y = torch.cat([rows.train_x] * 2), torch.cat([rows.train_y, (rows.train_y + 1) % rows.num_outputs])
    return Stopping(2, x, y)


def test_training_ends_when_validation_no_longer_improves_and_gives_back_the_best_epoch(
    site_rows: Rows, make_context: MakeContext
) -> None:
    rows, context = site_rows[0], make_context()
    stopping = unsure(rows)
    params, told = trained(rows, context, 40, stopping)
    assert 3 <= told.num_epochs < 40
    best = told.num_epochs - stopping.patience
    as_it_was, then = trained(rows, context, best)
    assert same(params, as_it_was)
    assert same(told.momentum, then.momentum)
    assert told.loss == then.loss

    def judged(params: Params) -> float:
        model = load(empty_model(context.model, rows.shape, rows.num_outputs), params)
        return held_out_loss(model, stopping, CROSS_ENTROPY)

    later = [judged(trained(rows, context, epochs)[0]) for epochs in range(1, told.num_epochs + 1)]
    assert min(range(len(later)), key=later.__getitem__) == best - 1


def test_training_that_improves_to_the_end_is_not_cut_short(
    site_rows: Rows, make_context: MakeContext
) -> None:
    rows = site_rows[0]
    gentle = TrainSpec(warmup_epochs=8, warmup_lr=0.003, patience=1)
    seen = replace(rows, validation_x=rows.train_x, validation_y=rows.train_y)
    found = steps.prepare(make_context(round=0), seen, gentle)
    assert found.num_epochs == 8
    assert same(
        found.params,
        steps.prepare(make_context(round=0), seen, gentle.model_copy(update={"patience": None})).params,
    )


def test_progress_rises_to_one_when_training_ends_early(site_rows: Rows, make_context: MakeContext) -> None:
    rows, progress = site_rows[0], list[float]()
    stopping = unsure(rows)
    misled = replace(rows, validation_x=stopping.x, validation_y=stopping.y)
    context = make_context(round=0, on_progress=progress.append)
    found = steps.prepare(context, misled, TrainSpec(warmup_epochs=60, warmup_lr=0.2, patience=2))
    assert found.num_epochs < 60
    assert progress == sorted(progress)
    assert progress[-1] == 1.0


def test_test_rows_have_no_say_in_when_training_ends(site_rows: Rows, make_context: MakeContext) -> None:
    rows, train = site_rows[0], TrainSpec(warmup_epochs=30, warmup_lr=0.2, epochs=9, lr=0.2, patience=1)
    other = replace(rows, test_x=torch.zeros_like(rows.test_x))
    own = steps.prepare(make_context(round=0), rows, train).params
    assert own is not None
    assert same(own, steps.prepare(make_context(round=0), other, train).params)
    once, again = (steps.train(make_context(), each, train, own) for each in (rows, other))
    assert once.num_epochs == again.num_epochs < 9
    assert same(once.params, again.params)


@pytest.mark.parametrize("changes", [{"patience": 0}, {"patience": 3, "epochs": 1}])
def test_where_there_is_nothing_to_choose_training_is_as_without_patience(
    changes: dict[str, int], site_rows: Rows, make_context: MakeContext
) -> None:
    own = steps.prepare(make_context(round=0), site_rows[0], TrainSpec(warmup_epochs=1)).params
    assert own is not None
    train = TrainSpec.model_validate({"epochs": 3, **changes})
    with_it, without = (
        steps.train(make_context(), site_rows[0], one, own)
        for one in (train, train.model_copy(update={"patience": None}))
    )
    assert same(with_it.params, without.params)
    assert with_it.num_epochs == train.epochs


@pytest.mark.parametrize("train", [{}, {"loss": "balanced_softmax"}, {"class_weights": "balanced"}])
def test_training_is_judged_by_the_loss_it_makes_smaller(
    train: dict[str, str], site_rows: Rows, make_context: MakeContext
) -> None:
    rows = site_rows[0]
    objective = rows.targets.objective(TrainSpec.model_validate(train), "a")
    own = steps.prepare(make_context(round=0), rows, TrainSpec(warmup_epochs=1)).params
    assert own is not None
    model = load(empty_model(make_context().model, rows.shape, rows.num_outputs), own)
    x, y = rows.train_x.repeat(20, 1), rows.train_y.repeat(20)  # more than go through the model at once
    whole = objective.mean(model(x), y).detach()
    assert held_out_loss(model, Stopping(1, x, y), objective) == pytest.approx(float(whole), rel=1e-5)


class NoNumberAtFirst(torch.nn.Module):
    """Its first judgement is none."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.judged = torch.nn.Linear(4, 2), 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.judged += not self.training
        found: torch.Tensor = self.layer(x)
        return found if self.training or self.judged > 1 else found * torch.nan


def test_an_epoch_whose_loss_is_no_number_is_beaten_by_any_other() -> None:
    x = torch.randn(64, 4, generator=torch_rng(1, "x"))
    y = (x[:, 0] > 0).long()
    how = local.Pass(6, lambda _: 0.1, 16, 0.9, 0.0, 1.0, stopping=Stopping(3, x, y))
    seen: list[float] = []

    def on_epoch(take: Callable[[], Checkpoint]) -> None:
        best = take().best
        assert best is not None
        seen.append(best.held_out_loss)

    told = local.train(NoNumberAtFirst(), x, y, how, torch_rng(1, "t"), on_epoch=on_epoch)
    assert told.num_epochs == 6
    assert seen[0] == math.inf
    assert sorted(seen[1:], reverse=True) == seen[1:]
    assert all(map(math.isfinite, seen[1:]))


@given(num_rows=st.integers(1, 40), batch_size=st.integers(1, 40))
def test_only_a_last_row_that_is_left_over_is_left_out(num_rows: int, batch_size: int) -> None:
    starts = local._batch_starts(num_rows, batch_size)
    taken = [row for start in starts for row in range(start, min(start + batch_size, num_rows))]
    is_left_over = 1 < batch_size < num_rows and num_rows % batch_size == 1
    assert taken == list(range(num_rows - is_left_over))


@given(st.lists(st.integers(0, 30), min_size=2, max_size=6).filter(any))
def test_with_class_weights_all_classes_a_site_holds_count_the_same(counts: list[int]) -> None:
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    empty = torch.zeros(len(labels), 1)
    mix = torch.tensor(counts).double().numpy()
    weights = SiteRows(empty, labels, empty, labels, empty, labels, mix / mix.sum()).targets.weights()
    shares = [n * float(w) for n, w in zip(counts, weights, strict=True) if n]
    assert shares == pytest.approx([sum(shares) / len(shares)] * len(shares), rel=1e-4)
    assert sum(shares) == pytest.approx(len(labels), rel=1e-4)
    assert bool(weights.isfinite().all())


def test_class_weights_keep_the_class_mix_out_of_what_is_learned(
    site_rows: Rows, make_context: MakeContext
) -> None:
    """Without features that tell classes apart only the mix is left to learn."""
    rows = site_rows[0]
    blind = replace(rows, train_x=torch.zeros_like(rows.train_x))
    held = torch.bincount(rows.train_y, minlength=rows.num_outputs) > 0

    def spread(weights: str) -> float:
        own = steps.prepare(make_context(round=0), rows, TrainSpec(warmup_epochs=0)).params
        assert own is not None
        train = TrainSpec.model_validate(
            {"epochs": 60, "lr": 0.1, "weight_decay": 0.0, "class_weights": weights}
        )
        params = steps.train(make_context(rounds=1), blind, train, own).params
        assert params is not None
        model = load(empty_model(make_context().model, rows.shape, rows.num_outputs), params)
        return float(model(blind.train_x[:1])[0][held].detach().std())

    assert spread("balanced") < spread("none") / 3


@pytest.mark.parametrize("model", [CnnSpec(width=4), ResNet20Spec(width=0.25)])
def test_images_with_channels_last_change_time_and_last_bits_only(
    model: CnnSpec | ResNet20Spec, image_rows: Rows, make_context: MakeContext
) -> None:
    rows = image_rows[0]
    start = steps.prepare(make_context(round=0, model=model), rows, TrainSpec(warmup_epochs=0)).params
    assert start is not None

    def after(channels_last: bool) -> Params:
        net = load(empty_model(model, rows.shape, rows.num_outputs), start)
        how = local.Pass(2, lambda _: 0.01, 16, 0.9, 0.0, 2.0, channels_last=channels_last)
        momentum = local.train(net, rows.train_x, rows.train_y, how, torch_rng(1, "t")).momentum
        assert all(tensor.is_contiguous() for tensor in net.state_dict().values())
        return {**params_of(net), **{f"momentum of {name}": t for name, t in momentum.items()}}

    found, plain = after(True), after(False)
    assert same(found, after(True))
    assert all(tensor.is_contiguous() for tensor in found.values())
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, plain[name], rtol=1e-2, atol=1e-3)
