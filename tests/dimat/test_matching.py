"""Finding which unit does what which other unit does."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dimat.errors import ShapeMismatch
from dimat.matching.activation import match, observe
from dimat.matching.assignment import best_assignment
from dimat.matching.statistics import centred, correlation
from dimat.models.registry import empty_model, initial_params, load
from dimat.parts import CnnSpec, MlpSpec, ModelSpec
from dimat.permutation import apply
from dimat.permutation.discover import discover
from dimat.training.seeding import torch_rng


@pytest.mark.parametrize(
    ("architecture", "shape"), [(MlpSpec(hidden=(20, 15)), (6,)), (CnnSpec(width=4), (1, 12, 12))]
)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_planted_permutations_are_found(architecture: ModelSpec, shape: tuple[int, ...], seed: int) -> None:
    model = empty_model(architecture, shape, 3)
    spec = discover(model, shape)
    params = initial_params(model, torch_rng(seed, "init"))
    planted = apply.random(spec, torch_rng(seed, "planted"))
    probe = torch.randn(300, *shape, generator=torch_rng(seed, "probe"))
    own = observe(model, spec, probe)
    other = observe(load(model, apply.permute(params, spec, planted)), spec, probe)
    found = match(own, other)
    for group in spec.groups:
        alive = own[group.name].deviation_A > 0  # units that never fire may go anywhere
        undone = apply.compose(planted, found.permutations)[group.name]
        assert torch.equal(undone[alive], torch.arange(group.size)[alive])


def test_correlation_is_that_of_numpy() -> None:
    own, other = (torch.randn(50, n, generator=torch_rng(n, "x")) for n in (4, 3))
    expected = np.corrcoef(own.numpy(), other.numpy(), rowvar=False)[:4, 4:]
    np.testing.assert_allclose(correlation(centred(own), centred(other)).numpy(), expected, atol=1e-6)


def test_dead_unit_is_like_no_other() -> None:
    acts = torch.randn(50, 3, generator=torch_rng(1, "x"))
    acts[:, 1] = 0
    similarity = correlation(centred(acts), centred(acts))
    assert similarity[1].tolist() == [0, 0, 0]
    assert similarity[:, 1].tolist() == [0, 0, 0]
    assert similarity[0, 0] == pytest.approx(1)


def test_a_unit_that_only_rounding_moves_is_dead() -> None:
    acts = torch.randn(3000, 3, generator=torch_rng(1, "x"))
    acts[:, 1] = 0.1  # whose mean in float32 is not 0.1
    acts[::2, 1] += 1e-8
    assert centred(acts).deviation_A[1] == 0
    assert correlation(centred(acts), centred(acts))[1].tolist() == [0, 0, 0]


def test_activations_on_different_rows_are_refused() -> None:
    with pytest.raises(ShapeMismatch, match="50 samples"):
        correlation(centred(torch.zeros(50, 2)), centred(torch.zeros(40, 2)))


def test_assignment_is_the_best_of_all() -> None:
    similarity = torch.tensor([[0.9, 0.8, 0.0], [0.85, 0.1, 0.0], [0.0, 0.0, 0.2]])
    assert best_assignment(similarity).tolist() == [1, 0, 2]


def test_guard_keeps_a_unit_in_place_unless_moving_gains_more() -> None:
    similarity = torch.tensor([[0.5, 0.6], [0.6, 0.5]])
    assert best_assignment(similarity).tolist() == [1, 0]
    assert best_assignment(similarity, guard=0.2).tolist() == [0, 1]
    assert best_assignment(torch.tensor([[0.1, 0.9], [0.9, 0.1]]), guard=0.2).tolist() == [1, 0]


def test_assignment_refuses_what_is_not_square() -> None:
    with pytest.raises(ShapeMismatch, match="a square"):
        best_assignment(torch.zeros(2, 3))


def test_quality_says_how_alike_and_how_many_stayed() -> None:
    model = empty_model(MlpSpec(hidden=(4,)), (6,), 3)
    spec = discover(model, (6,))
    params = initial_params(model, torch_rng(1, "init"))
    probe = torch.randn(300, 6, generator=torch_rng(1, "probe"))
    own = observe(model, spec, probe)
    swapped = {"hidden1": torch.tensor([1, 0, 2, 3])}
    other = observe(load(model, apply.permute(params, spec, swapped)), spec, probe)
    (quality,) = match(own, other).quality
    assert quality.group == "hidden1"
    assert quality.correlation == pytest.approx(1)
    assert quality.in_place_fraction == 0.5
