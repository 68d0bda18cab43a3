"""Models in which one tensor has two names: what merging makes of it is the same under both."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from dimat.merging import fisher, gram, ridge_head
from dimat.merging.mix import MergeInputs, Remembered
from dimat.merging.registry import METHODS
from dimat.methods import MOMENTS_OF, Method
from dimat.params import Params, layout_of
from dimat.parts import MergeSpec
from dimat.permutation import discover
from dimat.wire.codec import decode, encode

WORDS, CLASSES = 11, 3


class Tied(nn.Module):
    """Looks words up in a table, and what it makes of them in the same table again."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(WORDS, 8)
        self.hidden = nn.Linear(8, 16)
        self.back = nn.Linear(16, 8)
        self.words = nn.Linear(8, WORDS, bias=False)
        self.words.weight = self.table.weight
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        seen = self.back(torch.relu(self.hidden(self.table(x).mean(1))))
        recalled = self.words(seen).softmax(dim=-1) @ self.table.weight
        answers: Tensor = self.head(torch.relu(seen + recalled))
        return answers


torch.manual_seed(4)
NETS = {0: Tied(), 1: Tied()}
X, Y = torch.randint(0, WORDS, (40, 5)), torch.randint(0, CLASSES, (40,))
SPEC = discover(NETS[0], (X[:4],))


def told(method: Method, net: nn.Module) -> Params:
    match MOMENTS_OF.get(method):
        case "fisher":
            return fisher.fisher(net, X, Y)
        case "gram":
            return gram.gram(net, gram.layers_of(net, SPEC), X)
        case "head":
            return ridge_head.moments(net, "head", X, functional.one_hot(Y, CLASSES))
    return {}


@pytest.mark.parametrize("method", METHODS)
def test_the_merged_model_is_the_one_that_the_method_made_under_either_name(method: Method) -> None:
    models = {j: net.state_dict() for j, net in NETS.items()}
    moments = {j: told(method, net) for j, net in NETS.items()}
    given = MergeInputs(Tied(), SPEC, 0, models, {0: 0.5, 1: 0.5}, X, MergeSpec(), moments)
    first = METHODS[method](given)
    memory = None
    if method == "slowmo":
        assert first.momentum is not None
        moved = {name: torch.ones_like(value) for name, value in first.momentum.items()}
        memory = Remembered(moved, models[0])
    merged = METHODS[method](replace(given, before=memory)).params
    loaded = Tied()
    loaded.load_state_dict(dict(merged))
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, merged[name]), name
    plain = METHODS["plain_average"](given).params
    if method in ("slowmo", "fisher"):
        assert not torch.allclose(loaded.table.weight, plain["table.weight"])


def test_what_has_two_names_can_be_stored() -> None:
    state, moments = NETS[0].state_dict(), fisher.fisher(NETS[0], X, Y)
    assert set(moments) == set(state)
    for params in (state, moments):
        back = decode(encode(params), layout_of(params))
        assert all(torch.equal(back[name], params[name]) for name in params)
