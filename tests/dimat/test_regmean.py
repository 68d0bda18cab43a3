"""Merging by second moments: what is told of the rows, and what is made of it."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from dimat import told
from dimat.merging import gram, regmean
from dimat.merging.mix import MergeInputs, mix
from dimat.model_spec import CnnSpec, MlpSpec
from dimat.models.registry import empty_model, initial_params, load
from dimat.params import Params
from dimat.parts import MergeSpec
from dimat.permutation import apply
from dimat.permutation.discover import discover
from dimat.permutation.spec import PermutationSpec
from dimat.rows import SiteRows
from dimat.schedule import Schedule, StepKey
from dimat.spec import PilotSpec
from dimat.training.seeding import torch_rng

MLP = MlpSpec(hidden=(12, 8))


def made(seed: int, rows: SiteRows) -> tuple[nn.Module, Params, PermutationSpec]:
    model = empty_model(MLP, rows.shape, rows.num_outputs)
    params = initial_params(model, torch_rng(seed, "init"))
    return model, params, discover(model, rows.shape)


def inputs_of(rows: SiteRows, models: dict[int, Params], grams: dict[int, Params]) -> MergeInputs:
    model, _, spec = made(0, rows)
    weights = {j: 1 / len(models) for j in models}
    return MergeInputs(model, spec, 0, models, weights, rows.train_x, MergeSpec(), grams)


def test_second_moments_are_those_of_the_inputs_and_of_a_one_for_the_bias(
    site_rows: tuple[SiteRows, ...],
) -> None:
    rows = site_rows[0]
    model, _, spec = made(1, rows)
    found = gram.gram(model, gram.layers_of(model, spec), rows.train_x)
    hidden = torch.relu(model.get_submodule("hidden1")(rows.train_x.flatten(1))).detach().double()
    inputs = torch.cat([hidden, torch.ones(len(hidden), 1)], dim=1)
    torch.testing.assert_close(
        found["hidden2"].double(), inputs.T @ inputs / len(inputs), rtol=1e-5, atol=1e-6
    )
    assert {name: (tuple(t.shape), t.dtype) for name, t in found.items()} == gram.layout(
        model, ("hidden2", "head")
    )


def test_nothing_is_told_of_the_raw_inputs(
    site_rows: tuple[SiteRows, ...], image_rows: tuple[SiteRows, ...]
) -> None:
    model, _, spec = made(1, site_rows[0])
    assert gram.layers_of(model, spec) == ("hidden2", "head")
    cnn = empty_model(CnnSpec(width=4), image_rows[0].shape, image_rows[0].num_outputs)
    assert gram.layers_of(cnn, discover(cnn, image_rows[0].shape)) == ("conv2", "head")


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("how", [{"padding": 1}, {"stride": 2}, {"dilation": 2, "padding": 2}])
def test_a_convolution_is_a_linear_layer_on_the_unfolded_patches(bias: bool, how: dict[str, int]) -> None:
    """Fitted by least squares with nothing but second moments, its own outputs give its own weights back."""
    torch.manual_seed(3)
    conv = nn.Conv2d(3, 5, 3, bias=bias, **how).double()  # type: ignore[arg-type]
    x = torch.randn(6, 3, 9, 9, dtype=torch.float64)
    behind = nn.Sequential(nn.PReLU(init=1.0, dtype=torch.float64), conv)  # of raw inputs there are none
    moments = gram.gram(behind, ("1",), x, positions=81)["1"].double()
    patches = functional.unfold(
        x, 3, dilation=how.get("dilation", 1), padding=how.get("padding", 0), stride=how.get("stride", 1)
    )
    seen = patches.transpose(1, 2).reshape(-1, 27)
    if bias:
        seen = torch.cat([seen, torch.ones(len(seen), 1)], dim=1)
    outputs = conv(x).flatten(2).transpose(1, 2).reshape(-1, 5)
    fitted = torch.linalg.solve(moments, seen.T @ outputs / len(seen))
    expected = conv.weight.reshape(5, -1).T
    torch.testing.assert_close(fitted[:27], expected, rtol=1e-4, atol=1e-4)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**20))
def test_with_equal_moments_it_is_the_weighted_mean(seed: int) -> None:
    layer = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(seed))
    models = {j: {"fc.weight": layer[j], "fc.bias": layer[j, :, 0]} for j in range(2)}
    half = torch.randn(9, 7, generator=torch.Generator().manual_seed(seed + 1))
    moments = {j: {"fc": half.T @ half} for j in range(2)}
    given_ = MergeInputs(
        nn.Identity(), PermutationSpec(()), 0, models, {0: 0.3, 1: 0.7}, half, MergeSpec(), moments
    )
    merged, mean = regmean.METHOD.merge(given_).params, mix(models, given_.weights, 0)
    for name in mean:
        torch.testing.assert_close(merged[name], mean[name], rtol=1e-3, atol=1e-4)


def test_each_site_s_outputs_are_kept_better_than_by_the_mean(site_rows: tuple[SiteRows, ...]) -> None:
    """The head alone differs: merged by moments, its squared error over the sites' own inputs is lower."""
    models, grams, xs = {}, {}, {}
    model, start, spec = made(1, site_rows[0])
    layers = gram.layers_of(model, spec)
    for j, rows in enumerate(site_rows[:3]):
        other = made(j + 5, rows)[1]
        models[j] = {**start, "head.weight": other["head.weight"], "head.bias": other["head.bias"]}
        xs[j] = rows.train_x * (j + 1)  # inputs that differ in what they excite
        grams[j] = gram.gram(load(model, models[j]), layers, xs[j])
    merging = inputs_of(site_rows[0], models, grams)

    def error(params: Params) -> float:
        def out(given: Params, x: Tensor) -> Tensor:
            return load(model, given)(x).detach()  # type: ignore[no-any-return]

        return sum(float((out(params, xs[j]) - out(models[j], xs[j])).square().mean()) for j in models)

    assert error(regmean.METHOD.merge(merging).params) < 0.9 * error(mix(models, merging.weights, 0))


