"""Fisher information of models of all kinds, and what is refused."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

from dimat.errors import (
    InputsNotTaken,
    LabelOutOfRange,
    NonFiniteInput,
    NoRows,
    OutputsNotTaken,
    ShapeMismatch,
)
from dimat.merging import fisher
from dimat.training.seeding import torch_rng
from dimat.training.targets import label_loss

pytestmark = pytest.mark.filterwarnings("ignore:There is a performance drop:UserWarning")
X = torch.randn(20, 5, 4, generator=torch_rng(0, "x"))
Y = torch.arange(20) % 3


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.cells: nn.Module = kind(4, 8, batch_first=True)  # type: ignore[call-arg]
        self.out = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.out(self.cells(x)[0][:, -1])
        return found


class Plain(nn.Module):
    """`how` it computes its hidden units changes nothing of what they are."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.hidden, self.out, self.how = nn.Linear(4, 8), nn.Linear(8, 3), how

    def forward(self, x: Tensor) -> Tensor:
        if self.how == "checkpointed":
            hidden = checkpoint(self.hidden, x[:, 0], use_reentrant=False)
        elif self.how == "in slices":
            hidden = torch.zeros(len(x), 8)
            hidden[:, :] = self.hidden(x[:, 0])
        elif self.how == "random":
            hidden = self.hidden(x[:, 0]) + 0 * torch.rand(8)
        else:
            hidden = self.hidden(x[:, 0])
        assert hidden is not None
        found: Tensor = self.out(hidden.tanh())
        return found


@pytest.mark.parametrize("kind", [nn.GRU, nn.RNN, nn.LSTM])
def test_recurrent_layers_have_information(kind: type[nn.RNNBase]) -> None:
    found = fisher.fisher(Recurrent(kind), X, Y)
    assert {name for name, one in found.items() if one.any()} == set(found)


@pytest.mark.parametrize("how", ["plain", "checkpointed", "in slices", "random"])
def test_models_that_compute_alike_have_the_same_information(how: str) -> None:
    plain, other = Plain("plain"), Plain(how)
    other.load_state_dict(plain.state_dict())
    expected, found = (fisher.fisher(model, X, Y) for model in (plain, other))
    for name in expected:
        torch.testing.assert_close(found[name], expected[name])


@pytest.mark.parametrize("model", [Plain("plain"), Recurrent(nn.LSTM)])
def test_row_by_row_it_is_the_same_as_many_at_a_time(model: nn.Module) -> None:
    for param in model.parameters():
        param.requires_grad_(False)
    at_once = fisher._many_at_a_time(model, X, Y, (label_loss,))
    singly = fisher._row_by_row(model, X, Y, (label_loss,))
    for name in at_once:
        torch.testing.assert_close(singly[name], at_once[name], rtol=1e-4, atol=1e-8)
    assert not any(param.requires_grad or param.grad is not None for param in model.parameters())


def test_rows_that_cannot_be_used_are_refused() -> None:
    model = Plain("plain")
    with pytest.raises(NoRows):
        fisher.fisher(model, X[:0], Y[:0])
    with pytest.raises(NonFiniteInput):
        fisher.fisher(model, X / 0, Y)
    with pytest.raises(ShapeMismatch):
        fisher.fisher(model, X, Y[:5])
    with pytest.raises(InputsNotTaken):
        fisher.fisher(model, X[..., :3], Y)
    for unknown in (-100, -1, 3, 99):  # -100 is a label that torch passes over
        with pytest.raises(LabelOutOfRange, match=f"of class {unknown}, .* class 0 to 2"):
            fisher.fisher(model, X, torch.where(torch.arange(20) == 7, unknown, Y))


