"""Units that each block of a tensor reads by itself: groups of a convolution, heads and experts in stacked weights.

Each block may have an order of its own, on whichever axis of the tensor its units lie.
"""

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from dimat.errors import PermutationNotAdmissible
from dimat.matching.activation import compare, match
from dimat.matching.weights import match_weights
from dimat.params import Params
from dimat.permutation import PermutationSpec, compose, discover, identity, inside, invert, permute, random
from dimat.permutation.selftest import TOLERANCE, output_change, verified
from dimat.permutation.spec import Axis, Group


class ResNeXt(nn.Module):
    """Bottlenecks of `groups` groups with residual streams around them."""

    def __init__(self, width: int = 16, groups: int = 4, blocks: int = 2) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(8, width, 1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.Conv2d(width, width, 3, padding=1, groups=groups, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.Conv2d(width, 8, 1),
            )
            for _ in range(blocks)
        )
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).relu()
        for block in self.blocks:
            x = (x + block(x)).relu()
        found: Tensor = self.head(x.mean((2, 3)))
        return found


class InLine(nn.Module):
    def __init__(self, first: nn.Module, second: nn.Module, last: nn.Module, norm: nn.Module) -> None:
        super().__init__()
        self.first, self.norm, self.second, self.last = first, norm, second, last

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.last(self.second(self.norm(self.first(x)).tanh()).relu())
        return found.flatten(2).mean(2)


class Experts(nn.Module):
    """Stacked weights (expert, inputs, hidden) and back, mixed by gates."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.read = nn.Linear(6, 8)
        self.gate = nn.Linear(8, 3)
        self.up = nn.Parameter(torch.randn(3, 8, 5))
        self.bias = nn.Parameter(torch.randn(3, 5))
        self.down = nn.Parameter(torch.randn(3, 5, 8))
        self.last = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.read(x).relu()
        gates = self.gate(x).softmax(-1)
        if self.how == "all alike":
            hidden = torch.einsum("nd,edh->neh", x, self.up).tanh()
            mixed = torch.einsum("neh,ehd->nd", hidden, self.down)
        elif self.how == "einsum":
            hidden = (torch.einsum("nd,edh->neh", x, self.up) + self.bias).relu()
            mixed = torch.einsum("neh,ehd,ne->nd", hidden, self.down, gates)
        else:
            hidden = torch.baddbmm(self.bias[:, None], x.expand(3, *x.shape), self.up).relu()
            mixed = (torch.bmm(hidden, self.down) * gates.T[:, :, None]).sum(0)
        found: Tensor = self.last(mixed)
        return found


class Heads(nn.Module):
    """Attention with weights (head, inputs, units of a head)."""

    def __init__(self) -> None:
        super().__init__()
        self.read = nn.Linear(6, 12)
        self.q, self.k, self.v = (nn.Parameter(torch.randn(3, 12, 4)) for _ in range(3))
        self.out = nn.Parameter(torch.randn(3, 4, 12))
        self.last = nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.read(x).relu()
        q, k, v = (torch.einsum("bnd,hde->bhne", x, weight) for weight in (self.q, self.k, self.v))
        mixed = (q @ k.mT / 2).softmax(-1) @ v
        x = x + torch.einsum("bhne,hed->bnd", mixed, self.out)
        found: Tensor = self.last(x.mean(1))
        return found


class OneByOne(nn.Module):
    """Layers, or experts, whose weights are picked from one tensor."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.read, self.gate = nn.Linear(6, 8), nn.Linear(8, 3)
        self.up, self.bias = nn.Parameter(torch.randn(3, 8, 5)), nn.Parameter(torch.randn(3, 5))
        self.down = nn.Parameter(torch.randn(3, 5, 8))
        self.last = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.read(x).tanh()
        if self.how == "routed":
            share, best = self.gate(x).softmax(-1).max(-1)
            hidden = torch.tanh(torch.baddbmm(self.bias[best][:, None], x[:, None], self.up[best]))
            x = torch.bmm(hidden, self.down[best])[:, 0] * share[:, None]
        else:
            for number in range(3):
                x = x + torch.tanh(x @ self.up[number] + self.bias[number]) @ self.down[number]
        found: Tensor = self.last(x)
        return found


