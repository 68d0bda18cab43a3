"""The networks of the registry: shapes, groups, and whole pilots with them."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
import torch
from torch import nn

from dimat.errors import ModelMismatch
from dimat.merging import gram
from dimat.models.registry import empty_model, initial_params
from dimat.models.symmetries import symmetries
from dimat.parts import DataSpec, ModelSpec, ResNet20Spec, Vgg16BnSpec
from dimat.permutation.selftest import TOLERANCE, output_change
from dimat.results import as_json
from dimat.rows import SiteRows, Table, all_site_rows
from dimat.simulate import simulate
from dimat.spec import PilotSpec
from dimat.training.seeding import torch_rng

SMALL: list[ModelSpec] = [ResNet20Spec(width=1 / 8), Vgg16BnSpec(width=1 / 16)]


@pytest.mark.parametrize("spec", SMALL, ids=lambda m: m.kind)
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (2, 8, 12)])
def test_a_deep_network_can_be_aligned_almost_whole(spec: ModelSpec, shape: tuple[int, ...]) -> None:
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
    assert empty_model(ResNet20Spec(width=8), (3, 32, 32), 10).get_submodule("conv").weight.shape[0] == 128


@pytest.mark.parametrize("spec", SMALL, ids=lambda m: m.kind)
def test_rows_that_are_no_images_are_refused(spec: ModelSpec) -> None:
    with pytest.raises(ModelMismatch, match=f"'{spec.kind}' needs images .* \\(16,\\)"):
        empty_model(spec, (16,), 4)


def test_all_layers_that_read_hidden_units_tell_moments() -> None:
    spec = ResNet20Spec(width=1 / 8)
    model = empty_model(spec, (1, 8, 8), 4)
    layers = gram.layers_of(model, symmetries(spec, (1, 8, 8), 4))
    convolutions = {name for name, m in model.named_modules() if isinstance(m, nn.Conv2d)}
    assert set(layers) == convolutions - {"conv"} | {"head"}


def test_groups_are_found_once_for_an_architecture() -> None:
    spec = ResNet20Spec(width=1 / 8)
    assert symmetries(spec, (1, 8, 8), 4) is symmetries(ResNet20Spec(width=0.125), (1, 8, 8), 4)


@pytest.mark.parametrize("spec", SMALL, ids=lambda m: m.kind)
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
            for method in ("local_only", "dimat", "common_basis", "weight_matching", "regmean")
        ],
    )
    result: dict[str, Any] = as_json(simulate(pilot, lambda _, site: rows[site], lambda: float(next(clock))))
    assert {run["state"] for run in result["runs"]} == {"completed"}
    assert all(len(run["final_artifacts"]) == 2 for run in result["runs"])
