"""The networks of the registry: shapes, groups, and whole pilots with them."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
import torch
from torch import nn

from dimat.data_spec import DataSpec
from dimat.errors import ModelMismatch, UnknownLayer
from dimat.merging import gram
from dimat.model_spec import Cnn1dSpec, ModelSpec, ResNet20Spec, ResNet50Spec, Vgg16BnSpec, VitSpec
from dimat.models.registry import empty_model, initial_params
from dimat.models.symmetries import symmetries
from dimat.permutation.selftest import TOLERANCE, output_change
from dimat.results import as_json
from dimat.rows import SiteRows, Table, all_site_rows
from dimat.simulate import simulate
from dimat.spec import PilotSpec
from dimat.training.seeding import torch_rng

SMALL: list[ModelSpec] = [
    ResNet20Spec(width=1 / 8),
    Vgg16BnSpec(width=1 / 16),
    ResNet50Spec(width=1 / 16),
    VitSpec(dim=16, depth=2, heads=2),
]
WATCH = (6, 100)


@pytest.mark.parametrize("spec", SMALL, ids=lambda m: m.kind)
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (2, 8, 12)])
def test_a_deep_network_can_be_aligned_almost_whole(spec: ModelSpec, shape: tuple[int, ...]) -> None:
    assert_aligns(spec, shape)


@pytest.mark.parametrize("shape", [WATCH, (1, 4), (3, 7)])
def test_so_can_a_network_for_series(shape: tuple[int, ...]) -> None:
    assert_aligns(Cnn1dSpec(width=4), shape)


def assert_aligns(spec: ModelSpec, shape: tuple[int, ...]) -> None:
    model = empty_model(spec, shape, 4)
    initial_params(model, torch_rng(1, "init"))
    found = symmetries(spec, shape, 4)
    x = torch.randn(3, *shape, generator=torch_rng(1, "x"))
    assert model.eval()(x).shape == (3, 4)
    assert found.coverage > 0.98
    assert all(group.tap for group in found.groups)
    assert max(output_change(model, found, x, torch_rng(2, "p")).values()) < TOLERANCE


def test_published_widths() -> None:
    resnet = empty_model(ResNet20Spec(), (3, 32, 32), 10)
    # 269,722 without projections (He et al.: 0.27 M), and two projections with their norms.
    projections = 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64
    assert sum(p.numel() for p in resnet.parameters()) == 269_722 + projections
    vgg = empty_model(Vgg16BnSpec(), (3, 32, 32), 10)
    assert [m.out_channels for m in vgg.modules() if isinstance(m, nn.Conv2d)][-1] == 512
    # 23,528,522 with a head of ten classes, of which 9,408 are the 7x7 convolution that is 3x3 here.
    resnet50 = empty_model(ResNet50Spec(), (3, 32, 32), 10)
    assert sum(p.numel() for p in resnet50.parameters()) == 23_528_522 - 9_408 + 64 * 27
    assert empty_model(ResNet20Spec(width=8), (3, 32, 32), 10).get_submodule("conv").weight.shape[0] == 128


@pytest.mark.parametrize("spec", SMALL, ids=lambda m: m.kind)
def test_rows_that_are_no_images_are_refused(spec: ModelSpec) -> None:
    with pytest.raises(ModelMismatch, match=f"'{spec.kind}' needs images .* \\(16,\\)"):
        empty_model(spec, (16,), 4)


@pytest.mark.parametrize("shape", [(16,), (6, 3), (1, 28, 28)])
def test_rows_that_are_no_series_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelMismatch, match=r"'cnn1d' needs series \(channels, length >= 4\)"):
        empty_model(Cnn1dSpec(), shape, 4)


def test_images_that_patches_do_not_tile_are_refused() -> None:
    with pytest.raises(ModelMismatch, match=r"multiples of its patch \(4\).*\(1, 28, 30\)"):
        empty_model(VitSpec(), (1, 28, 30), 4)
    for side in (28, 32):
        assert empty_model(VitSpec(), (1, side, side), 4)


@pytest.mark.parametrize(
    ("spec", "shape"), [*((spec, (1, 8, 8)) for spec in SMALL), (Cnn1dSpec(width=4), WATCH)]
)
def test_every_number_of_a_start_model_comes_from_its_seed(spec: ModelSpec, shape: tuple[int, ...]) -> None:
    made = []
    for rubbish in (torch.nan, 1e9):
        model = empty_model(spec, shape, 4)
        for tensor in model.state_dict().values():
            tensor.fill_(0 if tensor.dtype == torch.int64 else rubbish)
        made.append(initial_params(model, torch_rng(5, "init")))
    assert all(torch.equal(made[0][name], made[1][name]) for name in made[0])
    other = initial_params(empty_model(spec, shape, 4), torch_rng(6, "init"))
    drawn = [name for name in other if not torch.equal(other[name], made[0][name])]
    assert {"head.weight", *(["positions.weight"] if spec.kind == "vit" else [])} <= set(drawn)


def test_a_layer_without_known_start_values_is_refused_by_name() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.PReLU())
    with pytest.raises(UnknownLayer, match=r"'1' \(PReLU\)"):
        initial_params(model, torch_rng(1, "init"))


def test_all_layers_that_read_hidden_units_tell_moments() -> None:
    spec = ResNet20Spec(width=1 / 8)
    model = empty_model(spec, (1, 8, 8), 4)
    layers = gram.layers_of(model, symmetries(spec, (1, 8, 8), 4))
    convolutions = {name for name, m in model.named_modules() if isinstance(m, nn.Conv2d)}
    assert set(layers) == convolutions - {"conv"} | {"head"}


def test_groups_are_found_once_for_an_architecture() -> None:
    spec = ResNet20Spec(width=1 / 8)
    assert symmetries(spec, (1, 8, 8), 4) is symmetries(ResNet20Spec(width=0.125), (1, 8, 8), 4)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (Cnn1dSpec(width=4), {"conv2", "conv3", "head"}),
        (VitSpec(dim=8, depth=1, heads=2), {"attention.qkv", "attention.out", "widen", "narrow", "head"}),
    ],
    ids=lambda one: getattr(one, "kind", ""),
)
def test_layers_that_read_raw_inputs_tell_none(spec: ModelSpec, told: set[str]) -> None:
    shape = WATCH if spec.kind == "cnn1d" else (1, 8, 8)
    layers = gram.layers_of(empty_model(spec, shape, 4), symmetries(spec, shape, 4))
    assert {layer.removeprefix("block1.") for layer in layers} == told
    assert layers[-1] == "head"


@pytest.mark.parametrize("spec", [one for one in SMALL if one.kind != "resnet50"], ids=lambda m: m.kind)
def test_a_pilot_runs_with_every_way_to_match(
    spec: ModelSpec, make_spec: Callable[..., PilotSpec], images: Table
) -> None:
    rows: tuple[SiteRows, ...] = all_site_rows(
        images, DataSpec(rows_per_site=40), ("site-0", "site-1"), seed=3
    )
    clock = count()
    pilot = make_spec(
        num_sites=2,
        rounds=1,
        sites=[
            {"name": f"site-{i}", "data": {"kind": "sample", "dataset": "fashion_mnist_6k"}} for i in range(2)
        ],
        model=spec.model_dump(),
        arms=[
            {"name": method, "method": method}
            for method in ("local_only", "dimat", "common_basis", "weight_matching", "regmean", "fisher")
        ],
    )
    result: dict[str, Any] = as_json(simulate(pilot, lambda _, site: rows[site], lambda: float(next(clock))))
    assert {run["state"] for run in result["runs"]} == {"completed"}
    assert all(len(run["final_artifacts"]) == 2 for run in result["runs"])
