"""Merge methods, and normalisation after them."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from dimat.errors import InputsNotTaken
from dimat.matching.weights import match_weights
from dimat.merging import fisher, warm_start
from dimat.merging.mix import MergeInputs, Remembered, mix
from dimat.merging.normalisation import reset_statistics
from dimat.merging.registry import METHODS
from dimat.methods import MOMENTS_OF, Method
from dimat.model_spec import CnnSpec, MlpSpec, ModelSpec, VitSpec
from dimat.models.registry import empty_model, initial_params
from dimat.params import Params
from dimat.parts import MergeSpec
from dimat.permutation import apply
from dimat.permutation.discover import discover
from dimat.permutation.spec import PermutationSpec
from dimat.rows import SiteRows
from dimat.second_moments import made
from dimat.training.seeding import torch_rng

MLP = MlpSpec(hidden=(12, 8))


def inputs(
    rows: SiteRows, models: dict[int, Params], architecture: ModelSpec = MLP, method: Method = "regmean"
) -> MergeInputs:
    model = empty_model(architecture, rows.shape, rows.num_outputs)
    weights = {j: 1 / len(models) for j in models}
    spec = discover(model, rows.shape)
    told = MOMENTS_OF.get(method)
    moments = {j: made(told, architecture, rows, params) for j, params in models.items()} if told else {}
    return MergeInputs(model, spec, min(models), models, weights, rows.train_x, MergeSpec(), moments)


def initial(rows: SiteRows, seed: int, architecture: ModelSpec = MLP) -> Params:
    return initial_params(empty_model(architecture, rows.shape, rows.num_outputs), torch_rng(seed, "init"))


def is_made_anew(method: Method, name: str) -> bool:
    """Whether the tensor is no mean of what sites hold: a head in closed form comes from rows alone."""
    return method == "ridge_head" and name.startswith("head.")


def assert_close(actual: Params, expected: Params) -> None:
    for name in expected:
        torch.testing.assert_close(actual[name], expected[name], rtol=1e-5, atol=1e-6, msg=name)


@pytest.mark.parametrize("method", METHODS)
def test_merge_of_a_model_with_itself_is_itself(method: Method, site_rows: tuple[SiteRows, ...]) -> None:
    own = initial(site_rows[0], 1)
    merged = METHODS[method](inputs(site_rows[0], {0: own, 1: own, 2: own}, method=method)).params
    assert_close(merged, {name: value for name, value in own.items() if not is_made_anew(method, name)})


@pytest.mark.parametrize("method", ["dimat", "dimat_guarded", "weight_matching"])
@pytest.mark.parametrize("architecture", [MLP, CnnSpec(width=4)], ids=lambda m: m.kind)
def test_merge_of_a_model_with_its_permuted_self_is_itself(
    method: Method,
    architecture: ModelSpec,
    site_rows: tuple[SiteRows, ...],
    image_rows: tuple[SiteRows, ...],
) -> None:
    rows = site_rows[0] if architecture.kind == "mlp" else image_rows[0]
    own = initial(rows, 1, architecture)
    spec = inputs(rows, {0: own}, architecture).spec
    others = {j: apply.permute(own, spec, apply.random(spec, torch_rng(j, "p"))) for j in (1, 2)}
    merged = METHODS[method](inputs(rows, {0: own, **others}, architecture))
    assert_close(merged.params, own)
    assert sorted(merged.matches) == [1, 2]


def test_plain_average_of_a_model_with_its_permuted_self_is_something_else(
    site_rows: tuple[SiteRows, ...],
) -> None:
    own = initial(site_rows[0], 1)
    spec = inputs(site_rows[0], {0: own}).spec
    other = apply.permute(own, spec, apply.random(spec, torch_rng(1, "p")))
    merged = METHODS["plain_average"](inputs(site_rows[0], {0: own, 1: other}))
    assert (merged.params["hidden2.weight"] - own["hidden2.weight"]).abs().max() > 0.05


@pytest.mark.parametrize("method", METHODS)
def test_no_method_changes_what_it_is_given(method: Method, site_rows: tuple[SiteRows, ...]) -> None:
    models = {j: initial(site_rows[0], j) for j in range(3)}
    before = {j: {name: tensor.clone() for name, tensor in params.items()} for j, params in models.items()}
    METHODS[method](inputs(site_rows[0], models, method=method))
    for j, params in models.items():
        assert all(torch.equal(before[j][name], params[name]) for name in params)


@pytest.mark.parametrize("architecture", [MLP, CnnSpec(width=4)], ids=lambda m: m.kind)
def test_weights_alone_find_a_planted_permutation_in_spite_of_noise(
    architecture: ModelSpec, site_rows: tuple[SiteRows, ...], image_rows: tuple[SiteRows, ...]
) -> None:
    rows = site_rows[0] if architecture.kind == "mlp" else image_rows[0]
    own = initial(rows, 1, architecture)
    spec = inputs(rows, {0: own}, architecture).spec
    rng = torch_rng(2, "noise")
    noisy = {
        name: t + 0.01 * torch.randn(t.shape, generator=rng) if t.is_floating_point() else t
        for name, t in own.items()
    }
    planted = apply.random(spec, rng)
    found = match_weights(own, apply.permute(noisy, spec, planted), spec)
    for group in spec.groups:
        assert torch.equal(planted[group.name][found.permutations[group.name]], torch.arange(group.size))
    assert all(0.9 < group.correlation <= 1 for group in found.quality)


def test_weight_matching_looks_at_no_row(site_rows: tuple[SiteRows, ...]) -> None:
    given = inputs(site_rows[0], {j: initial(site_rows[0], j) for j in range(2)})
    other = replace(given, probe=torch.full_like(given.probe, torch.nan))
    first, second = (METHODS["weight_matching"](one).params for one in (given, other))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_guard_keeps_more_units_in_place(site_rows: tuple[SiteRows, ...]) -> None:
    models = {j: initial(site_rows[0], j) for j in range(2)}
    given = inputs(site_rows[0], models)
    stayed = {}
    for method in ("dimat", "dimat_guarded"):
        groups = METHODS[method](given).matches[1]
        stayed[method] = sum(group.in_place_fraction for group in groups)
    assert stayed["dimat_guarded"] > stayed["dimat"]


def test_mix_weighs_models_by_site_and_takes_counters_from_the_own_one() -> None:
    models = {
        j: {"w": torch.full((2,), float(j)), "count": torch.tensor(j)} for j in (4, 1)
    }  # fmt: skip
    mixed = mix(models, {1: 0.75, 4: 0.25}, site=4)
    assert mixed["w"].tolist() == [1.75, 1.75]
    assert mixed["count"].item() == 4


def test_mix_does_not_depend_on_the_order_of_arrival() -> None:
    rng = torch_rng(1, "w")
    # In float64, where another order of adding shows in the last bit.
    models = {j: {"w": torch.randn(500, generator=rng, dtype=torch.float64)} for j in range(5)}
    weights = {0: 0.1, 1: 0.3, 2: 0.15, 3: 0.25, 4: 0.2}
    arrived_late = dict(reversed(models.items()))
    assert torch.equal(mix(models, weights, 2)["w"], mix(arrived_late, weights, 2)["w"])


def test_normalisation_is_that_of_the_own_rows_and_momentum_is_restored() -> None:
    x = torch.randn(256, 2, 4, 4, generator=torch_rng(1, "x")) * 3 + 5
    model = nn.Sequential(nn.BatchNorm2d(2, momentum=0.3), nn.Flatten(), nn.Linear(32, 2))
    assert reset_statistics(model, x)
    layer = model[0]
    assert isinstance(layer, nn.BatchNorm2d)
    torch.testing.assert_close(layer.running_mean, x.mean(dim=(0, 2, 3)))
    torch.testing.assert_close(layer.running_var, x.var(dim=(0, 2, 3)), rtol=0.05, atol=0)
    assert layer.momentum == 0.3
    assert not layer.training


def test_few_rows_are_all_used_and_models_without_normalisation_left_alone() -> None:
    x = torch.randn(20, 2, 4, 4, generator=torch_rng(1, "x"))
    layer = nn.BatchNorm2d(2)
    reset_statistics(nn.Sequential(layer), x)
    torch.testing.assert_close(layer.running_mean, x.mean(dim=(0, 2, 3)))
    assert not reset_statistics(nn.Sequential(nn.Linear(2, 2)), torch.zeros(3, 2))


def test_statistics_of_images_one_by_one_are_re_estimated_too() -> None:
    """Over all chunks: torch has no cumulative mean for this kind of layer."""
    x = torch.randn(384, 3, 4, 4, generator=torch_rng(1, "x")) * 2 + torch.arange(384.0)[:, None, None, None]
    layer = nn.InstanceNorm2d(3, track_running_stats=True)
    assert reset_statistics(nn.Sequential(layer), x)
    torch.testing.assert_close(layer.running_mean, x.mean(dim=(0, 2, 3)), rtol=1e-4, atol=1e-4)
    assert layer.momentum == 0.1


def test_a_model_that_fails_on_the_rows_keeps_its_momentum_and_stays_in_evaluation_mode() -> None:
    layer = nn.BatchNorm1d(3, momentum=0.3)
    model = nn.Sequential(layer, nn.Linear(4, 2))
    with pytest.raises(InputsNotTaken, match="mat1 and mat2"):
        reset_statistics(model, torch.zeros(9, 3))
    assert layer.momentum == 0.3
    assert not layer.training


def test_normalisation_of_series_is_re_estimated_and_that_of_tokens_has_no_statistics() -> None:
    x = torch.randn(40, 3, 8, generator=torch_rng(1, "x")) * 2 + 1
    layer = nn.BatchNorm1d(3)
    assert reset_statistics(nn.Sequential(layer), x)
    torch.testing.assert_close(layer.running_mean, x.mean(dim=(0, 2)))
    vit = empty_model(VitSpec(dim=8, depth=1, heads=2), (1, 8, 8), 4)
    before = initial_params(vit, torch_rng(1, "init"))
    assert not reset_statistics(vit, torch.randn(4, 1, 8, 8))
    assert all(torch.equal(before[name], value) for name, value in vit.state_dict().items())


def test_fisher_information_is_the_mean_square_of_each_row_s_gradient(
    image_rows: tuple[SiteRows, ...],
) -> None:
    rows = image_rows[0]
    model = empty_model(CnnSpec(width=4), rows.shape, rows.num_outputs)
    initial_params(model, torch_rng(1, "init"))
    found = fisher.fisher(model, rows.train_x[:40], rows.train_y[:40])
    squares = {name: torch.zeros_like(value) for name, value in model.named_parameters()}
    for x, y in zip(rows.train_x[:40], rows.train_y[:40], strict=True):
        model.zero_grad()
        nn.functional.cross_entropy(model(x[None]), y[None]).backward()  # type: ignore[no-untyped-call]
        for name, value in model.named_parameters():
            assert value.grad is not None
            squares[name] += value.grad.square() / 40
    for name, expected in squares.items():
        torch.testing.assert_close(found[name], expected, rtol=1e-3, atol=1e-7)
    assert {name: (tuple(t.shape), t.dtype) for name, t in found.items()} == fisher.layout(model)


def test_a_number_on_which_one_site_s_predictions_depend_is_that_site_s() -> None:
    models = {0: {"w": torch.tensor([1.0, 1.0])}, 1: {"w": torch.tensor([3.0, 3.0])}}
    moments = {0: {"w": torch.tensor([1.0, 0.0])}, 1: {"w": torch.tensor([0.0, 0.0])}}
    how = MergeSpec(ridge=1e-6)
    given = MergeInputs(
        nn.Identity(), PermutationSpec(()), 0, models, {0: 0.5, 1: 0.5}, torch.zeros(1), how, moments
    )
    assert METHODS["fisher"](given).params["w"].tolist() == pytest.approx([1.0, 1.0], abs=1e-4)
    equal = replace(given, moments={j: {"w": torch.ones(2)} for j in models})
    assert METHODS["fisher"](equal).params["w"].tolist() == pytest.approx([2.0, 2.0])


def test_slow_momentum_goes_on_with_half_of_the_last_movement() -> None:
    """One number, moved by its site from 0 to 1, then by nobody: 0.5 more, then 0.25 more."""
    net = nn.Linear(1, 1, bias=False)
    place, before = torch.zeros(1, 1), None
    reached = []
    for gain in (0.0, 1.0, 0.0, 0.0):
        trained = {"weight": place + gain}
        given = MergeInputs(
            net, PermutationSpec(()), 0, {0: trained}, {0: 1.0}, torch.zeros(1), MergeSpec(), {}, before
        )
        merged = METHODS["slowmo"](given)
        assert merged.momentum is not None
        place, before = merged.params["weight"], Remembered(merged.momentum, merged.params)
        reached.append(float(place))
    assert reached == [0.0, 1.0, 1.5, 1.75]


@pytest.mark.parametrize("method", ["dimat_guarded", "weight_matching"])
def test_a_warm_start_holds_on_to_the_permutations_of_the_last_merge(
    method: Method, site_rows: tuple[SiteRows, ...]
) -> None:
    """A guard that no gain outweighs keeps them all; weight matching, started at its own end, finds nothing better."""
    rows = site_rows[0]
    models = {0: initial(rows, 1), 1: initial(rows, 2)}
    settings = MergeSpec(guard=2.0, warm_start=True)
    cold = replace(inputs(rows, models), settings=settings)
    first = METHODS["dimat" if method == "dimat_guarded" else method](cold)
    last = warm_start.remembered(cold.spec, 3, None, first.permutations)
    again = METHODS[method](replace(cold, before=Remembered(last)))
    for name, permutation in first.permutations[1].items():
        assert not torch.equal(permutation, torch.arange(len(permutation)))
        assert torch.equal(again.permutations[1][name], permutation)
    # What stayed in place is told of the neighbour's model, wherever matching began.
    assert [group.in_place_fraction for group in again.matches[1]] == [
        group.in_place_fraction for group in first.matches[1]
    ]
    assert_close(again.params, first.params)
    # Another site that was no neighbour this time keeps what was found for it before.
    kept = warm_start.remembered(cold.spec, 3, last, {2: first.permutations[1]})[warm_start.UNITS]
    assert torch.equal(kept[1], kept[2])
    assert not torch.equal(kept[0], kept[1])


def test_without_a_guard_it_does_not_matter_where_activation_matching_starts(
    site_rows: tuple[SiteRows, ...],
) -> None:
    rows = site_rows[0]
    given = inputs(rows, {0: initial(rows, 1), 1: initial(rows, 2)})
    anywhere = {1: apply.random(given.spec, torch_rng(3, "start"))}
    last = warm_start.remembered(given.spec, 2, None, anywhere)
    warm = replace(given, settings=MergeSpec(guard=0.0, warm_start=True), before=Remembered(last))
    cold, found = METHODS["dimat"](given), METHODS["dimat_guarded"](warm)
    for name, permutation in cold.permutations[1].items():
        assert torch.equal(found.permutations[1][name], permutation)
    assert_close(found.params, cold.params)