@pytest.mark.parametrize(
    "short",
    [
        lambda: (_ for _ in ()).throw(torch.OutOfMemoryError("CUDA out of memory")),
        lambda: torch.empty(10**16),  # as the allocator of this machine says it
        lambda: (_ for _ in ()).throw(
            RuntimeError("[...] DefaultCPUAllocator: not enough memory: you tried")
        ),
        lambda: (_ for _ in ()).throw(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling")),
    ],
    ids=["CUDA", "a processor", "another processor", "a library of CUDA"],
)
@pytest.mark.parametrize("at", ["_many_at_a_time", "_row_by_row"])
def test_short_memory_is_no_reason_to_go_row_by_row(
    short: Callable[[], object], at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose sums come in another order: another run of the same step would have other last bits."""

    def other_way(*_: object) -> None:
        raise RuntimeError("vmap: it is not possible")

    monkeypatch.setattr(fisher, "_many_at_a_time", other_way)
    monkeypatch.setattr(fisher, at, lambda *_: short())
    with pytest.raises(RuntimeError, match=r"memory|ALLOC"):
        fisher.fisher(Plain("plain"), X, Y)


class Largest(TorchDispatchMode):
    """How many numbers the largest float64 tensor has that is made meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, Tensor) and made.dtype == torch.float64:
            self.numel = max(self.numel, made.numel())
        return made


@pytest.mark.parametrize("shape", [(), (50,), (50, 7), (3, 5, 7), (0, 4)])
def test_squares_are_summed_up_in_parts(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """All at once they would take four times the memory of the gradients themselves."""
    monkeypatch.setattr(fisher, "PART", 32 * 7 * 5)
    gradient_B = torch.randn(32, *shape, generator=torch_rng(1, "g"))
    total = torch.ones(shape, dtype=torch.float64)
    with Largest() as largest:
        fisher._add_squares(total, gradient_B)
    torch.testing.assert_close(total, 1 + gradient_B.double().square().sum(dim=0))
    assert largest.numel <= max(fisher.PART, total.numel())


def test_an_error_without_words_is_told_by_its_kind() -> None:
    class Unfinished(Plain):
        def forward(self, x: Tensor) -> Tensor:
            raise NotImplementedError

    with pytest.raises(InputsNotTaken, match="NotImplementedError"):
        fisher.fisher(Unfinished("plain"), X, Y)


class Giving(nn.Module):
    def __init__(self, give: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.layer, self.give = nn.Linear(4, 30), give

    def forward(self, x: Tensor) -> Any:
        return self.give(self.layer(x))


@pytest.mark.parametrize(
    ("give", "shape", "labels", "said"),
    [
        (lambda found: {"logits": found}, (4,), (), r"gives dict, .*one Tensor \(rows, outputs\)\. Wrap"),
        (lambda found: (found, found), (4,), (), "gives tuple, "),
        (lambda found: found, (5, 4), (), r"Tensor \(rows, 5, 30\), .*Tensor \(rows, outputs\)"),
        (lambda found: found, (5, 4), (5,), r"Tensor \(rows, 5, 30\).*Tensor \(rows, outputs, 5\)"),
        (lambda found: found.sum(1), (4,), (), r"Tensor \(rows\), and"),
        (lambda found: found.sum(), (4,), (), r"Tensor \(\), and"),
        (lambda found: found[:1], (4,), (), r"Tensor \(1, 30\), and"),
    ],
)
def test_outputs_that_are_no_row_of_numbers_for_each_are_said(
    give: Callable[[Tensor], Any], shape: tuple[int, ...], labels: tuple[int, ...], said: str
) -> None:
    x, y = torch.randn(6, *shape), torch.zeros(6, *labels, dtype=torch.long)
    with pytest.raises(OutputsNotTaken, match=said):
        fisher.fisher(Giving(give), x, y)


def test_a_row_may_have_several_labels() -> None:
    model = Giving(lambda found: found.movedim(1, 2))
    found = fisher.fisher(model, torch.randn(6, 5, 4), torch.zeros(6, 5, dtype=torch.long))
    assert found.keys() == {"layer.weight", "layer.bias"}
