"""Heads and experts that are cut into parts, inside of which units recur: activations find the order of all of them."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from dimat.matching.activation import compare, match
from dimat.matching.blocks import assignments
from dimat.merging.mix import MergeInputs
from dimat.merging.registry import METHODS
from dimat.parts import MergeSpec
from dimat.permutation import Group, PermutationSpec, compose, discover, permute, random
from dimat.permutation.selftest import randomised
from dimat.permutation.tapping import without_circles
from dimat.training.seeding import torch_rng

HEADS, WIDTH = 4, 6


class Attention(nn.Module):
    """q, k and v of four heads, each head as it comes; what is made of them comes after."""

    def __init__(self, value_width: int = WIDTH) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(12, HEADS * WIDTH) for _ in range(3))
        self.out = nn.Linear(HEADS * value_width, 3)

    def split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)

    def given(self, y: Tensor) -> Tensor:
        found: Tensor = self.out(y.transpose(1, 2).flatten(2)).mean(1)
        return found

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.split(self.q(x)), self.split(self.k(x)), self.split(self.v(x))
        return self.given(self.attended(q, k, v))

    def attended(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return scores(q, k) @ v


def scores(q: Tensor, k: Tensor) -> Tensor:
    return (q @ k.transpose(-1, -2)).softmax(-1)


def rotated(x: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    angle = torch.arange(x.shape[-2], dtype=x.dtype)[:, None] / 100 ** (torch.arange(half).to(x) / half)
    first, second = x.chunk(2, -1)
    return torch.cat(
        [
            first * angle.cos() - second * angle.sin(),
            first * angle.sin() + second * angle.cos(),
        ],
        -1,
    )


class Fused(Attention):
    """GPT-NeoX, Bloom: q, k and v of a head side by side."""

    def __init__(self) -> None:
        super().__init__()
        del self.q, self.k, self.v
        self.qkv = nn.Linear(12, HEADS * 3 * WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.split(self.qkv(x)).chunk(3, -1)
        return self.given(self.attended(q, k, v))


class PartlyRotated(Attention):
    def attended(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k = (torch.cat([rotated(one[..., :2]), one[..., 2:]], -1) for one in (q, k))
        return scores(q, k) @ v


class Latent(Attention):
    """DeepSeek: parts of a head with and without positions; k and v of all heads from a few numbers."""

    def __init__(self) -> None:
        super().__init__()
        del self.k, self.v
        self.q, self.turned = nn.Linear(12, HEADS * (WIDTH + 2)), nn.Linear(12, 2)
        self.down, self.up = nn.Linear(12, 10), nn.Linear(10, HEADS * 2 * WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        plain, turned = self.split(self.q(x)).split([WIDTH, 2], -1)
        k, v = self.split(self.up(self.down(x))).chunk(2, -1)
        at = rotated(turned) @ rotated(self.turned(x))[:, None].transpose(-1, -2)
        return self.given((plain @ k.transpose(-1, -2) + at).softmax(-1) @ v)


class FusedByGroup(nn.Module):
    """InternLM, Falcon: two queries, a key and a value of each group side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(12, 3 * 4 * 5), nn.Linear(3 * 2 * 5, 3)

    def forward(self, x: Tensor) -> Tensor:
        z = self.qkv(x).unflatten(-1, (3, 4, 5))
        q = z[..., :2, :].flatten(2, 3).transpose(1, 2)
        k, v = (z[..., i, :].transpose(1, 2).repeat_interleave(2, 1) for i in (2, 3))
        found: Tensor = self.out((scores(q, k) @ v).transpose(1, 2).flatten(2)).mean(1)
        return found


