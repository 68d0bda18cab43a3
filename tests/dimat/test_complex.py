"""Models with complex numbers: they are matched and averaged as real ones are."""

import pytest
import torch
from torch import Tensor, nn

from dimat.merging import gram
from dimat.merging.mix import MergeInputs
from dimat.merging.registry import METHODS, SUMMED
from dimat.params import layout_of
from dimat.parts import MergeSpec, WireSpec
from dimat.permutation import apply, discover, permute
from dimat.wire.codec import decode, encode


class Complex(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.real = nn.Linear(5, 8)
        self.waves = nn.Linear(8, 6, dtype=torch.complex64)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        answers: Tensor = self.head(self.waves(torch.relu(self.real(x)).to(self.waves.weight.dtype)).abs())
        return answers


torch.manual_seed(6)
X = torch.randn(60, 5)
MODELS = {j: Complex().state_dict() for j in (0, 1)}
SPEC = discover(Complex(), (X[:3],))


def given(other: dict[str, Tensor]) -> MergeInputs:
    return MergeInputs(Complex(), SPEC, 0, {0: MODELS[0], 1: other}, {0: 0.25, 1: 0.75}, X, MergeSpec())


def test_their_units_are_found() -> None:
    assert [group.name for group in SPEC.groups] == ["real", "waves"]
    assert all(group.tap for group in SPEC.groups)


@pytest.mark.parametrize("method", [name for name, method in SUMMED.items() if not method.by_moments])
def test_their_mean_is_that_of_both_parts(method: str) -> None:
    merged = METHODS[method](given(MODELS[1])).params  # type: ignore[index]  # a name of the registry's own
    for name, value in MODELS[0].items():
        expected = 0.25 * value + 0.75 * MODELS[1][name]
        torch.testing.assert_close(merged[name], expected, msg=name)


@pytest.mark.parametrize("method", ["dimat", "weight_matching"])
def test_merge_of_a_model_with_its_permuted_self_is_itself(method: str) -> None:
    moved = permute(MODELS[0], SPEC, apply.random(SPEC, torch.Generator().manual_seed(1)))
    merged = METHODS[method](given(dict(moved))).params  # type: ignore[index]
    for name, value in MODELS[0].items():
        torch.testing.assert_close(merged[name], value, msg=name)


def test_layers_of_complex_numbers_tell_no_second_moments() -> None:
    assert gram.layers_of(Complex(), SPEC) == ("head",)


@pytest.mark.parametrize("numbers", ["float32", "float16", "int8"])
def test_they_travel_as_they_are(numbers: str) -> None:
    sent = encode(MODELS[0], WireSpec.model_validate({"numbers": numbers}))
    assert torch.equal(decode(sent, layout_of(MODELS[0]))["waves.weight"], MODELS[0]["waves.weight"])