class Sloped(nn.Module):
    """Attention whose heads look back more or less far: each has a constant of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.read, self.qkv = nn.Linear(6, 12), nn.Linear(12, 36)
        self.out, self.last = nn.Linear(12, 12), nn.Linear(12, 4)
        self.register_buffer("slopes", torch.tensor([1.0, 0.5, 0.25]))

    def forward(self, x: Tensor) -> Tensor:
        x = self.read(x).relu()
        q, k, v = (one.unflatten(-1, (3, 4)).transpose(1, 2) for one in self.qkv(x).chunk(3, -1))
        scores = q @ k.mT * self.slopes[:, None, None]
        x = x + self.out((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))
        found: Tensor = self.last(x.mean(1))
        return found


def _grouped(kind: str) -> tuple[nn.Module, tuple[int, ...]]:
    none = nn.Identity()
    if kind == "resnext":
        return ResNeXt(), (3, 6, 6)
    if kind == "1-D":
        return InLine(nn.Conv1d(3, 12, 3), nn.Conv1d(12, 24, 3, groups=4), nn.Conv1d(24, 4, 1), none), (3, 12)
    if kind == "3-D":
        second = nn.Conv3d(12, 12, 3, groups=3, bias=False)
        return InLine(nn.Conv3d(3, 12, 1), second, nn.Conv3d(12, 4, 1), nn.BatchNorm3d(12)), (3, 4, 4, 4)
    if kind == "transposed":
        second = nn.ConvTranspose2d(12, 24, 3, groups=4)
        return InLine(nn.Conv2d(3, 12, 3), second, nn.Conv2d(24, 4, 1), none), (3, 6, 6)
    if kind == "two in a row":
        second = nn.Sequential(nn.Conv2d(12, 16, 3, groups=4), nn.ReLU(), nn.Conv2d(16, 24, 1, groups=4))
        return InLine(nn.Conv2d(3, 12, 3), second, nn.Conv2d(24, 4, 1), none), (3, 6, 6)
    if kind == "norm groups":
        norm = nn.GroupNorm(8, 16)
        return InLine(nn.Conv2d(3, 16, 3), nn.Conv2d(16, 8, 3, groups=4), nn.Conv2d(8, 4, 1), norm), (3, 6, 6)
    if kind == "norm groups, several in each":
        norm = nn.GroupNorm(6, 24)
        return InLine(nn.Conv2d(3, 24, 3), nn.Conv2d(24, 8, 3, groups=2), nn.Conv2d(8, 4, 1), norm), (3, 6, 6)
    if kind == "norm groups of several groups":
        norm = nn.GroupNorm(2, 24)
        second = nn.Sequential(nn.Conv2d(24, 24, 3, groups=8), nn.GroupNorm(4, 24))
        return InLine(nn.Conv2d(3, 24, 3), second, nn.Conv2d(24, 4, 1), norm), (3, 6, 6)
    if kind == "heads":
        return Heads(), (7, 6)
    if kind in ("routed", "layers"):
        return OneByOne(kind), (6,)
    if kind == "sloped":
        return Sloped(), (7, 6)
    if kind == "last layer":
        return InLine(nn.Conv2d(3, 12, 3), nn.Conv2d(12, 8, 3, groups=4), none, none), (3, 6, 6)
    return Experts(kind), (6,)


KINDS = [
    "resnext",
    "1-D",
    "3-D",
    "transposed",
    "two in a row",
    "norm groups",
    "norm groups, several in each",
    "norm groups of several groups",
    "heads",
    "einsum",
    "bmm",
    "all alike",
    "routed",
    "layers",
    "sloped",
    "last layer",
]
IN_PLACE = KINDS[-4:]
WITHIN = {
    "resnext": ["blocks.0.3.weight", "blocks.1.3.weight"],
    "1-D": ["second.weight"],
    "3-D": ["second.weight"],
    "transposed": ["second.weight"],
    "two in a row": ["second.0.weight", "second.2.weight"],
    "norm groups": ["second.weight"],
    "norm groups of several groups": ["second.0.weight"],
    "norm groups, several in each": ["second.weight"],
    "heads": ["k", "out", "q", "v"],
    "einsum": ["bias", "down", "up"],
    "bmm": ["bias", "down", "up"],
    "all alike": ["down", "up"],
    "routed": ["bias", "down", "up"],
    "layers": ["bias", "down", "up"],
    "sloped": [],
    "last layer": ["second.weight"],
}


def _any_params(model: nn.Module, seed: int) -> Params:
    rng = torch.Generator().manual_seed(seed)
    return {
        name: torch.rand(one.shape, generator=rng, dtype=torch.float64) + 0.5
        if one.ndim == 1 and one.is_floating_point()
        else torch.randn(one.shape, generator=rng, dtype=torch.float64)
        if one.is_floating_point()
        else one
        for name, one in model.state_dict().items()
    }


def _outputs(model: nn.Module, params: Params, x: Tensor) -> Tensor:
    found: Tensor = torch.func.functional_call(model.double().eval(), dict(params), (x,))
    return found


def _own_order(spec: PermutationSpec, permutations: dict[str, Tensor], group: Group) -> bool:
    """Whether a permutation has other orders in different blocks."""
    inside = permutations[group.name].view(group.blocks[0], -1) % (group.size // group.blocks[0])
    return bool((inside != inside[:1]).any())


@pytest.mark.parametrize("kind", KINDS)
def test_each_block_has_an_order_of_its_own(kind: str) -> None:
    model, shape = _grouped(kind)
    spec = discover(model, shape)
    axes = {axis.param for group in spec.groups for axis in group.axes if axis.within is not None}
    assert sorted(axes) == WITHIN[kind]
    rng = torch.Generator().manual_seed(1)
    drawn = spec.random(rng)
    inside = [group for group in spec.groups if any(axis.within is not None for axis in group.axes)]
    inside += [group for group in spec.groups if group.blocks_stay and group not in inside]
    assert any(group.blocks_stay for group in inside) == (kind in IN_PLACE)
    assert inside
    assert all(_own_order(spec, drawn, group) for group in inside)
    params, x = _any_params(model, 2), torch.randn(5, *shape, generator=rng, dtype=torch.float64)
    moved = permute(params, spec, drawn)
    before, after = _outputs(model, params, x), _outputs(model, moved, x)
    assert float((after - before).abs().max() / before.abs().max()) < TOLERANCE
    assert all(not torch.equal(moved[name], params[name]) for name in axes)
    change = output_change(model, spec, x, rng)
    assert max(change.values()) < TOLERANCE


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_permuted_comes_back(kind: str) -> None:
    model, shape = _grouped(kind)
    spec = discover(model, shape)
    params = _any_params(model, 2)
    first, second = (random(spec, torch.Generator().manual_seed(seed)) for seed in (3, 4))
    once = permute(params, spec, first)
    back = permute(once, spec, invert(first))
    assert all(torch.equal(back[name], params[name]) for name in params)
    both, one = permute(once, spec, second), permute(params, spec, compose(first, second))
    assert all(torch.equal(both[name], one[name]) for name in params)
    turned = permute(params, spec, dict(reversed(first.items())))  # in whatever order they are given
    assert all(torch.equal(turned[name], once[name]) for name in params)
    assert all(tensor.is_contiguous() for tensor in once.values())


@pytest.mark.parametrize("kind", KINDS)
def test_planted_orders_are_found_by_weights(kind: str) -> None:
    model, shape = _grouped(kind)
    spec = discover(model, shape)
    for seed in range(3):
        own = _any_params(model, seed)
        planted = permute(own, spec, random(spec, torch.Generator().manual_seed(seed + 10)))
        found = match_weights(own, planted, spec)
        back = permute(planted, spec, found.permutations)
        assert all(torch.equal(back[name], own[name]) for name in own), seed
        assert all(group.correlation > 1 - 1e-9 for group in found.quality)


@pytest.mark.parametrize(
    "kind", ["resnext", "1-D", "transposed", "norm groups", "heads", "einsum", *IN_PLACE]
)
def test_planted_orders_are_found_by_weights_beneath_noise(kind: str) -> None:
    """No copy, so that no unit is known by its weights alone: the way there is that of the descent."""
    model, shape = _grouped(kind)
    spec = discover(model, shape)
    found = []
    for seed in range(4):
        own, rng = _any_params(model, seed), torch.Generator().manual_seed(seed)
        rng_planted = torch.Generator().manual_seed(seed + 10)
        near = {
            name: one + 0.02 * torch.randn(one.shape, generator=rng, dtype=torch.float64)
            if one.is_floating_point()
            else one
            for name, one in own.items()
        }
        planted = permute(near, spec, random(spec, rng_planted))
        back = permute(planted, spec, match_weights(own, planted, spec).permutations)
        found.append(all(torch.equal(back[name], near[name]) for name in own))
    assert sum(found) >= 3, found


@pytest.mark.parametrize("kind", KINDS)
def test_planted_orders_are_found_by_activations(kind: str) -> None:
    model, shape = _grouped(kind)
    spec = discover(model, shape)
    for seed in range(3):
        rng = torch.Generator().manual_seed(seed)
        own = {
            name: one.float() if one.is_floating_point() else one
            for name, one in _any_params(model, seed).items()
        }
        planted = permute(own, spec, random(spec, rng))
        compared = compare(model.float(), spec, own, {1: planted}, torch.randn(96, *shape, generator=rng))[1]
        back = permute(planted, spec, match(compared, spec).permutations)
        assert all(torch.equal(back[name], own[name]) for name in own), seed


def test_orders_that_were_made_by_hand_are_found() -> None:
    model = ResNeXt(width=24, groups=4, blocks=1)
    spec = discover(model, (3, 6, 6))
    own, rng = _any_params(model, 1), torch.Generator().manual_seed(5)
    top = torch.randperm(4, generator=rng)
    hidden = torch.cat([6 * block + torch.randperm(6, generator=rng) for block in top])
    outputs = torch.cat([6 * block + torch.arange(6) for block in top])
    planted = dict(own)
    planted["blocks.0.0.weight"] = own["blocks.0.0.weight"][hidden]
    for norm, order in ((1, hidden), (4, outputs)):
        for part in ("weight", "bias", "running_mean", "running_var"):
            planted[f"blocks.0.{norm}.{part}"] = own[f"blocks.0.{norm}.{part}"][order]
    grouped = own["blocks.0.3.weight"][outputs].clone()
    for new in range(4):
        rows = slice(6 * new, 6 * new + 6)
        grouped[rows] = grouped[rows][:, hidden[rows] % 6]
    planted["blocks.0.3.weight"] = grouped
    planted["blocks.0.6.weight"] = own["blocks.0.6.weight"][:, outputs]
    x = torch.randn(64, 3, 6, 6, generator=rng, dtype=torch.float64)
    before = _outputs(model, own, x)
    assert float((_outputs(model, planted, x) - before).abs().max() / before.abs().max()) < TOLERANCE
    compared = compare(model, spec, own, {1: planted}, x)[1]
    for found in (match(compared, spec), match_weights(own, planted, spec)):
        back = permute(planted, spec, found.permutations)
        assert all(torch.equal(back[name], own[name]) for name in own)


def test_units_that_no_row_speaks_for_are_found_by_weights_inside_of_their_blocks() -> None:
    model = ResNeXt(width=24, groups=4, blocks=1)
    spec = discover(model, (3, 6, 6))
    for seed in range(4):
        rng = torch.Generator().manual_seed(seed)
        own = {name: one.float() for name, one in _any_params(model, seed).items() if one.is_floating_point()}
        own["blocks.0.0.weight"][torch.tensor([1, 4, 5, 13, 14])] = 0
        own = {**model.state_dict(), **own}
        planted = permute(own, spec, random(spec, rng))
        x = torch.randn(64, 3, 6, 6, generator=rng)
        compared = compare(model.float(), spec, own, {1: planted}, x)[1]
        back = permute(planted, spec, match(compared, spec).permutations)
        assert all(torch.equal(back[name], own[name]) for name in own), seed


@pytest.mark.parametrize("kind", ["resnext", "two in a row", "transposed", "einsum", "layers", "norm groups"])
def test_no_two_units_of_a_block_could_change_places_and_gain(kind: str) -> None:
    model, shape = _grouped(kind)
    spec = discover(model, shape)
    own, other = _any_params(model, 1), _any_params(model, 2)
    learnt = [name for name, _ in model.named_parameters()]

    def common(permutations: Mapping[str, Tensor]) -> float:
        matched = permute(other, spec, permutations)
        return sum(float((own[name] * matched[name]).sum()) for name in learnt)

    found = match_weights(own, other, spec).permutations
    most = common(found)
    assert most > common(identity(spec))
    for group in spec.groups:
        inner = group.size // group.blocks[-1] if group.blocks else group.size
        for first in range(group.size):
            for second in range(first + 1, (first // inner + 1) * inner):
                swapped = found[group.name].clone()
                swapped[[first, second]] = swapped[[second, first]]
                assert common({**found, group.name: swapped}) <= most + 1e-9 * abs(most)


def test_what_an_optimiser_remembers_follows() -> None:
    model, shape = _grouped("resnext")
    spec = discover(model, shape)
    drawn = random(spec, torch.Generator().manual_seed(1))
    numbers = {name: torch.arange(one.numel()).view(one.shape) for name, one in model.named_parameters()}
    whole = permute({**model.state_dict(), **numbers}, spec, drawn)
    alone = permute(numbers, spec, drawn)
    assert all(torch.equal(alone[name], whole[name]) for name in numbers)


@pytest.mark.parametrize(("first", "second", "size"), [(4, 2, 8), (2, 4, 4)])
def test_of_blocks_in_blocks_one_level_has_orders_of_its_own(first: int, second: int, size: int) -> None:
    """Of convolutions of 4 and of 2 groups behind each other the units between them had got one order for all groups."""
    net = nn.Sequential(
        nn.Conv2d(3, 16, 1), nn.Tanh(), nn.Conv2d(16, 16, 1, groups=first), nn.Tanh(),
        nn.Conv2d(16, 16, 1, groups=second), nn.Tanh(), nn.Conv2d(16, 4, 1), nn.Flatten(),
    ).eval()  # fmt: skip
    spec = discover(net, torch.randn(2, 3, 2, 2))
    between = spec.group("2")
    own, rng = _any_params(net, 1), torch.Generator().manual_seed(2)
    assert (between.size, between.blocks) == (size, (2,))
    for planted in (permute(own, spec, spec.random(rng)) for _ in range(3)):
        found = match_weights(own, planted, spec).permutations
        assert all(torch.equal(one, own[name]) for name, one in permute(planted, spec, found).items())


def test_units_of_large_blocks_beside_share_one_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Matching would take memory with the square of all of them."""
    net, x = Experts("einsum"), torch.randn(5, 6)
    assert {group.size for group in discover(net, x).groups} >= {3 * 5}
    monkeypatch.setattr(inside, "MOST_BESIDE", 14)
    sizes = {group.size for group in discover(net, x).groups}
    assert 5 in sizes
    assert 15 not in sizes