def test_the_first_layer_is_averaged(site_rows: tuple[SiteRows, ...]) -> None:
    model, _, spec = made(1, site_rows[0])
    models = {j: made(j, site_rows[j])[1] for j in range(2)}
    layers = gram.layers_of(model, spec)
    grams = {j: gram.gram(load(model, models[j]), layers, site_rows[j].train_x) for j in range(2)}
    merging = inputs_of(site_rows[0], models, grams)
    merged, mean = regmean.METHOD.merge(merging).params, mix(models, merging.weights, 0)
    assert torch.equal(merged["hidden1.weight"], mean["hidden1.weight"])
    assert not torch.allclose(merged["hidden2.weight"], mean["hidden2.weight"])


def test_units_that_are_all_dead_do_not_make_it_unsolvable() -> None:
    models = {j: {"fc.weight": torch.full((2, 3), float(j))} for j in range(2)}
    moments = {j: {"fc": torch.zeros(3, 3)} for j in range(2)}
    merging = MergeInputs(
        nn.Identity(), PermutationSpec(()), 0, models, {0: 0.5, 1: 0.5}, torch.zeros(1), MergeSpec(), moments
    )
    torch.testing.assert_close(regmean.METHOD.merge(merging).params["fc.weight"], torch.full((2, 3), 0.5))


def test_reordering_all_sites_alike_reorders_the_result(site_rows: tuple[SiteRows, ...]) -> None:
    model, _, spec = made(1, site_rows[0])
    layers = gram.layers_of(model, spec)
    models = {j: made(j, site_rows[j])[1] for j in range(2)}
    order = apply.random(spec, torch_rng(1, "p"))
    moved = {j: apply.permute(params, spec, order) for j, params in models.items()}

    def merged(of: dict[int, Params]) -> Params:
        grams = {j: gram.gram(load(model, of[j]), layers, site_rows[j].train_x) for j in of}
        return regmean.METHOD.merge(inputs_of(site_rows[0], of, grams)).params

    expected = apply.permute(merged(models), spec, order)
    for name, value in merged(moved).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-3, atol=1e-4)


def test_second_moments_are_told_just_before_a_merge_that_needs_them(
    make_spec: Callable[..., PilotSpec],
) -> None:
    arms = [
        {"name": "each", "method": "regmean"},
        {"name": "every-second", "method": "regmean", "merge": {"merge_every": 2}},
        {"name": "none", "method": "common_basis"},
    ]
    spec = make_spec(rounds=4, arms=arms)

    def rounds_told(arm: str) -> list[int]:
        schedule = Schedule.of(spec, arm)
        keys = [StepKey(0, "align", 0), *(StepKey(round, "train", 0) for round in range(1, 5))]
        return [key.round for key in keys if told.tells(schedule, key) == "gram"]

    assert rounds_told("each") == [0, 1, 2, 3]
    assert rounds_told("every-second") == [1, 3]
    assert rounds_told("none") == []


def test_a_ridge_that_vanishes_leaves_the_merge_solvable() -> None:
    """Of two rows and three inputs; below the smallest number the matrix would be singular and the run end in a traceback."""
    models = {j: {"fc.weight": torch.full((2, 3), float(j))} for j in range(2)}
    seen = torch.tensor([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]])
    moments = {j: {"fc": seen.T @ seen / 2} for j in range(2)}
    how = MergeSpec(off_diagonal=1.0, ridge=1e-320)
    merging = MergeInputs(
        nn.Identity(), PermutationSpec(()), 0, models, {0: 0.5, 1: 0.5}, torch.zeros(1), how, moments
    )
    assert torch.isfinite(regmean.METHOD.merge(merging).params["fc.weight"]).all()


def test_without_trust_in_off_diagonals_each_unit_s_weights_are_weighed_by_its_own_moment() -> None:
    models = {j: {"fc.weight": torch.full((2, 3), float(j))} for j in range(2)}
    moments = {0: {"fc": torch.full((3, 3), 3.0)}, 1: {"fc": torch.full((3, 3), 1.0)}}
    how = MergeSpec(off_diagonal=0.0, ridge=1e-9)
    merging = MergeInputs(
        nn.Identity(), PermutationSpec(()), 0, models, {0: 0.5, 1: 0.5}, torch.zeros(1), how, moments
    )
    torch.testing.assert_close(regmean.METHOD.merge(merging).params["fc.weight"], torch.full((2, 3), 0.25))


def test_alignment_can_be_left_out(make_spec: Callable[..., PilotSpec]) -> None:
    arms = [
        {"name": "as-they-are", "method": "regmean", "merge": {"align": False}},
        {"name": "aligned", "method": "regmean"},
    ]
    spec = make_spec(arms=arms)
    read = {}
    for arm in spec.arms:
        schedule = Schedule.of(spec, arm.name)
        aligning = [step for step in schedule.all_steps() if step.kind == "align"]
        assert all(told.tells(schedule, step) == "gram" for step in aligning)
        read[arm.name] = sum(len(schedule.inputs(step)) for step in aligning)
    assert read == {
        "aligned": 4 + 3,
        "as-they-are": 4,
    }  # each its own model, and all but the root their parent's
