"""Why a model has no graph is told to whoever wrote it, and to nobody else."""

import re
import sys
from collections.abc import Callable
from types import ModuleType

import pytest
import torch
from torch import Tensor, nn

from dimat.permutation import discover, permute
from dimat.permutation.exporting import copied


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(5, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.first(x).tanh())  # type: ignore[no-any-return]


class Changing(Net):
    """It changes the numbers of a weight where nothing sees it."""

    def forward(self, x: Tensor) -> Tensor:
        self.first.weight.data.mul_(1.0)
        return super().forward(x)


class Differentiating(Net):
    def forward(self, x: Tensor) -> Tensor:
        with torch.enable_grad():
            y = x.detach().requires_grad_()
            (slope,) = torch.autograd.grad(self.first(y).tanh().sum(), y)
        return super().forward(x + slope)


class Checking(Net):
    def forward(self, x: Tensor) -> Tensor:
        if torch.isnan(x).any():
            raise ValueError("no numbers")
        return super().forward(x)


def compiled() -> nn.Module:
    script: nn.Module = torch.jit.script(
        nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 3))
    )
    return script


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
@pytest.mark.parametrize(
    ("make", "why"),
    [
        (Changing, "does what no graph can say"),
        (Differentiating, "does what no graph can say"),
        (Checking, "depends on values of its inputs, as by an `if` on a tensor"),
        (compiled, "compiled by `torch.jit`"),
    ],
)
def test_why_a_model_has_no_graph_is_said_in_plain_words_and_nowhere_else(
    make: Callable[[], nn.Module], why: str, capfd: pytest.CaptureFixture[str]
) -> None:
    spec = discover(make(), (5,))
    (reason,) = {one.reason for one in spec.frozen}
    assert re.fullmatch(r"the model has no graph: [^()]*(\(`[a-z.]+`\))?[^()]*", reason)
    assert why in reason
    assert "github" not in reason
    assert capfd.readouterr() == ("", "")


def test_a_model_without_numbers_is_told_to_be_given_inputs_without_numbers() -> None:
    model, x = Net().to("meta"), torch.randn(2, 5)
    assert "`meta`, and these inputs are not; give inputs that are" in discover(model, x).frozen[0].reason
    assert discover(model, x.to("meta")).coverage > 0


def test_a_compiled_model_is_read_as_it_was_written() -> None:
    """To compile it for every dtype and mode under test would take long and print warnings."""
    torch.manual_seed(1)
    made: list[object] = []

    def backend(graph: torch.fx.GraphModule, inputs: object) -> Callable[..., object]:
        made.append(inputs)
        return graph.forward

    compiled: nn.Module = torch.compile(Net(), backend=backend)
    x = torch.randn(4, 5)
    spec = discover(compiled, (x,))
    assert not made
    assert [group.name for group in spec.groups] == ["_orig_mod.first"]
    state = compiled.state_dict()
    before = compiled(x)
    assert len(made) == 1
    compiled.load_state_dict(permute(state, spec, spec.random(torch.Generator().manual_seed(2))))
    torch.testing.assert_close(compiled(x), before)


def test_a_model_is_copied_while_another_thread_loads_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of which there is only the beginning then."""
    monkeypatch.setitem(sys.modules, "torch._dynamo", ModuleType("torch._dynamo"))
    assert isinstance(copied(Net()), Net)