def test_units_of_one_input_each_are_in_no_block_of_their_own() -> None:
    model = InLine(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 16, 3, groups=8), nn.Conv2d(16, 4, 1), nn.BatchNorm2d(8))
    spec = discover(model, (3, 8, 8))
    assert all(axis.within is None for group in spec.groups for axis in group.axes)
    assert [(group.size, group.blocks) for group in spec.groups] == [(8, (8,)), (16, (8,))]


def test_an_order_of_each_block_gives_way_to_one_that_all_share_where_only_that_is_right() -> None:
    class Ungrouped(nn.Module):
        """Whose groups meet where no rule sees it: unit by unit in training mode."""

        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Conv2d(3, 12, 3), nn.Conv2d(16, 4, 1)
            self.second = nn.Conv2d(12, 16, 3, groups=4, bias=False)
            self.other = nn.ModuleList(
                [nn.Conv2d(3, 12, 3), nn.Conv2d(12, 16, 3, groups=4), nn.Conv2d(16, 4, 1)]
            )

        def forward(self, x: Tensor) -> Tensor:
            hidden = self.first(x).relu()
            if self.training:
                hidden = hidden + hidden.unflatten(1, (4, 3)).mean(1).repeat(1, 4, 1, 1)
            found: Tensor = self.last(self.second(hidden).relu())
            for layer in self.other:
                x = layer(x).tanh()
            return (found + x).mean((2, 3))

    model = Ungrouped()
    spec = discover(model, (3, 6, 6))
    within = [axis.param for group in spec.groups for axis in group.axes if axis.within is not None]
    assert within == ["other.1.weight"]  # one that fails takes nothing from the others
    shared = next(group for group in spec.groups if Axis("second.weight", 1) in group.axes)
    assert (shared.size, shared.blocks) == (3, ())
    assert (
        max(output_change(model, spec, torch.randn(2, 3, 6, 6), torch.Generator().manual_seed(0)).values())
        < TOLERANCE
    )


def test_blocks_that_stay_are_moved_by_nobody() -> None:
    model, shape = _grouped("layers")
    spec = discover(model, shape)
    (group,) = (group for group in spec.groups if group.blocks_stay)
    with pytest.raises(PermutationNotAdmissible, match="each of 3 blocks in its place"):
        permute(model.state_dict(), spec, {group.name: torch.arange(group.size).roll(5)})


def test_groups_that_are_wrong_in_any_order_stay() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, groups=2))
    axes = (Axis("0.weight", 0), Axis("1.weight", 1, within=0))  # without its bias
    wrong = PermutationSpec((Group("0", 8, "", axes, blocks=(2,), link="heads"),))
    asked: list[object] = []

    def build(alike: object) -> PermutationSpec:
        asked.append(alike)
        return wrong

    spec = verified(model, (torch.randn(2, 3, 6, 6),), build, torch.Generator().manual_seed(0))
    assert not spec.groups
    assert {(frozen.param, frozen.axis) for frozen in spec.frozen} == {("0.weight", 0), ("1.weight", 1)}
    assert len(asked) > 1