class Differential(Attention):
    def attended(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k = (one.unflatten(-1, (2, -1)).movedim(-2, 0) for one in (q, k))
        first, second = scores(q, k)
        return (first - 0.5 * second) @ v


class DifferentialByHalves(Attention):
    def attended(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        first, second = (scores(*both) for both in zip(q.chunk(2, -1), k.chunk(2, -1), strict=True))
        return (first - 0.5 * second) @ v


class DifferentialOfTwiceTheHeads(Attention):
    def forward(self, x: Tensor) -> Tensor:
        q, k = (one.unflatten(-1, (2 * HEADS, -1)).transpose(1, 2) for one in (self.q(x), self.k(x)))
        both = scores(q, k).unflatten(1, (HEADS, 2))
        return self.given((both[:, :, 0] - 0.5 * both[:, :, 1]) @ self.split(self.v(x)))


class DifferentialLatent(nn.Module):
    """Both at once, behind a norm of each head."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(12, 24), nn.Linear(24, 3)
        self.down_q, self.up_q = nn.Linear(24, 10), nn.Linear(10, 24)
        self.down, self.k, self.v = nn.Linear(24, 9), nn.Linear(9, 24), nn.Linear(9, 24)
        self.norm, self.out = nn.GroupNorm(4, 24), nn.Linear(24, 24)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        low = functional.rms_norm(self.down(x), (9,))
        q, k = (
            one.unflatten(-1, (4, 2, 3)).permute(3, 0, 2, 1, 4)
            for one in (self.up_q(self.down_q(x)), self.k(low))
        )
        first, second = scores(q, k)
        y = (first - 0.5 * second) @ self.v(low).unflatten(-1, (4, 6)).transpose(1, 2)
        y = self.norm(y.transpose(1, 2).flatten(0, 1).flatten(1)).view_as(x)
        found: Tensor = self.last((x + self.out(y)).mean(1))
        return found


class FusedExperts(nn.Module):
    """Gates and values of an expert side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.router, self.wide = nn.Linear(12, 4), nn.Linear(12, 4 * 14)
        self.narrow = nn.Parameter(torch.randn(4, 7, 3))

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, 0]
        gate, value = self.wide(x).view(-1, 4, 14).chunk(2, -1)
        return torch.einsum(
            "be,bef,efo->bo", self.router(x).softmax(-1), functional.silu(gate) * value, self.narrow
        )


class GroupsOfHeads(nn.Module):
    """Three levels: groups, the heads of each, and the units of each, which recur in two parts of a query."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = nn.Linear(12, 3 * 2 * 2 * 3), nn.Linear(12, 3 * 2 * 3), nn.Linear(12, 18)
        self.norm, self.scale, self.out = nn.LayerNorm(3), nn.Parameter(torch.ones(3)), nn.Linear(36, 3)

    def forward(self, x: Tensor) -> Tensor:
        q = self.norm(self.q(x).unflatten(-1, (3, 2, 2, 3)))
        k = self.norm(self.k(x).unflatten(-1, (3, 2, 3)))
        v = self.v(x).unflatten(-1, (3, 2, 3)) * self.scale
        at = torch.einsum("btghcd,bsgcd->bghcts", q, k).softmax(-1)
        y = torch.einsum("bghts,bsgcd->btghcd", at[..., 0, :, :] - 0.5 * at[..., 1, :, :], v)
        found: Tensor = self.out(y.flatten(2)).mean(1)
        return found


class Packed(nn.Module):
    """Queries, fewer keys and fewer values one behind the other, under one norm: its units recur in blocks of several groups."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.norm, self.out = nn.Linear(12, (4 + 2 + 2) * 5), nn.LayerNorm(5), nn.Linear(20, 3)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.norm(self.qkv(x).unflatten(-1, (8, 5))).transpose(1, 2).split([4, 2, 2], 1)
        y = scores(q, k.repeat_interleave(2, 1)) @ v.repeat_interleave(2, 1)
        found: Tensor = self.out(y.transpose(1, 2).flatten(2)).mean(1)
        return found


class HeldBlocks(nn.Module):
    """The training pass sees the order of blocks that lie in other blocks: these stay, as the self-test finds, and their units do not."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.wide, self.last = nn.Linear(12, 3 * 4 * 5), nn.Linear(60, 8), nn.Linear(8, 3)
        self.of_units, self.of_blocks = nn.Parameter(torch.ones(5)), nn.Parameter(torch.ones(4, 1))

    def forward(self, x: Tensor) -> Tensor:
        z = torch.tanh(self.first(x[:, 0]).unflatten(-1, (3, 4, 5)) * self.of_units * self.of_blocks)
        if self.training:
            z = z.cumsum(2)
        found: Tensor = self.last(torch.tanh(self.wide(z.flatten(1))))
        return found


class SharedNorm(Attention):
    """What lies in no parts: units of all heads that one norm ties together."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)

    def attended(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return scores(self.norm(q), self.norm(k)) @ v


class Gated(Attention):
    """The same: gate and value of a head."""

    def __init__(self) -> None:
        super().__init__(WIDTH // 2)

    def attended(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        gate, value = (scores(q, k) @ v).unflatten(-1, (2, -1)).unbind(-2)
        return gate.sigmoid() * value


class OneKey(Attention):
    """The same: all heads share a key and a value."""

    def __init__(self) -> None:
        super().__init__()
        self.k, self.v = nn.Linear(12, WIDTH), nn.Linear(12, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.given(self.attended(self.split(self.q(x)), self.k(x)[:, None], self.v(x)[:, None]))


NETWORKS = [
    Fused,
    PartlyRotated,
    Latent,
    FusedByGroup,
    Differential,
    DifferentialByHalves,
    DifferentialOfTwiceTheHeads,
    DifferentialLatent,
    FusedExperts,
    GroupsOfHeads,
    Packed,
    HeldBlocks,
    SharedNorm,
    Gated,
    OneKey,
]
ROWS = torch.randn(200, 5, 12, generator=torch_rng(1, "rows")).double()


@pytest.mark.parametrize("make", NETWORKS)
def test_planted_permutations_are_found_and_a_merge_leaves_the_function(
    make: Callable[[], nn.Module],
) -> None:
    model = make()
    spec = discover(model, (5, 12))
    assert spec.coverage > 0.95
    for seed in range(6):
        net = randomised(model, torch_rng(seed, "params")).eval()
        own, planted = net.state_dict(), random(spec, torch_rng(seed, "planted"))
        other = permute(own, spec, planted)
        found = match(compare(net, spec, own, {1: other}, ROWS)[1], spec)
        undone = compose(planted, found.permutations)
        assert {name: p.tolist() for name, p in undone.items()} == {
            group.name: list(range(group.size)) for group in spec.groups
        }, seed
    with torch.no_grad():
        before = net(ROWS)
    merged = METHODS["dimat"](
        MergeInputs(net, spec, 0, {0: own, 1: other}, {0: 0.5, 1: 0.5}, ROWS, MergeSpec(), {})
    )
    net.load_state_dict(dict(merged.params))
    with torch.no_grad():
        torch.testing.assert_close(net(ROWS), before)


def test_groups_that_wait_for_each_other_are_matched_by_weights() -> None:
    linked = Group("linked", 4, "tap", (), blocks=(2,), link="heads", under=("blocks",))
    heads = Group("heads", 2, "tap", (), blocks=(2,), link="heads")
    blocks = Group("blocks", 3, "tap", (), under=("heads",))
    alone, units = Group("alone", 5, "tap", ()), Group("units", 6, "tap", (), under=("alone", "blocks"))
    found = without_circles((units, linked, alone, heads, blocks))
    assert [group.name for group in found] == ["units", "linked", "alone", "heads", "blocks"]
    # Who only waits for one of them is none of them.
    assert found == (units, replace(linked, tap="", under=()), alone, heads, blocks)
    assert set(without_circles((blocks, heads, units, linked, alone))) in (
        set(found),
        {units, linked, alone, heads, replace(blocks, tap="", under=())},
    )
    assignments({}, PermutationSpec(found))
    apart = (units, replace(linked, under=()), alone, heads, blocks)
    assert without_circles(apart) == apart
