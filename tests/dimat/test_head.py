"""Which layer gives the outputs: known by what it gives, not by its place or its name."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from dimat.errors import HeadNotFound, NoRows
from dimat.merging.head import head_of
from dimat.permutation import discover

X = torch.randn(6, 5)


class First(nn.Module):
    """Its head is the module that it names first."""

    def __init__(self, width: int = 6, end: Callable[[Tensor], Tensor] = lambda answers: answers) -> None:
        super().__init__()
        self.head = nn.Linear(width, 3)
        self.one = nn.Linear(5, 8)
        self.two = nn.Linear(8, width)
        self.end = end

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.head(torch.relu(self.two(torch.relu(self.one(x))))))


class Autoencoder(nn.Module):
    """The same weight on both sides of one hidden layer."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(5, 5, bias=False), nn.Linear(5, 5, bias=False)
        self.up.weight = self.down.weight

    def forward(self, x: Tensor) -> Tensor:
        answers: Tensor = self.up(torch.relu(self.down(x)))
        return answers


class Twice(First):
    """Its head is asked two times."""

    def forward(self, x: Tensor) -> Tensor:
        self.head(torch.zeros(1, 6))
        return super().forward(x)


@pytest.mark.parametrize("width", [6, 1])
@pytest.mark.parametrize("end", [lambda answers: answers, lambda answers: answers.flatten()])
def test_head_is_the_layer_whose_answers_are_the_outputs(width: int, end: Callable[[Tensor], Tensor]) -> None:
    """Also where it reads a single unit, which belongs to no group, so that other layers are all that can tell moments."""
    model = First(width, end)
    assert head_of(model, discover(model, (X,)), X) == "head"


@pytest.mark.parametrize(
    "model",
    [
        First(end=torch.relu),
        First(end=torch.relu_),
        First(end=lambda answers: answers[:, :2]),
        Twice(),
        Autoencoder(),
        nn.Sequential(nn.Linear(5, 3)),
        nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.utils.parametrizations.weight_norm(nn.Linear(8, 3))),
    ],
    ids=["changed", "changed in place", "cut", "asked twice", "tied", "raw inputs", "computed"],
)
def test_a_model_without_such_a_layer_is_refused(model: nn.Module) -> None:
    with pytest.raises(HeadNotFound):
        head_of(model, discover(model, (X,)), X)


def test_a_head_is_found_by_a_row() -> None:
    model = First()
    with pytest.raises(NoRows):
        head_of(model, discover(model, (X,)), X[:0])
