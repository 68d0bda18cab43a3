"""Slices that take one of each run of entries: units may be reordered in whole runs, as behind `unflatten` and a select."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from dimat.matching.activation import compare, match
from dimat.matching.weights import match_weights
from dimat.permutation import discover, permute
from dimat.permutation.collect import collect
from dimat.permutation.selftest import randomised
from dimat.permutation.trace import trace
from dimat.training.seeding import torch_rng

HEADS, WIDTH = 3, 4


class Gated(nn.Module):
    """Gates and values in turn."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.wide, self.narrow, self.last = (
            nn.Linear(*sizes) for sizes in ((12, 10), (10, 16), (8, 10), (10, 3))
        )

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.first(x[:, 0]))
        z = self.wide(x)
        found: Tensor = self.last(torch.tanh(x + self.narrow(functional.silu(z[..., ::2]) * z[..., 1::2])))
        return found


class Attention(nn.Module):
    """Each head's q, k and v in turn."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(12, 3 * HEADS * WIDTH), nn.Linear(HEADS * WIDTH, 3)

    def forward(self, x: Tensor) -> Tensor:
        z = self.qkv(x)
        q, k, v = (z[..., i::3].unflatten(-1, (HEADS, WIDTH)).transpose(1, 2) for i in range(3))
        y = (self.turned(q) @ self.turned(k).transpose(-1, -2)).softmax(-1) @ v
        found: Tensor = self.out(y.transpose(1, 2).flatten(2)).mean(1)
        return found

    def turned(self, x: Tensor) -> Tensor:
        return x


class RotaryByPairs(Attention):
    """Each pair of units turns at a speed of its own."""

    def turned(self, x: Tensor) -> Tensor:
        speed = 100 ** -torch.linspace(0, 1, WIDTH // 2, dtype=x.dtype)
        return turned(x, torch.arange(x.shape[-2], dtype=x.dtype)[:, None] * speed)


class RotaryAlike(Attention):
    """Nothing tells the pairs apart."""

    def turned(self, x: Tensor) -> Tensor:
        return turned(x, torch.arange(x.shape[-2], dtype=x.dtype)[:, None])


def turned(x: Tensor, angle: Tensor) -> Tensor:
    first, second = x[..., ::2], x[..., 1::2]
    return torch.stack(
        [
            first * angle.cos() - second * angle.sin(),
            first * angle.sin() + second * angle.cos(),
        ],
        -1,
    ).flatten(-2)


class Experts(nn.Module):
    """As of gpt-oss: the two best experts, in each of them gates and values in turn."""

    def __init__(self) -> None:
        super().__init__()
        self.router, self.wide = nn.Linear(12, 4), nn.Linear(12, 4 * 14)
        self.narrow, self.shift = nn.Parameter(torch.randn(4, 7, 3)), nn.Parameter(torch.randn(4, 3))

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, 0]
        score = self.router(x)
        share = score.masked_fill(score < score.topk(2, -1).values[:, -1:], -torch.inf).softmax(-1)
        z = self.wide(x).view(-1, 4, 14)
        gate, value = z[..., ::2].clamp(max=7), z[..., 1::2].clamp(-7, 7)
        y = torch.einsum("bef,efo->beo", (value + 1) * gate * (1.7 * gate).sigmoid(), self.narrow)
        return (share[..., None] * (y + self.shift)).sum(1)


class Nested(nn.Module):
    """Slices of slices, of rows of a matrix too, and of a part that begins at a seam."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.wide = nn.Linear(12, 24 + 8), nn.Parameter(torch.randn(36, 24))
        self.last, self.end = nn.Linear(18 + 6 + 4, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        whole = torch.tanh(self.first(x[:, 0]))
        z, rest = whole[..., :24], whole[..., 24:]
        odd = z @ self.wide[1::2].T + z @ self.wide[::2].T
        both = torch.cat(
            [torch.tanh(odd), z[..., 1::2][..., ::2] * z[..., 3::4], rest[..., ::2] * rest[..., 1::2]], -1
        )
        found: Tensor = self.end(torch.tanh(self.last(both)))
        return found


class Normed(nn.Module):
    """One norm over all numbers of a matrix."""

    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Linear(12, 9), parametrizations.weight_norm(nn.Linear(9, 8), dim=None)]
        self.body = nn.Sequential(layers[0], nn.Tanh(), layers[1], nn.Tanh(), nn.Linear(8, 3))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.body(x[:, 0])
        return found


NETWORKS: dict[Callable[[], nn.Module], list[int]] = {
    Gated: [10, 8],
    Attention: [HEADS * WIDTH],
    RotaryByPairs: [HEADS],
    RotaryAlike: [HEADS * WIDTH // 2],
    Experts: [4, 28],
    Nested: [6, 4, 18, 6],
    Normed: [9, 8],
}
"""The sizes of their groups."""
ROWS = torch.randn(200, 5, 12, generator=torch_rng(1, "rows")).double()


@pytest.mark.parametrize("make", NETWORKS)
def test_planted_permutations_leave_the_function_and_are_found(make: Callable[[], nn.Module]) -> None:
    model = make()
    spec = discover(model, (5, 12))
    assert spec.coverage > 0.9
    assert [group.size for group in spec.groups] == NETWORKS[make]
    assert not any("self-test" in one.reason for one in spec.frozen)
    for seed in range(6):
        net = randomised(model, torch_rng(seed, "params")).eval()
        own = {name: one.clone() for name, one in net.state_dict().items()}
        other = permute(own, spec, spec.random(torch_rng(seed, "planted")))
        assert any(not torch.equal(own[name], other[name]) for name in own)
        with torch.no_grad():
            before = net(ROWS)
            net.load_state_dict(dict(other))
            assert (net(ROWS) - before).abs().max() < 1e-10 * before.abs().max()
            net.load_state_dict(own)
        for found in (
            match_weights(own, other, spec),
            match(compare(net, spec, own, {1: other}, ROWS)[1], spec),
        ):
            again = permute(other, spec, found.permutations)
            assert all(torch.equal(again[name], own[name]) for name in own), seed


HELD: dict[str, Callable[[Tensor], Tensor]] = {
    "entries left over": lambda x: x[:, ::3] + x[:, 1::3],
    "an end before the last": lambda x: x[:, :6:2] * x[:, 2::2],
    "a start behind the first run": lambda x: x[:, 2::2],
    "more than there are": lambda x: x[:, 3::9],
    "runs beside others": lambda x: x[:, ::2] * x[:, 4:],
    "each run at a place of its own": lambda x: x[:, ::2] * torch.arange(4),
}  # fmt: skip


class Between(nn.Module):
    def __init__(self, middle: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.middle = nn.Linear(5, 8), middle
        self.last = nn.Linear(middle(torch.zeros(2, 8)).shape[1], 3)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.last(self.middle(torch.tanh(self.first(x))))
        return found


@pytest.mark.parametrize("name", HELD)
def test_other_slices_hold_their_units(name: str) -> None:
    """As they are before the self-test, which would catch a wrong one."""
    torch.manual_seed(1)
    assert collect(trace(Between(HELD[name]), (torch.randn(4, 5),))).groups == ()
