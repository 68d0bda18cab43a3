"""What outputs are worth where targets are numbers."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from dimat.training.scores import determination
from dimat.training.targets import Numbers

Y = torch.tensor([[1.0, 10.0], [2.0, 30.0], [3.0, 20.0], [6.0, 40.0]])


def drawn(seed: int) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    y, error = (torch.randn(20, 3, generator=rng, dtype=torch.float64) for _ in range(2))
    return y + error, y


def test_the_targets_themselves_score_1_and_their_mean_0() -> None:
    assert determination(Y, Y) == 1.0
    assert determination(Y.mean(dim=0).expand(4, 2), Y) == 0.0


def test_worse_than_the_mean_is_negative() -> None:
    # Deviations from 3: 4 + 1 + 0 + 9 = 14; predicted 0 everywhere errs by 1 + 4 + 9 + 36 = 50.
    assert determination(torch.zeros(4, 1), Y[:, :1]) == pytest.approx(1 - 50 / 14)


def test_outputs_count_the_same() -> None:
    outputs = torch.stack([Y[:, 0], Y[:, 1].mean().expand(4)], dim=1)
    assert determination(outputs, Y) == pytest.approx(0.5)


def test_targets_that_are_all_the_same_are_met_or_not() -> None:
    same = torch.full((4, 1), 0.1)
    assert determination(same, same) == 1.0
    assert determination(same + 1, same) == 0.0


@given(
    seed=st.integers(0, 2**31),
    scale=st.floats(1e-3, 1e3).flatmap(lambda size: st.sampled_from([size, -size])),
    offset=st.floats(-100, 100),
)
def test_the_scale_of_the_targets_plays_no_part(seed: int, scale: float, offset: float) -> None:
    outputs, y = drawn(seed)
    scaled = determination(outputs * scale + offset, y * scale + offset)
    assert scaled == pytest.approx(determination(outputs, y), abs=1e-6)


def test_where_rows_are_cases_of_sites_the_score_is_the_mean_over_sites() -> None:
    outputs, y = drawn(3)
    sites = np.array([0] * 5 + [2] * 15)
    expected = (determination(outputs[:5], y[:5]) + determination(outputs[5:], y[5:])) / 2
    assert Numbers(3).score(outputs, y, sites) == pytest.approx(expected)
    assert Numbers(3).score(outputs, y) != pytest.approx(expected)
