"""Every architecture: the function is kept, planted permutations are found, almost all of it can be aligned."""

import copy
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from dimat.matching.activation import compare, match
from dimat.matching.weights import match_weights
from dimat.permutation import PermutationSpec, compose, discover, identity, invert, permute, random
from dimat.permutation.selftest import randomised
from dimat.training.seeding import torch_rng
from tests.dimat.permutation import more_architectures  # noqa: F401  (it adds to the same register)
from tests.dimat.permutation.architectures import ZOO

Found = tuple[nn.Module, tuple[Tensor, ...], PermutationSpec]


@cache
def found(name: str) -> Found:
    """A model in float64 with random params, random inputs and its groups."""
    model, inputs = ZOO[name]()
    spec = discover(model, inputs)
    x = tuple(
        torch.randn(one.shape, generator=torch_rng(5, "x")).double() if one.is_floating_point() else one
        for one in inputs
    )
    return randomised(model, torch_rng(4, "params")).eval(), x, spec


def outputs(model: nn.Module, state: dict[str, Tensor], x: tuple[Tensor, ...]) -> Tensor:
    double = copy.deepcopy(model)
    double.load_state_dict(state)
    with torch.no_grad():
        result: Tensor = double(*x)
    return result


@pytest.mark.parametrize("name", ZOO)
def test_almost_all_parameters_can_be_aligned(name: str) -> None:
    _, _, spec = found(name)
    assert 0.95 < spec.coverage <= 1.0
    assert not [one for one in spec.frozen if "known" in one.reason or "self-test" in one.reason]
    assert len({group.name for group in spec.groups}) == len(spec.groups)


@pytest.mark.parametrize("name", ZOO)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_permuting_all_groups_at_once_leaves_the_function(name: str, seed: int) -> None:
    model, x, spec = found(name)
    state = model.state_dict()
    permuted = permute(state, spec, random(spec, torch_rng(seed, "p")))
    assert any(not torch.equal(state[key], permuted[key]) for key in state)
    before, after = outputs(model, state, x), outputs(model, dict(permuted), x)
    assert (after - before).abs().max() < 1e-6 * before.abs().max()


@pytest.mark.parametrize("name", ZOO)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=5, deadline=None)
def test_inverse_undoes_and_composition_is_one_after_the_other(name: str, seed: int) -> None:
    model, _, spec = found(name)
    state = model.state_dict()
    first, second = (random(spec, torch_rng(seed, part)) for part in ("first", "second"))
    there = permute(state, spec, first)
    back = permute(there, spec, invert(first))
    at_once = permute(state, spec, compose(first, second))
    one_by_one = permute(there, spec, second)
    same = permute(state, spec, identity(spec))
    for key in state:
        assert torch.equal(back[key], state[key])
        assert torch.equal(same[key], state[key])
        assert torch.equal(at_once[key], one_by_one[key])


@pytest.mark.parametrize("name", ZOO)
def test_planted_permutations_are_found_by_activations(name: str) -> None:
    model, x, spec = found(name)
    rng = torch_rng(6, "probe")
    shape = (200, *x[0].shape[1:])
    is_text = not x[0].is_floating_point()
    probe = torch.randint(30, shape, generator=rng) if is_text else torch.randn(shape, generator=rng).double()
    planted = random(spec, torch_rng(7, "planted"))
    own = model.state_dict()
    compared = compare(model, spec, own, {1: permute(own, spec, planted)}, probe)[1]
    undone = compose(planted, match(compared, spec).permutations)
    for group in spec.groups:
        # A unit that (almost) never fires is like no other, see `statistics.STILL`: it may go anywhere, in the place of another.
        alike = compared.similarity.get(group.name)
        dead = 0 if alike is None else int((alike.amax(dim=1) < 0.99).sum())
        wrong = int((undone[group.name] != torch.arange(group.size)).sum())
        assert wrong <= 2 * dead, group.name


@pytest.mark.parametrize(
    "name", ["mlp", "resnet18", "densenet", "gpt", "vit", "lstm", "group_norm", "mobilenet"]
)
def test_planted_permutations_are_found_by_weights(name: str) -> None:
    model, _, spec = found(name)
    state = {key: tensor.float() for key, tensor in model.state_dict().items()}
    planted = random(spec, torch_rng(8, "planted"))
    undone = compose(planted, match_weights(state, permute(state, spec, planted), spec).permutations)
    assert {key: p.tolist() for key, p in undone.items()} == {
        key: p.tolist() for key, p in identity(spec).items()
    }


@pytest.mark.parametrize("name", ["resnet18", "text_transformer", "lstm"])
def test_what_an_optimiser_remembers_follows_the_same_maps(name: str) -> None:
    """A permuted model that goes on training with the permuted momentum stays the permuted model."""
    model, x, spec = found(name)
    planted = random(spec, torch_rng(9, "planted"))

    def trained(
        start: dict[str, Tensor], momentum: dict[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        own = copy.deepcopy(model)
        own.load_state_dict(start)
        optimiser = torch.optim.SGD(own.parameters(), lr=1e-4, momentum=0.9)
        params = dict(own.named_parameters())
        for key, buffer in momentum.items():
            optimiser.state[params[key]]["momentum_buffer"] = buffer.clone()
        for _ in range(2):
            optimiser.zero_grad()
            own(*x).square().mean().backward()
            optimiser.step()
        return own.state_dict(), {
            key: optimiser.state[param]["momentum_buffer"] for key, param in params.items()
        }

    state, momentum = trained(model.state_dict(), {})
    straight, _ = trained(state, momentum)
    moved = dict(permute(state, spec, planted)), dict(permute(momentum, spec, planted))
    detour = permute(trained(*moved)[0], spec, invert(planted))
    for key in straight:
        torch.testing.assert_close(detour[key], straight[key], rtol=1e-8, atol=1e-9, msg=key)
