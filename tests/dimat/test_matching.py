"""Finding which unit does what which other unit does."""

import gc
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from dimat.errors import ShapeMismatch
from dimat.matching.activation import compare, match
from dimat.matching.assignment import best_assignment
from dimat.matching.blocks import assignments
from dimat.matching.statistics import centred, correlation, joined, tells_apart, together
from dimat.model_spec import CnnSpec, MlpSpec, ModelSpec
from dimat.models.registry import empty_model, initial_params
from dimat.permutation import apply
from dimat.permutation.discover import discover
from dimat.permutation.spec import Group, PermutationSpec
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
    compared = compare(model, spec, params, {1: apply.permute(params, spec, planted)}, probe)[1]
    found = match(compared, spec)
    for name, undone in apply.compose(planted, found.permutations).items():
        assert torch.equal(undone, torch.arange(len(undone))), name  # also of units that never fire


def with_dead_units(model: nn.Module, seed: int) -> dict[str, Tensor]:
    """Params with which about a third of the hidden units never fire."""
    params = dict(initial_params(model, torch_rng(seed, "init")))
    *hidden, _ = [name for name in params if name.endswith("bias")]
    for name in hidden:
        dead = torch.rand(len(params[name]), generator=torch_rng(seed, name)) < 1 / 3
        params[name] = torch.where(dead, -100.0, params[name])
    return params


@pytest.mark.parametrize(
    ("architecture", "shape"), [(MlpSpec(hidden=(20, 15)), (6,)), (CnnSpec(width=8), (1, 12, 12))]
)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_model_permuted_comes_back_also_where_units_are_dead(
    architecture: ModelSpec, shape: tuple[int, ...], seed: int
) -> None:
    model = empty_model(architecture, shape, 3)
    spec, params = discover(model, shape), with_dead_units(model, seed)
    permuted = apply.permute(params, spec, apply.random(spec, torch_rng(seed, "planted")))
    probe = torch.randn(100, *shape, generator=torch_rng(seed, "probe"))
    found = match(compare(model, spec, params, {1: permuted}, probe)[1], spec)
    back = apply.permute(permuted, spec, found.permutations)
    assert all(torch.equal(back[name], params[name]) for name in params)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), guard=st.sampled_from([0.0, 0.2]))
def test_dead_units_do_not_change_how_live_ones_are_matched(seed: int, guard: float) -> None:
    model = empty_model(MlpSpec(hidden=(20, 15)), (6,), 3)
    spec = discover(model, (6,))
    own, other = (with_dead_units(model, seed + j) for j in (0, 1))
    probe = torch.randn(100, 6, generator=torch_rng(seed, "probe"))
    compared = compare(model, spec, own, {1: other}, probe)[1]
    by_samples = assignments(compared.similarity, spec, guard)
    found = match(compared, spec, guard).permutations
    for name, similarity in compared.similarity.items():
        lives = similarity != 0
        both = lives.any(dim=1) & lives.any(dim=0)[by_samples[name]]
        assert torch.equal(found[name][both], by_samples[name][both])
        now = lives.any(dim=1) & lives.any(dim=0)[found[name]]
        assert torch.equal(now, both)


def test_samples_on_one_line_speak_for_no_unit() -> None:
    model = empty_model(MlpSpec(hidden=(9, 8)), (6,), 3)
    spec = discover(model, (6,))
    params = initial_params(model, torch_rng(1, "init"))
    permuted = apply.permute(params, spec, apply.random(spec, torch_rng(2, "planted")))
    two_rows = torch.randn(2, 6, generator=torch_rng(3, "probe"))
    compared = compare(model, spec, params, {1: permuted}, two_rows)[1]
    found = match(compared, spec)
    assert (compared.similarity, found.quality) == ({}, ())
    back = apply.permute(permuted, spec, found.permutations)
    assert all(torch.equal(back[name], params[name]) for name in params)
    assert tells_apart(torch.tensor([[0.999, 1.0], [1.0, 1.0]]))
    assert tells_apart(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))  # one lives, the other does not
    assert not tells_apart(torch.tensor([[-1.0, 1.0], [1.0, 0.99999]]))
    assert not tells_apart(torch.zeros(2, 2))


def of_one_chunk(own: Tensor, other: Tensor) -> Tensor:
    return correlation(together(centred(own), centred(other)))


def test_correlation_is_that_of_numpy() -> None:
    own, other = (torch.randn(50, n, generator=torch_rng(n, "x")) for n in (4, 3))
    expected = np.corrcoef(own.numpy(), other.numpy(), rowvar=False)[:4, 4:]
    np.testing.assert_allclose(of_one_chunk(own, other).numpy(), expected, atol=1e-6)


