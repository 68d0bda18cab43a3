"""Matching by weights computes only what is open and what has moved: it must find what the plain formula finds."""

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from dimat.matching import weights as weights_module
from dimat.matching.blocks import assignments
from dimat.matching.statistics import open_pairs
from dimat.matching.units import units_first
from dimat.matching.weights import MAX_PASSES, descend
from dimat.params import Params, as_real
from dimat.permutation import PermutationSpec, discover, identity, permute
from dimat.permutation.apply import Permutations, spread
from dimat.permutation.spec import Group
from tests.dimat.permutation import more_architectures  # noqa: F401  (joins the zoo)
from tests.dimat.permutation.architectures import ZOO


def slowly(
    own: Params, other: Params, spec: PermutationSpec, start: Permutations, pairs: Mapping[str, Tensor]
) -> Permutations:
    """Every group alone or with those of its link, from whole weights each time, until a pass over all moves nothing."""
    found = dict(start)
    links = dict.fromkeys(group.link or group.name for group in spec.groups)
    bundles = [tuple(g for g in spec.groups if link in (g.link, g.name)) for link in links]
    for _ in range(MAX_PASSES):
        before = dict(found)
        for bundle in bundles:
            names = {group.name for group in bundle}
            rest = permute(other, spec, {name: p for name, p in found.items() if name not in names})
            alike = {g.name: weights(own, g) @ weights(rest, g, found[g.name]).T for g in bundle}
            barred = 4 * sum(float(one.abs().sum()) for one in alike.values()) + 1
            alike = {
                name: torch.where(pairs[name], one, -barred) if name in pairs else one
                for name, one in alike.items()
            }
            alone = PermutationSpec(
                tuple(Group(g.name, g.size, "", (), blocks=g.blocks, link=g.link) for g in bundle)
            )
            found |= assignments(alike, alone)
        if all(torch.equal(found[name], before[name]) for name in found):
            break
    return found


def weights(params: Params, group: Group, found: Tensor | None = None) -> Tensor:
    parts = []
    for axis in group.axes:
        if axis.param.endswith(("running_mean", "running_var")):
            continue
        tensor = as_real(params[axis.param]).double()
        for other in group.axes:
            if found is not None and other.param == axis.param and other.axis != axis.axis:
                tensor = tensor.index_select(other.axis, spread(found, other, tensor.shape[other.axis]))
        parts.append(units_first(tensor, axis, group.size))
    return torch.cat(parts, dim=1)


def some_params(like: Params, rng: torch.Generator) -> dict[str, Tensor]:
    return {
        name: torch.randn(one.shape, generator=rng, dtype=one.dtype) if one.is_floating_point() else one
        for name, one in like.items()
    }


NETS = (
    "mlp",
    "vgg",
    "group_norm",
    "unet",
    "vit",
    "recurrent_cells",
    "llama",
    "maxout",
    "spectral_layers",
    "latents",
)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_computed_in_steps_finds_what_the_whole_formula_finds(name: str, seed: int) -> None:
    model, inputs = ZOO[name]()
    spec, rng = discover(model, inputs), torch.Generator().manual_seed(seed)
    own, other = (some_params(model.state_dict(), rng) for _ in range(2))
    start, pairs = spec.random(rng), {}
    for group in spec.groups:
        if group.link or group.blocks:
            continue
        alike = torch.rand(group.size, group.size, generator=rng) + 0.1
        alike[torch.rand(group.size, generator=rng) < 0.5] = 0
        alike[:, torch.rand(group.size, generator=rng) < 0.5] = 0
        pairs[group.name] = open_pairs(alike, start[group.name])
    everywhere = identity(spec)
    for begin, those in ((everywhere, {}), (start, pairs)):
        found, expected = descend(own, other, spec, begin, those), slowly(own, other, spec, begin, those)
        assert all(torch.equal(found[group], expected[group]) for group in expected)


@pytest.mark.parametrize(("most", "expected"), [(1_000, 1), (1, 3)])
def test_small_groups_take_one_thread_and_leave_as_many_as_there_were(
    most: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, inputs = ZOO["mlp"]()
    spec, taken = discover(model, inputs), []
    own = some_params(model.state_dict(), torch.Generator().manual_seed(0))

    def counted(*of: Tensor) -> Tensor:
        taken.append(torch.get_num_threads())
        raise ArithmeticError

    monkeypatch.setattr(weights_module, "UNITS_FOR_ONE_THREAD", most)
    monkeypatch.setattr(weights_module, "best_assignment", counted)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with pytest.raises(ArithmeticError):
            descend(own, own, spec, identity(spec), {})
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert taken == [expected]
