"""What the groups of single architectures look like, and which permutations are refused."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from dimat.errors import PermutationNotAdmissible
from dimat.matching.activation import compare, match
from dimat.model_spec import CnnSpec, MlpSpec, ModelSpec, Vgg16BnSpec
from dimat.models.registry import empty_model, initial_params
from dimat.permutation import Axis, PermutationSpec, compose, discover, permute, random
from dimat.permutation.chain import groups_of_chain, is_chain
from dimat.permutation.collect import collect
from dimat.permutation.tapping import tapped
from dimat.permutation.trace import trace
from dimat.training.seeding import torch_rng
from tests.dimat.permutation import more_architectures  # noqa: F401  (joins the zoo)
from tests.dimat.permutation.architectures import ZOO


def of(name: str) -> PermutationSpec:
    return discover(*ZOO[name]())


@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        (MlpSpec(hidden=(9, 6, 4)), (2, 3, 3)),
        (MlpSpec(hidden=(1, 5)), (7,)),
        (CnnSpec(width=3), (2, 8, 12)),
        (CnnSpec(width=4), (1, 28, 28)),
        (Vgg16BnSpec(width=1 / 16), (3, 32, 32)),
    ],
)
def test_a_chain_has_the_same_groups_with_and_without_a_graph(
    spec: ModelSpec, shape: tuple[int, ...]
) -> None:
    model = empty_model(spec, shape, 4)
    initial_params(model, torch_rng(1, "init"))
    inputs = (torch.randn(2, *shape),)
    assert isinstance(model, nn.Sequential)
    assert is_chain(model, inputs)
    traced = trace(model, inputs)
    collected = collect(traced)
    groups, frozen = groups_of_chain(model, inputs)
    assert groups == tapped(model, traced, collected)
    assert {(f.param, f.axis) for f in frozen} == {(f.param, f.axis) for f in collected.frozen}


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Linear(5, 8), nn.LayerNorm(8), nn.Linear(8, 3)],
        [nn.Linear(5, 8), nn.Softmax(0), nn.Linear(8, 3)],
        [nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)],
        [nn.Linear(6, 6), nn.ReLU(), nn.Flatten(0), nn.Linear(12, 3)],
        [nn.Linear(6, 6), nn.Sequential(nn.ReLU()), nn.Linear(6, 3)],
        [shared := nn.Linear(5, 5), nn.ReLU(), shared],
        [nn.ReLU()],
    ],
)
def test_anything_else_is_no_chain(layers: list[nn.Module]) -> None:
    assert not is_chain(nn.Sequential(*layers), (torch.zeros(2, 5),))


def test_heads_move_as_a_whole_and_q_and_k_share_units_that_v_does_not() -> None:
    spec = of("vit")
    qk, v = (g for g in spec.groups if g.link == "heads of blocks.0.attention.qkv")
    weight = "blocks.0.attention.qkv.weight"
    assert (qk.size, qk.blocks, v.size, v.blocks) == (24, (3,), 24, (3,))
    assert Axis(weight, 0, offset=0, tiles=2, length=72) in qk.axes
    assert Axis(weight, 0, offset=48, length=72) in v.axes
    assert Axis("blocks.0.attention.proj.weight", 1) in v.axes


def test_one_group_runs_along_the_residual_stream() -> None:
    stream = of("text_transformer").groups[0]
    on = {axis.param for axis in stream.axes}
    assert {"embed.weight", "head.weight", "pos.weight", "encoder.norm.bias"} < on
    assert {f"encoder.layers.{i}.linear2.weight" for i in (0, 1)} < on


def test_gates_of_a_cell_are_tiles() -> None:
    first = of("lstm").groups[0]
    assert Axis("rnn.weight_hh_l0", 0, tiles=4) in first.axes
    assert Axis("rnn.weight_hh_l0", 1) in first.axes
    assert Axis("rnn.weight_ih_l1", 1) in first.axes


def test_concatenated_tensors_are_parts_of_one_axis() -> None:
    spec = of("unet")
    assert Axis("up1.weight", 1, offset=16, length=32) in spec.group("down2").axes
    assert Axis("up1.weight", 1, offset=0, length=32) in spec.group("up").axes


def test_units_are_seen_where_rows_differ() -> None:
    """Learned queries are the same for all rows: what reads them tells no unit from another."""
    model, inputs = ZOO["latents"]()
    spec = discover(model, inputs)
    stream = next(g for g in spec.groups if any((axis.param, axis.axis) == ("latents", 1) for axis in g.axes))
    (qk,) = (g for g in spec.groups if g.link and any(axis.tiles == 2 for axis in g.axes))
    assert "query.weight" in {axis.param for axis in stream.axes}
    assert stream.tap == "wide"
    assert (qk.tap, qk.place.starts) == ("attention", (8,))  # the keys


def test_heads_of_which_one_part_cannot_be_seen_move_as_the_other_part_says() -> None:
    model, inputs = ZOO["latents"]()
    spec = discover(model, inputs)
    qk = next(g for g in spec.groups if g.link)
    blind = replace(spec, groups=tuple(replace(g, tap="") if g is qk else g for g in spec.groups))
    own, planted = model.state_dict(), random(spec, torch_rng(7, "planted"))
    probe = torch.randn(100, *inputs[0].shape[1:], generator=torch_rng(6, "probe"))
    found = match(compare(model, blind, own, {1: permute(own, spec, planted)}, probe)[1], blind).permutations
    for name, undone in compose(planted, found).items():
        assert torch.equal(undone, torch.arange(len(undone))), name


def test_channels_own_their_positions_behind_a_flatten() -> None:
    assert Axis("13.weight", 1, repeat=4) in of("vgg").group("7").axes


def test_a_chain_needs_not_load_the_compiler() -> None:
    """It takes seconds, and each worker would wait for it."""
    code = (
        "import sys; from dimat.models.symmetries import symmetries; from dimat.model_spec import CnnSpec, MlpSpec;"
        "symmetries(MlpSpec(), (16,), 10); symmetries(CnnSpec(), (1, 28, 28), 10);"
        "print('torch._dynamo' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


@pytest.mark.parametrize("name", ["group_norm", "vit", "resnext"])
def test_a_permutation_that_tears_blocks_apart_is_refused(name: str) -> None:
    model, inputs = ZOO[name]()
    spec = discover(model, inputs)
    group = next(g for g in spec.groups if g.blocks and g.blocks[0] < g.size)
    good = random(spec, torch_rng(1, "p"))
    torn = torch.arange(group.size).roll(1)
    with pytest.raises(PermutationNotAdmissible, match="blocks moved as a whole"):
        permute(model.state_dict(), spec, {**good, group.name: torn})
    with pytest.raises(PermutationNotAdmissible, match="every unit once"):
        permute(model.state_dict(), spec, {group.name: torch.zeros(group.size, dtype=torch.int64)})


def test_heads_of_q_without_those_of_v_are_refused() -> None:
    model, inputs = ZOO["vit"]()
    spec = discover(model, inputs)
    qk = next(g for g in spec.groups if g.link)
    swapped = torch.arange(24).view(3, 8)[[1, 0, 2]].reshape(-1)
    with pytest.raises(PermutationNotAdmissible, match="heads moved as those of"):
        permute(model.state_dict(), spec, {qk.name: swapped})
    inside = torch.cat([torch.arange(8).flip(0), torch.arange(8, 24)])
    permute(model.state_dict(), spec, {qk.name: inside})  # units inside of a head need nobody else


@pytest.mark.parametrize(("norm_groups", "conv_groups"), [(4, 2), (8, 2), (8, 4)])
def test_planted_permutations_are_found_where_norm_groups_lie_inside_of_convolution_groups(
    norm_groups: int, conv_groups: int
) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, 16, 3)
            self.norm = nn.GroupNorm(norm_groups, 16)
            self.second = nn.Conv2d(16, 24, 3, groups=conv_groups)
            self.last = nn.Linear(24, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.last(self.second(self.norm(self.first(x)).relu()).relu().mean((2, 3)))
            return found

    model = Net()
    spec = discover(model, (3, 8, 8))
    for seed in range(6):
        rng = torch.Generator().manual_seed(seed)
        own = {name: torch.randn(one.shape, generator=rng) for name, one in model.state_dict().items()}
        other = permute(own, spec, random(spec, rng))
        compared = compare(model, spec, own, {1: other}, torch.randn(96, 3, 8, 8, generator=rng))[1]
        back = permute(other, spec, match(compared, spec).permutations)
        assert all(torch.equal(back[name], own[name]) for name in own), seed
