"""How a site chooses between the model it shares in and the one it trained alone."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from dimat.training.mixture import SHARES, best_share, mixed
from dimat.training.targets import Classes, Numbers

LABELS = torch.arange(12) % 3
SURE = torch.nn.functional.one_hot(LABELS, 3).double()
WRONG = SURE.roll(1, dims=1)


def surprise(probabilities_SC: Tensor) -> float:
    return float(-probabilities_SC.gather(1, LABELS[:, None]).clamp_min(1e-12).log().mean())


def of_labels(probabilities_SC: Tensor) -> Tensor:
    return Classes(np.full(3, 1 / 3), LABELS).surprise(probabilities_SC, LABELS)


def test_the_model_that_knows_the_labels_is_asked_alone() -> None:
    assert best_share(SURE, WRONG, of_labels) == 0.0
    assert best_share(WRONG, SURE, of_labels) == 1.0


def test_between_equal_models_the_shared_one_is_asked() -> None:
    assert best_share(SURE, SURE, of_labels) == 0.0


def test_each_is_asked_where_it_knows_half() -> None:
    shared, alone = (
        torch.where(LABELS[:, None] < 2, SURE, WRONG),
        torch.where(LABELS[:, None] < 1, WRONG, SURE),
    )
    assert 0.0 < best_share(shared, alone, of_labels) < 1.0


@given(seed=st.integers(0, 2**31))
def test_no_other_share_is_less_surprised(seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    shared, alone = (torch.randn(12, 3, generator=rng).double().mul(2).softmax(1) for _ in range(2))
    chosen = surprise(mixed(shared, alone, best_share(shared, alone, of_labels)))
    assert all(chosen <= surprise(mixed(shared, alone, share)) + 1e-12 for share in SHARES)


def test_of_numbers_the_share_with_the_least_squared_error_is_chosen() -> None:
    y = torch.linspace(-1, 1, 12)[:, None]
    numbers = Numbers(1)
    shared, alone = (numbers.predicted(y + error) for error in (0.3, -0.1))
    share = best_share(shared, alone, lambda predicted: numbers.surprise(predicted, y))
    assert share == 0.75
    torch.testing.assert_close(mixed(shared, alone, share), y.double())