@settings(deadline=None)
@given(
    cuts=st.sets(st.integers(1, 59), max_size=8),
    seed=st.integers(0, 1000),
    far=st.sampled_from([0.0, 1.0, 1e3]),
)
def test_any_chunking_gives_the_correlation_of_all_at_once(cuts: set[int], seed: int, far: float) -> None:
    rng = torch_rng(seed, "x")
    # Means far from zero, and drifting from chunk to chunk: a sum of raw squares would lose every digit here.
    drift = torch.linspace(0, 1, 60)[:, None]
    own, other = (torch.randn(60, n, generator=rng) + drift + far for n in (4, 3))
    seen = None
    edges = [0, *sorted(cuts), 60]
    for start, end in pairwise(edges):
        now = together(centred(own[start:end]), centred(other[start:end]))
        seen = now if seen is None else joined(seen, now)
    assert seen is not None
    expected = np.corrcoef(own.double().numpy(), other.double().numpy(), rowvar=False)[:4, 4:]
    np.testing.assert_allclose(correlation(seen).numpy(), expected, atol=1e-5 if far <= 1 else 1e-4)


@pytest.mark.parametrize("chunk_rows", [1, 7, 64, 1000])
def test_models_are_compared_alike_however_rows_are_chunked(chunk_rows: int) -> None:
    model = empty_model(CnnSpec(width=4), (1, 8, 8), 3)
    spec = discover(model, (1, 8, 8))
    models = {j: initial_params(model, torch_rng(j, "init")) for j in range(3)}
    probe = torch.randn(100, 1, 8, 8, generator=torch_rng(1, "probe"))
    others = {j: models[j] for j in (1, 2)}
    whole, chunked = (compare(model, spec, models[0], others, probe, 16, rows) for rows in (100, chunk_rows))
    for j in others:
        for name, similarity in whole[j].similarity.items():
            torch.testing.assert_close(chunked[j].similarity[name], similarity, rtol=1e-4, atol=1e-5)


