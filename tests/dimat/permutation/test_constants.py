"""Constants of an architecture that lie in its state dict: masks, slopes, frequencies. The same at all sites, they must stay so."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from dimat.merging.mix import MergeInputs
from dimat.merging.registry import METHODS
from dimat.methods import Method
from dimat.parts import MergeSpec
from dimat.permutation import discover, permute

WIDTH, HEADS = 24, 4


class Masked(nn.Module):
    """A masked autoencoder: outputs read only inputs before them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, WIDTH), nn.Linear(WIDTH, 6)
        order, degrees = torch.arange(6), torch.arange(WIDTH) % 5
        self.register_buffer("mask", (degrees[:, None] >= order).float())
        self.register_buffer("last_mask", (order[:, None] > degrees).float())

    def forward(self, x: Tensor) -> Tensor:
        h = functional.relu(functional.linear(x, self.first.weight * self.mask, self.first.bias))
        return functional.linear(h, self.last.weight * self.last_mask, self.last.bias)


class Leaky(nn.Module):
    """Each unit forgets at its own, fixed rate."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.again, self.out = nn.Linear(6, WIDTH), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 2)
        self.register_buffer("rate", torch.linspace(0.1, 0.9, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(len(x), WIDTH)
        for _ in range(3):
            h = self.rate * h + (1 - self.rate) * torch.tanh(self.into(x) + self.again(h))
        found: Tensor = self.out(h)
        return found


class Sloped(nn.Module):
    """Attention whose heads see nearby tokens better, each by a slope of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.into = nn.Linear(6, WIDTH)
        self.q, self.k, self.v, self.o = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.register_buffer("slopes", 2.0 ** -torch.arange(1.0, HEADS + 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.into(x)
        q, k, v = (f(x).unflatten(2, (HEADS, -1)).transpose(1, 2) for f in (self.q, self.k, self.v))
        place = torch.arange(x.shape[1])
        far = -self.slopes[:, None, None] * (place[None] - place[:, None]).abs()
        return self.o(
            functional.scaled_dot_product_attention(q, k, v, attn_mask=far).transpose(1, 2).flatten(2)
        )[..., :3]


ROWS = {Masked: (60, 6), Leaky: (60, 6), Sloped: (20, 7, 6)}


def two(kind: type[nn.Module]) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(1)
    return kind(), kind()


@pytest.mark.parametrize("kind", ROWS)
def test_they_are_the_same_after_a_permutation(kind: type[nn.Module]) -> None:
    model, _ = two(kind)
    spec = discover(model, torch.randn(ROWS[kind]))
    for seed in range(3):
        other = permute(model.state_dict(), spec, spec.random(torch.Generator().manual_seed(seed)))
        for name, buffer in model.named_buffers():
            assert torch.equal(other[name], buffer), name


@pytest.mark.parametrize("method", ["plain_average", "dimat", "weight_matching", "common_basis"])
@pytest.mark.parametrize("kind", ROWS)
def test_they_are_the_same_after_a_merge(kind: type[nn.Module], method: Method) -> None:
    torch.manual_seed(1)
    models = {site: kind() for site in range(3)}
    rows = torch.randn(ROWS[kind])
    params = {site: model.state_dict() for site, model in models.items()}
    before = {name: buffer.clone() for name, buffer in models[0].named_buffers()}
    given = MergeInputs(
        models[0], discover(models[0], rows), 0, params, dict.fromkeys(models, 1 / 3), rows, MergeSpec()
    )
    merged = METHODS[method](given)
    for name, buffer in before.items():
        assert torch.equal(merged.params[name], buffer), name


class Counted(nn.Module):
    """A codebook that training moves and a layer whose statistics are frozen: not constants, though no optimiser knows them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(6, WIDTH), Frozen(), nn.Linear(WIDTH, 2)
        self.register_buffer("mean", torch.linspace(0, 1, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(self.first(x))
        if self.training:
            self.mean.mul_(0.9).add_(0.1 * h.detach().mean(dim=0))
        found: Tensor = self.last(torch.tanh(h - self.mean))
        return found


class Frozen(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        for name in ("scale", "shift", "running_mean"):
            self.register_buffer(name, torch.linspace(0.5, 1.5, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.running_mean) * self.scale + self.shift


def test_what_training_moves_and_statistics_follow_their_units() -> None:
    spec = discover(Counted(), torch.randn(60, 6))
    assert spec.coverage > 0.99
    follow = {axis.param for group in spec.groups for axis in group.axes}
    assert {"mean", "norm.scale", "norm.shift", "norm.running_mean"} <= follow


@pytest.mark.parametrize("normed", [nn.utils.spectral_norm, nn.utils.parametrizations.spectral_norm])
def test_a_power_iteration_that_has_arrived_is_no_constant(normed: Callable[[nn.Module], nn.Module]) -> None:
    torch.manual_seed(1)
    model = nn.Sequential(normed(nn.Linear(6, WIDTH)), nn.ReLU(), nn.Linear(WIDTH, 2)).train()
    for _ in range(300):
        model(torch.randn(4, 6))
    assert discover(model, torch.randn(4, 6)).groups
