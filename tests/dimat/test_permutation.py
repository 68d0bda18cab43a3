"""Reordering hidden units does not change what a model computes."""

import copy
from functools import cache
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from dimat.errors import ShapeMismatch
from dimat.model_spec import (
    Cnn1dSpec,
    CnnSpec,
    MlpSpec,
    ModelSpec,
    ResNet20Spec,
    ResNet50Spec,
    Vgg16BnSpec,
    VitSpec,
)
from dimat.models.registry import empty_model, initial_params
from dimat.permutation import apply
from dimat.permutation.discover import discover
from dimat.permutation.selftest import TOLERANCE, output_change
from dimat.permutation.spec import Axis, PermutationSpec
from dimat.training.seeding import torch_rng

MODELS: list[tuple[ModelSpec, tuple[int, ...]]] = [
    (MlpSpec(hidden=(7,)), (5,)),
    (MlpSpec(hidden=(9, 6, 4)), (2, 3, 3)),
    (CnnSpec(width=3), (2, 8, 12)),
    (Cnn1dSpec(width=3), (6, 12)),
    (ResNet20Spec(width=1 / 8), (1, 8, 8)),
    (ResNet50Spec(width=1 / 16), (1, 8, 8)),
    (Vgg16BnSpec(width=1 / 16), (1, 8, 8)),
    (VitSpec(dim=12, depth=2, heads=3), (2, 8, 12)),
]


def test_every_family_is_among_them() -> None:
    families = {type(model) for model, _ in MODELS}
    assert families == set(get_args(get_args(ModelSpec)[0]))


def made(spec: ModelSpec, shape: tuple[int, ...], seed: int) -> tuple[nn.Module, PermutationSpec]:
    model = empty_model(spec, shape, 4)
    initial_params(model, torch_rng(seed, "init"))
    for layer in model.modules():
        rng = torch_rng(seed, "norm")
        if isinstance(layer, _BatchNorm):  # statistics at their start values would hide a wrong axis
            assert layer.running_mean is not None
            assert layer.running_var is not None
            layer.running_mean.normal_(generator=rng)
            layer.running_var.uniform_(0.5, 2, generator=rng)
        if isinstance(layer, (_BatchNorm, nn.LayerNorm)):
            nn.init.uniform_(layer.weight, 0.5, 2, generator=rng)
            nn.init.normal_(layer.bias, generator=rng)
    return model, groups_of(spec, shape)


@cache
def groups_of(spec: ModelSpec, shape: tuple[int, ...]) -> PermutationSpec:
    """Of an architecture, whatever its params: tracing takes seconds."""
    return discover(empty_model(spec, shape, 4), shape)


@pytest.mark.parametrize(("model", "shape"), MODELS)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_permuting_leaves_the_function_of_every_model(
    model: ModelSpec, shape: tuple[int, ...], seed: int
) -> None:
    network, spec = made(model, shape, seed)
    before = copy.deepcopy(network.state_dict())
    x = torch.randn(6, *shape, generator=torch_rng(seed, "x"))
    change = output_change(network, spec, x, torch_rng(seed, "p"))
    assert set(change) == {group.name for group in spec.groups}
    assert max(change.values()) < TOLERANCE
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_self_test_finds_a_forgotten_axis() -> None:
    network, spec = made(CnnSpec(width=3), (1, 8, 8), 1)
    group = spec.groups[0]
    kept = tuple(axis for axis in group.axes if axis.param != "norm1.running_mean")
    wrong = PermutationSpec((type(group)(group.name, group.size, group.tap, kept), *spec.groups[1:]))
    x = torch.randn(6, 1, 8, 8, generator=torch_rng(1, "x"))
    change = output_change(network, wrong, x, torch_rng(2, "p"))
    assert change["conv1"] > 1e-3
    assert change["conv2"] < TOLERANCE


def test_every_hidden_layer_is_a_group_and_classes_are_not() -> None:
    _, spec = made(MlpSpec(hidden=(9, 6)), (5,), 1)
    assert [(group.name, group.size, group.tap) for group in spec.groups] == [
        ("hidden1", 9, "hidden2"),
        ("hidden2", 6, "head"),
    ]


def test_each_channel_owns_its_positions_behind_a_flatten() -> None:
    _, spec = made(CnnSpec(width=3), (2, 8, 12), 1)
    assert Axis("head.weight", 1, repeat=2 * 3) in spec.group("conv2").axes


@given(seed=st.integers(0, 10_000))
def test_inverse_undoes_and_composition_is_one_after_the_other(seed: int) -> None:
    network, spec = made(MlpSpec(hidden=(9, 6)), (5,), 1)
    params = dict(network.state_dict())
    first, second = (apply.random(spec, torch_rng(seed, part)) for part in ("first", "second"))
    there = apply.permute(params, spec, first)
    back = apply.permute(there, spec, apply.invert(first))
    assert all(torch.equal(params[name], back[name]) for name in params)
    one_by_one = apply.permute(there, spec, second)
    at_once = apply.permute(params, spec, apply.compose(first, second))
    assert all(torch.equal(one_by_one[name], at_once[name]) for name in params)
    same = apply.compose(first, apply.invert(first))
    assert all(torch.equal(same[name], unit) for name, unit in apply.identity(spec).items())


def test_permutation_of_the_wrong_size_is_named() -> None:
    network, spec = made(MlpSpec(hidden=(9,)), (5,), 1)
    with pytest.raises(ShapeMismatch, match="'hidden1' has shape \\(3,\\), expected \\(9,\\)"):
        apply.permute(network.state_dict(), spec, {"hidden1": torch.arange(3)})
    smaller, _ = made(MlpSpec(hidden=(8,)), (5,), 1)
    with pytest.raises(ShapeMismatch, match=r"'hidden1\.weight'"):
        apply.permute(smaller.state_dict(), spec, {"hidden1": torch.arange(9)})