def test_memory_does_not_grow_with_the_rows_of_the_probe() -> None:
    model = empty_model(MlpSpec(hidden=(8,)), (6,), 3)
    spec = discover(model, (6,))
    params = initial_params(model, torch_rng(1, "init"))
    probe = torch.randn(400, 6, generator=torch_rng(1, "probe"))
    alive_bytes: list[int] = []

    def weigh(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        # Only those that hold numbers: another test may have left some that are but shapes.
        real = (one for one in gc.get_objects() if type(one) in (Tensor, nn.Parameter))
        alive_bytes.append(sum(one.nbytes for one in real))

    model.register_forward_pre_hook(weigh)
    # What is there already cannot grow; and of the objects of all tests before there are millions.
    gc.collect()
    gc.freeze()
    try:
        compare(model, spec, params, {1: params, 2: params}, probe, chunk_rows=20)
    finally:
        gc.unfreeze()
    assert len(alive_bytes) == 20 * 3  # each model sees each chunk once, the own one too
    third_chunk, last_chunk = alive_bytes[6:9], alive_bytes[-3:]
    assert last_chunk == third_chunk


def test_comparing_leaves_the_given_model_as_it_is() -> None:
    model = empty_model(MlpSpec(hidden=(4,)), (6,), 3)
    own, other = (initial_params(model, torch_rng(seed, "init")) for seed in (1, 2))
    spec, probe = discover(model, (6,)), torch.randn(30, 6, generator=torch_rng(1, "probe"))
    compare(model, spec, own, {1: own}, probe)
    assert all(torch.equal(model.state_dict()[name], other[name]) for name in other)


def test_dead_unit_is_like_no_other() -> None:
    acts = torch.randn(50, 3, generator=torch_rng(1, "x"))
    acts[:, 1] = 0
    similarity = of_one_chunk(acts, acts)
    assert similarity[1].tolist() == [0, 0, 0]
    assert similarity[:, 1].tolist() == [0, 0, 0]
    assert similarity[0, 0] == pytest.approx(1)


def test_a_unit_that_only_rounding_moves_is_dead() -> None:
    acts = torch.randn(3000, 3, generator=torch_rng(1, "x"))
    acts[:, 1] = 0.1  # whose mean in float32 is not 0.1
    acts[::2, 1] += 1e-8
    assert centred(acts).squares_A[1] > 0
    assert of_one_chunk(acts, acts)[1].tolist() == [0, 0, 0]


def test_a_unit_that_overflows_is_like_no_other() -> None:
    acts = torch.randn(50, 3, generator=torch_rng(1, "x"))
    acts[:, 0] *= 1e30  # finite, its square is not
    acts[3, 1] = torch.inf
    similarity = of_one_chunk(acts, acts)
    assert similarity[:2].tolist() == [[0, 0, 0]] * 2
    assert similarity[2, 2] == pytest.approx(1)


def test_activations_on_different_rows_are_refused() -> None:
    with pytest.raises(ShapeMismatch, match="50 samples"):
        of_one_chunk(torch.zeros(50, 2), torch.zeros(40, 2))


def test_assignment_is_the_best_of_all() -> None:
    similarity = torch.tensor([[0.9, 0.8, 0.0], [0.85, 0.1, 0.0], [0.0, 0.0, 0.2]])
    assert best_assignment(similarity).tolist() == [1, 0, 2]


def test_guard_keeps_a_unit_in_place_unless_moving_gains_more() -> None:
    spec = PermutationSpec((Group("a", 2, "", ()),))
    similarity = {"a": torch.tensor([[0.5, 0.6], [0.6, 0.5]])}
    assert assignments(similarity, spec)["a"].tolist() == [1, 0]
    assert assignments(similarity, spec, guard=0.2)["a"].tolist() == [0, 1]
    apart = {"a": torch.tensor([[0.1, 0.9], [0.9, 0.1]])}
    assert assignments(apart, spec, guard=0.2)["a"].tolist() == [1, 0]


def test_assignment_refuses_what_is_not_square() -> None:
    with pytest.raises(ShapeMismatch, match="a square"):
        best_assignment(torch.zeros(2, 3))


def test_quality_says_how_alike_and_how_many_stayed() -> None:
    model = empty_model(MlpSpec(hidden=(4,)), (6,), 3)
    spec = discover(model, (6,))
    params = initial_params(model, torch_rng(1, "init"))
    probe = torch.randn(300, 6, generator=torch_rng(1, "probe"))
    swapped = apply.permute(params, spec, {"hidden1": torch.tensor([1, 0, 2, 3])})
    (quality,) = match(compare(model, spec, params, {1: swapped}, probe)[1], spec).quality
    assert quality.group == "hidden1"
    assert quality.correlation == pytest.approx(1)
    assert quality.in_place_fraction == 0.5


@pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated:FutureWarning")
@pytest.mark.parametrize("wrapped", [nn.utils.weight_norm, nn.utils.spectral_norm])
def test_models_that_keep_a_tensor_computed_from_params_are_compared(
    wrapped: Callable[[nn.Module], nn.Module],
) -> None:
    model = nn.Sequential(wrapped(nn.Linear(6, 8)), nn.ReLU(), nn.Linear(8, 3))
    spec, probe = discover(model, (6,)), torch.randn(60, 6, generator=torch_rng(0, "probe"))
    model(probe).sum().backward()  # as training leaves it
    own = {name: one.detach().clone() for name, one in model.state_dict().items()}
    planted = apply.random(spec, torch_rng(1, "planted"))
    found = match(compare(model, spec, own, {1: apply.permute(own, spec, planted)}, probe)[1], spec)
    for name, undone in apply.compose(planted, found.permutations).items():
        assert torch.equal(undone, torch.arange(len(undone))), name


@pytest.mark.parametrize("scale", [1e-4, 1e-6])
def test_units_that_fire_weakly_are_matched_as_others_are(scale: float) -> None:
    model = empty_model(MlpSpec(hidden=(20, 15)), (6,), 3)
    spec, params = discover(model, (6,)), dict(initial_params(model, torch_rng(0, "init")))
    params |= {name: one * scale for name, one in params.items() if name.startswith("hidden1.")}
    planted = apply.random(spec, torch_rng(1, "planted"))
    probe = torch.randn(300, 6, generator=torch_rng(0, "probe"))
    found = match(compare(model, spec, params, {1: apply.permute(params, spec, planted)}, probe)[1], spec)
    undone = apply.compose(planted, found.permutations)[spec.groups[0].name]
    assert torch.equal(undone, torch.arange(20))
    assert found.quality[0].correlation > 0.7  # all but the dead


def test_units_of_one_model_are_as_alike_as_can_be_and_not_more() -> None:
    """Rounding makes more of a correlation than 1."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 10))
    own, x = model.state_dict(), torch.randn(400, 16)
    spec = discover(model, (16,))
    for seed in range(20):
        (found,) = match(compare(model, spec, own, {1: own}, x[seed : 300 + seed])[1], spec).quality
        assert found.correlation <= 1
