"""What is seen of a model while it is looked at is what it computes otherwise."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dimat.errors import HiddenByVmap
from dimat.matching.activation import compare, match
from dimat.matching.weights import match_weights
from dimat.merging import gram, ridge_head
from dimat.merging.head import head_of
from dimat.permutation.apply import permute
from dimat.permutation.discover import discover
from dimat.taps import overhear


class Padded(nn.Module):
    """Reads sequences of words; 0 is padding."""

    def __init__(self, norm: bool) -> None:
        super().__init__()
        self.words = nn.Embedding(30, 16, padding_idx=0)
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(16) if norm else None)
        self.head = nn.Linear(16, 3)

    def forward(self, words: Tensor) -> Tensor:
        found: Tensor = self.head(self.encoder(self.words(words), src_key_padding_mask=words == 0).mean(1))
        return found


class Translating(nn.Module):
    def __init__(self, norm: bool) -> None:
        super().__init__()
        self.words = nn.Embedding(30, 16, padding_idx=0)
        self.both = nn.Transformer(16, 2, 1, 1, 32, batch_first=True)
        if not norm:
            self.both.encoder.norm = None
        self.head = nn.Linear(16, 3)

    def forward(self, words: Tensor) -> Tensor:
        is_padding, read = words == 0, self.words(words)
        found: Tensor = self.head(
            self.both(
                read, read[:, :3], src_key_padding_mask=is_padding, memory_key_padding_mask=is_padding
            ).mean(1)
        )
        return found


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("padding", ["behind", "before", "none"])
@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("kind", [Padded, Translating])
def test_transformers_that_pack_what_is_padded_are_seen_as_they_compute(
    kind: Any, norm: bool, padding: str
) -> None:
    torch.manual_seed(0)
    model = kind(norm).eval()
    words = torch.randint(1, 30, (20, 6))
    if padding != "none":
        words[:10, slice(4, None) if padding == "behind" else slice(2)] = 0
    with torch.no_grad():
        plain = model(words)
    spec = discover(model, (words[:4],))
    mine = model.state_dict()
    planted = permute(mine, spec, spec.random(torch.Generator().manual_seed(1)))
    found = match(compare(model, spec, mine, {1: planted}, words)[1], spec)
    back = permute(planted, spec, found.permutations)
    assert all(torch.equal(back[name], mine[name]) for name in mine)
    layers = gram.layers_of(model, spec)
    inside = next(name for name in layers if name.endswith("encoder.layers.0.linear1"))
    assert gram.gram(model, layers, words).keys() == set(layers)
    assert head_of(model, spec, words) == "head"
    ridge_head.moments(model, "head", words, torch.zeros(20, 3))

    seen: list[Tensor] = []

    def keep(layer: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        seen.append(arguments[0])

    overhear(model, words, [("head", keep), (inside, lambda *_: None)])
    with torch.no_grad():
        torch.testing.assert_close(model.head(seen[0]), plain, rtol=1e-4, atol=1e-5)
        assert torch.equal(model(words), plain)  # and it computes as before


class OtherEncoder(nn.TransformerEncoder):
    def forward(self, words: Tensor, is_padding: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(words, src_key_padding_mask=is_padding)


class OfItsOwn(Padded):
    def __init__(self) -> None:
        super().__init__(norm=False)
        self.encoder = OtherEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 1)

    def forward(self, words: Tensor) -> Tensor:
        is_padding = words == 0
        read = self.encoder(self.words(words), is_padding).masked_fill(is_padding[..., None], 0)
        found: Tensor = self.head(read.sum(1))
        return found


def test_an_encoder_that_calls_torch_s_in_its_own_way_is_seen() -> None:
    torch.manual_seed(0)
    model, words = OfItsOwn().eval(), torch.randint(1, 30, (20, 6))
    words[:10, 4:] = 0
    spec, mine = discover(model, (words[:4],)), model.state_dict()
    planted = permute(mine, spec, spec.random(torch.Generator().manual_seed(1)))
    found = match(compare(model, spec, mine, {1: planted}, words)[1], spec)
    back = permute(planted, spec, found.permutations)
    assert all(torch.equal(back[name], mine[name]) for name in mine)


class LearnedStart(nn.Module):
    """The first state is a parameter, and so the first thing that its layer reads."""

    def __init__(self) -> None:
        super().__init__()
        self.start = nn.Parameter(torch.randn(12))
        self.read, self.go_on, self.head = nn.Linear(10, 12), nn.Linear(12, 12), nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        state = self.start.expand(len(x), -1)
        for _ in range(2):
            state = torch.tanh(self.read(x) + self.go_on(state))
        found: Tensor = self.head(state)
        return found


class RelativePositions(nn.Module):
    """Words ask positions and positions ask words, by the layers with which words ask each other."""

    def __init__(self) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.randn(5, 12))
        self.read = nn.Linear(6, 12)
        self.key, self.query, self.value = (nn.Linear(12, 12) for _ in range(3))
        self.head = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        words = torch.tanh(self.read(x))
        query, key = self.query(words), self.key(words)
        scores = query @ key.mT + query @ self.key(self.positions).mT + self.query(self.positions) @ key.mT
        found: Tensor = self.head((scores.softmax(-1) @ self.value(words)).mean(1))
        return found


@pytest.mark.parametrize(
    ("kind", "shape"), [(LearnedStart, (10,)), (RelativePositions, (5, 6))], ids=lambda one: str(one)
)
def test_units_are_found_where_a_layer_reads_a_parameter(kind: Any, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    model, x = kind(), torch.randn(40, *shape)
    spec, mine = discover(model, (x[:3],)), model.state_dict()
    planted = permute(mine, spec, spec.random(torch.Generator().manual_seed(1)))
    compared = compare(model, spec, mine, {1: planted}, x)[1]
    assert not any(alike.requires_grad for alike in compared.similarity.values())
    back = permute(planted, spec, match(compared, spec).permutations)
    assert all(torch.equal(back[name], mine[name]) for name in mine)


class RowByRow(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.read, self.head = nn.Linear(10, 16), nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = torch.vmap(lambda row: self.head(self.read(row).relu()))(x)
        return found


def test_what_vmap_hides_is_refused_and_matched_by_weights() -> None:
    model, x = RowByRow(), torch.randn(20, 10)
    spec, mine = discover(model, (x,)), model.state_dict()
    said = "'(head|read)' is called inside of torch.vmap, .* Match by weights"
    with pytest.raises(HiddenByVmap, match=said):
        compare(model, spec, mine, {1: mine}, x)
    with pytest.raises(HiddenByVmap, match=said):
        gram.gram(model, ("head",), x)
    planted = permute(mine, spec, spec.random(torch.Generator().manual_seed(1)))
    back = permute(planted, spec, match_weights(mine, planted, spec).permutations)
    assert all(torch.equal(back[name], mine[name]) for name in mine)
