"""Weight matching recognises a model that is the own one with its units in another order, whatever it is made of."""

import pytest
import torch
from torch import Tensor, nn

from dimat.matching.reordered import order_of_copy
from dimat.matching.weights import match_weights
from dimat.permutation import discover, permute

WIDTH = 16


class Experts(nn.Module):
    """Stacked in one tensor: units that only other permuted units tell apart."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.gate = nn.Linear(6, WIDTH), nn.Linear(WIDTH, 4)
        self.first, self.second = (nn.Parameter(torch.randn(4, WIDTH, WIDTH)) for _ in range(2))
        self.out = nn.Linear(WIDTH, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.relu(self.into(x))
        inner = torch.relu(torch.einsum("bi,eio->beo", h, self.first))
        mixed = torch.einsum("beo,eoi,be->bi", inner, self.second, self.gate(h).softmax(dim=1))
        found: Tensor = self.out(mixed)
        return found


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.into, self.out = nn.Linear(6, WIDTH), nn.Linear(WIDTH, 3)
        self.asked = nn.Parameter(torch.randn(1, 2, WIDTH))
        self.attention = nn.MultiheadAttention(WIDTH, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        h = self.into(x)
        pooled, _ = self.attention(self.asked.expand(len(x), -1, -1), h, h)
        found: Tensor = self.out(pooled.mean(dim=1))
        return found


INPUTS = {Experts: torch.randn(2, 6), Attending: torch.randn(2, 5, 6)}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", INPUTS)
def test_a_planted_permutation_is_found(kind: type[nn.Module], seed: int) -> None:
    torch.manual_seed(seed)
    model = kind()
    spec = discover(model, INPUTS[kind])
    own = model.state_dict()
    other = permute(own, spec, spec.random(torch.Generator().manual_seed(seed)))
    back = permute(other, spec, match_weights(own, other, spec).permutations)
    assert all(torch.equal(own[name], back[name]) for name in own)


@pytest.mark.parametrize("kind", INPUTS)
def test_a_model_that_started_by_itself_is_no_copy(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    one, other = kind(), kind()
    assert order_of_copy(one.state_dict(), other.state_dict(), discover(one, INPUTS[kind])) is None


@pytest.mark.parametrize("noise", [0.0, 1e-6, 1e-4])
def test_units_that_nothing_tells_apart_stay_where_they_are(noise: float) -> None:
    """Layers that begin as the identity: sorted, all units are alike."""
    torch.manual_seed(0)
    model = nn.Sequential(
        *(part for _ in range(4) for part in (nn.Linear(WIDTH, WIDTH), nn.ReLU())), nn.Linear(WIDTH, 3)
    )
    for layer in list(model)[2:-1:2]:
        nn.init.eye_(layer.weight)  # type: ignore[arg-type]
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    own = model.state_dict()
    other = {name: value + noise * torch.randn_like(value) for name, value in own.items()}
    spec = discover(model, torch.randn(2, WIDTH))
    back = permute(other, spec, match_weights(own, other, spec).permutations)
    assert all(torch.allclose(own[name], back[name], atol=10 * noise) for name in own)
