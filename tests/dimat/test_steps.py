"""Each step by itself."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from dimat import steps
from dimat.data_spec import ColumnPartition, ConditionShift, DataSpec, IidPartition
from dimat.errors import ModelMismatch, NonFiniteParams
from dimat.model_spec import CnnSpec
from dimat.models.registry import empty_model, load, params_of
from dimat.params import Params
from dimat.parts import EvaluationSpec, MergeSpec, ProbeSpec, TrainSpec
from dimat.rows import SiteRows, Table, all_site_rows
from dimat.steps import Cancelled, StepContext
from dimat.training import local
from dimat.training.local import cosine
from dimat.training.scores import reweighted
from dimat.training.seeding import torch_rng

MakeContext = Callable[..., StepContext]
Rows = tuple[SiteRows, ...]
TRAIN = TrainSpec(warmup_epochs=3, epochs=2)
MERGE = MergeSpec(probe=ProbeSpec(rows=40))


def start(rows: Rows, make_context: MakeContext, site: int = 0, train: TrainSpec = TRAIN) -> Params:
    made = steps.prepare(make_context(round=0, site_index=site), rows[site], train).params
    assert made is not None
    return made


def same(a: Params | None, b: Params | None) -> bool:
    return a is not None and b is not None and all(torch.equal(a[name], b[name]) for name in a)


def broken(params: Params) -> Params:
    return {**params, "head.bias": torch.full_like(params["head.bias"], torch.nan)}


def test_prepare_is_repeatable_and_differs_between_sites_and_seeds(
    site_rows: Rows, make_context: MakeContext
) -> None:
    own = start(site_rows, make_context)
    assert same(own, start(site_rows, make_context))
    assert not same(own, start(site_rows, make_context, site=1))
    other = steps.prepare(make_context(round=0, seed=4), site_rows[0], TRAIN).params
    assert not same(own, other)


@pytest.mark.parametrize(("init", "equal"), [("common", True), ("different", False)])
def test_common_init_starts_all_sites_from_one_model(
    init: str, equal: bool, site_rows: Rows, make_context: MakeContext
) -> None:
    untrained = TrainSpec.model_validate({"init": init, "warmup_epochs": 0})
    first, second = (start(site_rows, make_context, site, untrained) for site in (0, 1))
    assert same(first, second) is equal


def test_training_lowers_the_loss_and_learns(site_rows: Rows, make_context: MakeContext) -> None:
    own = start(site_rows, make_context, train=TrainSpec(warmup_epochs=0))
    before = steps.evaluate(make_context(), site_rows[0], own).metrics
    short = steps.train(make_context(), site_rows[0], TrainSpec(epochs=1), own)
    long = steps.train(make_context(), site_rows[0], TrainSpec(epochs=20), own)
    assert before is not None
    assert long.metrics is not None
    assert long.metrics.own_site > before.own_site + 0.2
    assert short.train_loss is not None
    assert long.train_loss is not None
    assert long.train_loss < short.train_loss
    assert long.num_epochs == 20


def test_a_round_depends_on_its_number(site_rows: Rows, make_context: MakeContext) -> None:
    own = start(site_rows, make_context)
    first, again, second = (
        steps.train(make_context(round=r), site_rows[0], TRAIN, own).params for r in (1, 1, 2)
    )
    assert same(first, again)
    assert not same(first, second)


def test_learning_rate_falls_to_a_tenth() -> None:
    rates = [cosine(0.02, progress) for progress in (0, 0.25, 0.5, 0.75, 1)]
    assert rates[0] == 0.02
    assert rates[2] == pytest.approx(0.011)
    assert rates[4] == pytest.approx(0.002)
    assert rates == sorted(rates, reverse=True)


def test_diverged_training_names_the_site(site_rows: Rows, make_context: MakeContext) -> None:
    # Weight decay times learning rate above 2 makes every step larger than the one before.
    wild = TrainSpec(warmup_epochs=30, warmup_lr=10.0, weight_decay=1.0)
    with pytest.raises(NonFiniteParams, match="model of site 'a' diverged"):
        steps.prepare(make_context(round=0), site_rows[0], wild)


def test_cancel_is_heard_within_one_batch(site_rows: Rows, make_context: MakeContext) -> None:
    progress: list[float] = []
    context = make_context(should_stop=lambda: len(progress) >= 3, on_progress=progress.append)
    own = start(site_rows, make_context)
    with pytest.raises(Cancelled):
        steps.train(context, site_rows[0], TrainSpec(epochs=50, batch_size=10), own)
    assert len(progress) == 3


def test_progress_rises_to_one(site_rows: Rows, make_context: MakeContext) -> None:
    progress: list[float] = []
    steps.prepare(make_context(round=0, on_progress=progress.append), site_rows[0], TRAIN)
    assert progress == sorted(progress)
    assert progress[-1] == 1.0


def test_align_changes_the_order_of_units_and_not_the_function(
    site_rows: Rows, make_context: MakeContext
) -> None:
    own, parent = start(site_rows, make_context), start(site_rows, make_context, 1)
    aligned = steps.align(make_context(round=0), site_rows[0], MERGE, own, (1, parent))
    assert aligned.params is not None
    assert not same(own, aligned.params)
    assert [match.site_index for match in aligned.matches] == [1]
    before, after = (steps.evaluate(make_context(), site_rows[0], p).metrics for p in (own, aligned.params))
    assert before == after
    root = steps.align(make_context(round=0), site_rows[0], MERGE, own, None)
    assert same(root.params, own)


def test_training_goes_on_from_an_aligned_model_as_if_nothing_had_moved(
    site_rows: Rows, make_context: MakeContext
) -> None:
    kept = TrainSpec(keep_momentum=True)
    context = make_context(rounds=9)
    left = steps.train(context, site_rows[0], kept, start(site_rows, make_context))
    assert left.params is not None
    assert left.momentum is not None
    parent = start(site_rows, make_context, 1)
    aligned = steps.align(
        make_context(round=2), site_rows[0], MERGE, left.params, (1, parent), momentum=left.momentum
    )
    assert aligned.params is not None
    assert not same(left.params, aligned.params)
    there, here = (
        steps.train(make_context(round=2, rounds=9), site_rows[0], kept, one.params or {}, one.momentum)
        for one in (left, aligned)
    )
    assert here.train_loss == pytest.approx(there.train_loss, rel=1e-5)
    root = steps.align(make_context(round=2), site_rows[0], MERGE, left.params, None, momentum=left.momentum)
    assert same(root.momentum, left.momentum)


def test_neighbour_that_is_not_finite_is_left_out_and_recorded(
    site_rows: Rows, make_context: MakeContext
) -> None:
    own, near = start(site_rows, make_context), start(site_rows, make_context, 1)
    context = make_context()
    with_broken = steps.merge(
        context, site_rows[0], MERGE, "dimat", own, {1: near, 3: broken(near)}, {0: 0.5, 1: 0.2, 3: 0.3}
    )
    without = steps.merge(context, site_rows[0], MERGE, "dimat", own, {1: near}, {0: 0.8, 1: 0.2})
    assert with_broken.rejected == {3: "non_finite_params"}
    assert same(with_broken.params, without.params)
    alone = steps.align(make_context(round=0), site_rows[0], MERGE, own, (1, broken(near)))
    assert alone.rejected == {1: "non_finite_params"}
    assert same(alone.params, own)


def test_own_model_that_is_not_finite_stops_the_merge(site_rows: Rows, make_context: MakeContext) -> None:
    own = broken(start(site_rows, make_context))
    with pytest.raises(NonFiniteParams, match=r"'a' diverged: 'head\.bias'"):
        steps.merge(make_context(), site_rows[0], MERGE, "dimat", own, {}, {0: 1.0})


def test_own_site_accuracy_weighs_classes_as_the_site_sees_them() -> None:
    correct, count = np.array([8, 2, 0]), np.array([10, 10, 0])
    assert reweighted(correct, count, np.array([0.25, 0.75, 0.0])) == pytest.approx(0.35)
    assert reweighted(correct, count, np.array([0.4, 0.4, 0.2])) == pytest.approx(0.5)


def test_all_site_accuracy_of_natural_groups_is_the_mean_of_what_each_counts_as_its_own(
    table: Table, make_context: MakeContext
) -> None:
    """Of one model, at whatever site it is judged; the groups differ in size."""
    people = Table(table.x, table.y, 10, {"person": np.repeat(np.arange(4), [100, 200, 300, 600])})
    data = DataSpec(partition=ColumnPartition(column="person"), shift=ConditionShift(rotation=0))
    rows = all_site_rows(people, data, ("a", "b", "c", "d"), seed=3)
    model = steps.prepare(make_context(), rows[3], TrainSpec(warmup_epochs=2)).params
    assert model is not None
    found = [steps.evaluate(make_context(), one, model).metrics for one in rows]
    own = [metrics.own_site for metrics in found if metrics is not None]
    assert len({round(value, 3) for value in own}) == 4
    assert {round(metrics.all_site or 0, 9) for metrics in found if metrics} == {
        round(float(np.mean(own)), 9)
    }


def test_under_conditions_of_its_own_a_site_is_judged_by_them(
    images: Table, make_context: MakeContext
) -> None:
    """Its images are turned, those of others are turned otherwise."""
    shift = ConditionShift(rotation=180, contrast=1, brightness=0, noise=0)
    data = DataSpec(rows_per_site=30, partition=IidPartition(), shift=shift)
    rows = all_site_rows(images, data, ("a", "b", "c", "d"), seed=3)
    model = steps.prepare(make_context(), rows[0], TrainSpec(warmup_epochs=60)).params
    assert model is not None
    at_home, away = (steps.evaluate(make_context(), rows[site], model).metrics for site in (0, 1))
    assert at_home is not None
    assert away is not None
    assert at_home.all_site is not None
    assert at_home.own_site > at_home.all_site + 0.2
    assert at_home.own_site > away.own_site + 0.2
    assert at_home.all_site == away.all_site


def test_all_site_accuracy_is_absent_where_the_pilot_has_none(
    site_rows: Rows, make_context: MakeContext
) -> None:
    context = make_context(evaluation=EvaluationSpec(all_site="none"))
    metrics = steps.evaluate(context, site_rows[0], start(site_rows, make_context)).metrics
    assert metrics is not None
    assert metrics.all_site is None
    assert 0 <= metrics.own_site <= 1


def test_convolutions_merge_better_with_statistics_of_the_merged_model(
    image_rows: Rows, make_context: MakeContext
) -> None:
    contexts = [make_context(model=CnnSpec(width=8), site_index=i, num_sites=2) for i in (0, 1)]
    models: Mapping[int, Params] = {
        i: steps.prepare(contexts[i], image_rows[i], TrainSpec(warmup_epochs=6)).params or {} for i in (0, 1)
    }
    merged = steps.merge(
        contexts[0], image_rows[0], MERGE, "dimat", models[0], {1: models[1]}, {0: 0.5, 1: 0.5}
    )
    assert merged.params is not None
    assert not torch.equal(merged.params["norm1.running_mean"], models[0]["norm1.running_mean"])
    assert merged.metrics is not None
    assert merged.metrics.all_site is not None
    assert merged.metrics.all_site > 0.5


def test_rows_that_the_model_cannot_take_are_named(site_rows: Rows, make_context: MakeContext) -> None:
    with pytest.raises(ModelMismatch, match=r"'cnn' needs images .* \(16,\)"):
        steps.prepare(make_context(model=CnnSpec()), site_rows[0], TRAIN)


def test_momentum_that_is_handed_on_makes_two_trainings_one(
    site_rows: Rows, make_context: MakeContext
) -> None:
    rows, own = site_rows[0], start(site_rows, make_context)

    def model() -> nn.Module:
        return load(empty_model(make_context().model, rows.shape, rows.num_outputs), own)

    def trained(
        model: nn.Module, epochs: int, rng: torch.Generator, momentum: Params | None = None
    ) -> local.Trained:
        how = local.Pass(epochs, lambda _: 0.05, 16, 0.9, 5e-4, 2.0)
        return local.train(
            model, rows.train_x, rows.train_y, how, rng, lambda: False, lambda _: None, momentum
        )

    at_once, in_two, forgetful = model(), model(), model()
    trained(at_once, 2, torch_rng(1, "t"))
    rng = torch_rng(1, "t")
    trained(in_two, 1, rng, trained(in_two, 1, rng).momentum)
    rng = torch_rng(1, "t")
    trained(forgetful, 1, rng)
    trained(forgetful, 1, rng)
    assert same(params_of(at_once), params_of(in_two))
    assert not same(params_of(at_once), params_of(forgetful))


def test_momentum_is_kept_for_the_next_round_only_where_there_is_one(
    site_rows: Rows, make_context: MakeContext
) -> None:
    own, keeping = start(site_rows, make_context), TrainSpec(keep_momentum=True)
    first = steps.train(make_context(round=1, rounds=2), site_rows[0], keeping, own).momentum
    assert first is not None
    assert {name: tuple(t.shape) for name, t in first.items()} == {
        name: shape for name, (shape, _) in steps.momentum_layout(make_context().model, site_rows[0]).items()
    }
    assert steps.train(make_context(round=2, rounds=2), site_rows[0], keeping, own).momentum is None
    assert steps.train(make_context(round=1, rounds=2), site_rows[0], TrainSpec(), own).momentum is None


def test_balanced_softmax_is_blind_to_the_class_mix_that_training_sees(
    site_rows: Rows, make_context: MakeContext
) -> None:
    """Without features that tell classes apart only the mix is left to learn: cross-entropy learns it, balanced softmax not."""
    rows = site_rows[0]
    blind = replace(rows, train_x=torch.zeros_like(rows.train_x))

    def logits(loss: str) -> torch.Tensor:
        train = TrainSpec.model_validate({"epochs": 60, "lr": 0.1, "weight_decay": 0.0, "loss": loss})
        own = start(site_rows, make_context, train=TrainSpec(warmup_epochs=0))
        params = steps.train(make_context(rounds=1), blind, train, own).params
        assert params is not None
        model = load(empty_model(make_context().model, rows.shape, rows.num_outputs), params)
        return model(blind.train_x[:1])[0].detach()  # type: ignore[no-any-return]

    prior = rows.targets.log_prior()
    plain, balanced = logits("cross_entropy"), logits("balanced_softmax")
    assert torch.corrcoef(torch.stack([plain, prior]))[0, 1] > 0.95
    assert plain.std() > 1
    assert balanced.std() < plain.std() / 3


def test_a_site_adds_its_own_mix_to_a_balanced_model_for_its_own_cases(
    site_rows: Rows, make_context: MakeContext
) -> None:
    own = start(site_rows, make_context)
    plain = steps.evaluate(make_context(), site_rows[0], own).metrics
    balanced = steps.evaluate(make_context(last_loss="balanced_softmax"), site_rows[0], own).metrics
    assert plain is not None
    assert balanced is not None
    assert balanced.all_site == plain.all_site
    assert balanced.own_site != plain.own_site


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (lambda t: torch.full_like(t, torch.inf), "non_finite_params"),
        (lambda t: t - 2 * t.diagonal().diag(), "sums_impossible"),
    ],
    ids=["not finite", "squares below 0"],
)
def test_second_moments_that_cannot_be_are_a_reason_to_refuse_their_model(
    broken: Callable[[torch.Tensor], torch.Tensor], why: str, site_rows: Rows, make_context: MakeContext
) -> None:
    models = [start(site_rows, make_context, site) for site in (0, 1, 2)]
    grams = {}
    for j, params in enumerate(models):
        made = steps.align(
            make_context(round=0, site_index=j), site_rows[j], MERGE, params, None, tell="gram"
        ).moments
        assert made is not None
        grams[j] = made
    grams[2] = {name: broken(t) for name, t in grams[2].items()}
    weights = {0: 0.2, 1: 0.3, 2: 0.5}
    merged = steps.merge(
        make_context(),
        site_rows[0],
        MERGE,
        "regmean",
        models[0],
        {1: models[1], 2: models[2]},
        weights,
        grams,
    )
    without = steps.merge(
        make_context(), site_rows[0], MERGE, "regmean", models[0], {1: models[1]}, {0: 0.7, 1: 0.3}, grams
    )
    assert merged.rejected == {2: why}
    assert same(merged.params, without.params)


def test_what_a_site_trains_alone_is_what_it_would_have_without_any_merge(
    site_rows: Rows, make_context: MakeContext
) -> None:
    own, other = start(site_rows, make_context), start(site_rows, make_context, site=1)
    kept = TRAIN.model_copy(update={"keep_momentum": True})
    never_merged = steps.train(make_context(), site_rows[0], kept, own)
    told: list[float] = []
    both = steps.train(
        make_context(on_progress=told.append), site_rows[0], kept, other, alone=steps.Alone(own)
    )
    assert both.alone is not None
    assert same(both.alone.params, never_merged.params)
    assert same(both.alone.momentum, never_merged.momentum)
    assert same(both.params, steps.train(make_context(), site_rows[0], kept, other).params)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_a_site_asks_its_own_model_for_its_own_cases_only(site_rows: Rows, make_context: MakeContext) -> None:
    own = start(site_rows, make_context)
    stranger = {name: torch.zeros_like(value) for name, value in own.items()}  # it answers at random
    still = TrainSpec(epochs=0)
    without = steps.train(make_context(), site_rows[0], still, stranger).metrics
    beside = steps.train(make_context(), site_rows[0], still, stranger, alone=steps.Alone(own)).metrics
    alone = steps.train(make_context(), site_rows[0], still, own).metrics
    assert without is not None
    assert beside is not None
    assert alone is not None
    assert (without.alone_share, beside.alone_share) == (None, 1.0)
    assert (beside.own_site, beside.validation) == (alone.own_site, alone.validation)
    assert beside.all_site == without.all_site
