"""What does not belong together is refused by name, before anything is computed of it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import pytest
import torch
from torch import nn

from dimat import errors
from dimat.matching.activation import compare, match
from dimat.matching.weights import match_weights
from dimat.merging import fisher, gram, plain_average, regmean, ridge_head
from dimat.merging.mix import MergeInputs, mix
from dimat.merging.normalisation import reset_statistics
from dimat.merging.registry import METHODS
from dimat.methods import Method
from dimat.params import Params, layout_of
from dimat.parts import MergeSpec
from dimat.permutation import compose, discover, invert, permute
from dimat.wire.codec import decode, encode


def net() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))


class Failing(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(*net())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise KeyError("of its own")


MODEL, ROWS = net(), torch.randn(30, 4)
SPEC = discover(MODEL, (4,))
WIDER = discover(nn.Sequential(nn.Linear(4, 9), nn.ReLU(), nn.Linear(9, 3)), (4,))
DEEPER = discover(nn.Sequential(*net(), nn.ReLU(), nn.Linear(3, 2)), (4,))
OWN: Params = MODEL.state_dict()
BROKEN = {**OWN, "2.bias": torch.full((5,), torch.nan)}
HALF = {0: 0.5, 1: 0.5}
MOMENTS = {j: gram.gram(MODEL, ("2", "4"), ROWS) for j in (0, 1)}
INPUTS = MergeInputs(MODEL, SPEC, 0, {0: OWN, 1: OWN}, HALF, ROWS, MergeSpec(), MOMENTS)


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        ({"weights": {0: 1.0}}, errors.SiteMissing, "'weights' has nothing of site 1"),
        ({"weights": {0: 2.0, 1: 1.0}}, errors.MixingRowSum, "sum to 3"),
        ({"weights": {0: 3.0, 1: -2.0}}, errors.MixingNegative, "site '1' in the row of site '0' is -2"),
        (
            {"models": {0: OWN, 1: {**OWN, "9.bias": ROWS}}},
            errors.TensorMissing,
            r"of site 0 has no tensor '9\.bias'",
        ),
        ({"weights": {0: torch.nan, 1: 1.0}}, errors.MixingRowSum, "sum to nan"),
        ({"site": 7}, errors.SiteMissing, "'models' has nothing of site 7"),
        ({"models": {0: OWN, 1: {}}}, errors.TensorMissing, "of site 1 has no tensor"),
        ({"models": {0: OWN, 1: {**OWN, "4.bias": torch.ones(1)}}}, errors.ShapeMismatch, r"\(1,\), exp"),
        ({"models": {0: OWN, 1: BROKEN}}, errors.NonFiniteParams, "site '1' diverged: '2.bias'"),
    ],
)
def test_models_that_do_not_mix_are_refused(changed: Any, error: type[Exception], said: str) -> None:
    inputs = replace(INPUTS, **changed)
    with pytest.raises(error, match=said):
        mix(inputs.models, inputs.weights, inputs.site)
    with pytest.raises(error, match=said):
        plain_average.METHOD.merge(inputs)


@pytest.mark.parametrize(
    ("moments", "error", "said"),
    [
        ({}, errors.SiteMissing, "'moments' has nothing of site 0"),
        ({0: MOMENTS[0]}, errors.SiteMissing, "'moments' has nothing of site 1"),
        ({0: MOMENTS[0], 1: {}}, errors.TensorMissing, "'moments' of site 1 has no tensor '2'"),
        ({j: {"9": torch.eye(3)} for j in (0, 1)}, errors.LayerNotMergeable, r"'9'.*\(these have: 0, 2, 4\)"),
        (
            {j: {"9.q_proj": torch.eye(3)} for j in (0, 1)},
            errors.LayerNotMergeable,
            r"'9\.q_proj'.*\(these have: 0, 2, 4\)",
        ),
        ({j: {"4": torch.eye(3)} for j in (0, 1)}, errors.ShapeMismatch, r"'4' has shape \(3, 3\)"),
    ],
)
def test_second_moments_that_are_missing_or_of_another_model_are_refused(
    moments: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        regmean.METHOD.merge(replace(INPUTS, moments=moments))


@pytest.mark.parametrize("method", get_args(Method))
def test_a_merge_without_the_own_model_is_refused(method: Method) -> None:
    with pytest.raises(errors.SiteMissing, match="'models' has nothing of site 7"):
        METHODS[method](replace(INPUTS, site=7))


@pytest.mark.parametrize("method", ["regmean", "fisher", "ridge_head"])
def test_second_moments_that_no_rows_have_are_refused(method: Method) -> None:
    labels = torch.arange(30) % 3
    told: Params = {
        "regmean": lambda: MOMENTS[0],
        "fisher": lambda: fisher.fisher(MODEL, ROWS, labels),
        "ridge_head": lambda: ridge_head.moments(MODEL, "4", ROWS, nn.functional.one_hot(labels)),
    }[method]()
    inputs = replace(INPUTS, moments={0: told, 1: {name: -value for name, value in told.items()}})
    with pytest.raises(errors.SumsImpossible, match="of site '1' cannot be"):
        METHODS[method](inputs)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: compare(MODEL, SPEC, OWN, {1: BROKEN}, ROWS), errors.NonFiniteParams, "site '1'.*'2.bias'"),
        (
            lambda: compare(MODEL, SPEC, BROKEN, {1: OWN}, ROWS),
            errors.NonFiniteParams,
            "site 'own'.*'2.bias'",
        ),
        (lambda: compare(MODEL, SPEC, OWN, {1: {}}, ROWS), errors.TensorMissing, "site 1"),
        (
            lambda: compare(MODEL, SPEC, {"0.bias": OWN["0.bias"]}, {}, ROWS),
            errors.TensorMissing,
            "of site own",
        ),
        (
            lambda: compare(MODEL, SPEC, {**OWN, "9.bias": ROWS}, {}, ROWS),
            errors.TensorMissing,
            "'the model' of site own has no tensor '9.bias'",
        ),
        (
            lambda: compare(nn.Sequential(nn.Linear(4, 7)), SPEC, OWN, {}, ROWS),
            errors.ShapeMismatch,
            "'0.weight'",
        ),
        (lambda: compare(MODEL, SPEC, OWN, {1: OWN}, ROWS[:, :3]), errors.InputsNotTaken, "mat1 and mat2"),
        (
            lambda: compare(MODEL, SPEC, OWN, {1: OWN}, ROWS, chunk_rows=0),
            errors.NumberTooSmall,
            "'chunk_rows' is 0",
        ),
        (
            lambda: compare(MODEL, SPEC, OWN, {1: OWN}, ROWS, positions=0),
            errors.NumberTooSmall,
            "'positions' is 0",
        ),
        (lambda: compare(Failing(), SPEC, OWN, {1: OWN}, ROWS), errors.InputsNotTaken, "of its own"),
        (
            lambda: match(compare(MODEL, SPEC, OWN, {1: OWN}, ROWS)[1], WIDER),
            errors.ShapeMismatch,
            r"'0.weight' has shape \(6, 4\), expected 9 entries on axis 0",
        ),
        (lambda: compare(MODEL, WIDER, OWN, {1: OWN}, ROWS), errors.ShapeMismatch, "expected 9 entries"),
        (lambda: compare(MODEL, DEEPER, OWN, {1: OWN}, ROWS), errors.TensorMissing, r"no tensor '6\.weight'"),
        (
            lambda: match(compare(MODEL, SPEC, OWN, {1: OWN}, ROWS)[1], SPEC, torch.nan),
            errors.NumberNotFinite,
            "'guard' is nan",
        ),
        (lambda: compare(MODEL, SPEC, OWN, {1: OWN}, ROWS[:0]), errors.NoRows, "'probe'"),
        (
            lambda: compare(
                MODEL, SPEC, OWN, {1: OWN}, torch.where(torch.arange(30)[:, None] == 3, torch.nan, ROWS)
            ),
            errors.NonFiniteInput,
            "'probe'.*row 3",
        ),
        (lambda: gram.gram(MODEL, ("2",), ROWS[:0]), errors.NoRows, "'x'"),
        (lambda: gram.gram(MODEL, ("9",), ROWS), errors.LayerNotMergeable, r"'9'.*\(these have: 2, 4\)"),
        (lambda: permute(OWN, SPEC, {"9": torch.arange(6)}), errors.UnknownGroup, "'9'.*groups: 0, 2"),
        (lambda: compose({"0": torch.arange(6)}, {}), errors.UnknownGroup, "'0'"),
        (
            lambda: permute(OWN, SPEC, {"0": torch.arange(6.0)}),
            errors.PermutationNotAdmissible,
            "whole numbers",
        ),
        (lambda: permute(OWN, SPEC, {"0": list(range(6))}), errors.PermutationNotAdmissible, "whole numbers"),  # type: ignore[dict-item]
    ],
)
def test_what_cannot_be_matched_or_permuted_is_refused(
    call: Callable[[], object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        call()


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.head = nn.Linear(4, 6), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden: torch.Tensor = self.layer(x)
        return self.head(hidden.relu() if hidden.sum() > 0 else hidden)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "inputs", [(torch.zeros(2, 7),), (torch.zeros(2, 4).long(),), (), {"x": ROWS}, "four"]
)
@pytest.mark.parametrize("model", [MODEL, Branches()], ids=["chain", "no graph"])
def test_inputs_that_a_model_does_not_take_are_told_from_a_model_without_a_graph(
    model: nn.Module, inputs: Any
) -> None:
    with pytest.raises(errors.InputsNotTaken, match="The model fails on these inputs"):
        discover(model, inputs)
    assert discover(Branches(), (ROWS,)).coverage == 0


def test_a_model_under_other_names_is_not_passed_over() -> None:
    """As of a wrapper: nothing would be permuted, and whoever merged it would merge strangers."""
    wrapped = {f"module.{name}": value for name, value in OWN.items()}
    moved = SPEC.random(torch.Generator().manual_seed(1))
    said = r"'params' has none of the tensors that it is about, such as '0\.weight', .* 'module\.0\.weight'"
    with pytest.raises(errors.TensorsUnknown, match=said):
        permute(wrapped, SPEC, moved)
    optimiser = torch.optim.Adam(MODEL.parameters()).state_dict()
    with pytest.raises(errors.TensorsUnknown, match="such as 'state'"):
        permute(optimiser, SPEC, moved)
    assert permute({}, SPEC, moved) == {}  # an optimiser that remembers nothing yet


def test_permutations_that_do_not_follow_one_another_are_refused() -> None:
    one = SPEC.random(torch.Generator().manual_seed(1))
    name = next(iter(one))
    rest = {other: value for other, value in one.items() if other != name}
    for first, second in ((one, rest), (rest, one)):
        with pytest.raises(errors.UnknownGroup, match=f"'{name}'"):
            compose(first, second)
    with pytest.raises(errors.ShapeMismatch, match=name):
        compose(one, {**one, name: torch.arange(3)})
    with pytest.raises(errors.PermutationNotAdmissible, match="every unit once"):
        invert({name: torch.tensor([0, 0, 2])})


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        (torch.zeros(0, 4), errors.NoRows), (torch.full((9, 4), torch.nan), errors.NonFiniteInput),
        (torch.zeros(1, 4), errors.InputsNotTaken), (torch.zeros(9, 5), errors.InputsNotTaken),
    ],
)  # fmt: skip
def test_statistics_stay_as_they_were_where_rows_cannot_tell_them_anew(
    rows: torch.Tensor, error: type[Exception]
) -> None:
    layer = nn.BatchNorm1d(4)
    layer(torch.randn(30, 4))
    layer.eval()
    before = {name: value.clone() for name, value in layer.named_buffers()}
    with pytest.raises(error):
        reset_statistics(nn.Sequential(layer), rows)
    assert all(torch.equal(value, before[name]) for name, value in layer.named_buffers())
    assert not layer.training


@pytest.mark.parametrize(
    ("other", "error"),
    [
        (BROKEN, errors.NonFiniteParams), ({**OWN, "2.bias": torch.zeros(1)}, errors.ShapeMismatch),
        ({name: value for name, value in OWN.items() if name != "2.bias"}, errors.TensorMissing),
    ],
)  # fmt: skip
def test_models_that_cannot_be_matched_by_weights_are_refused(other: Params, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"2\.bias"):
        match_weights(OWN, other, SPEC)


ONE: dict[str, Any] = {"0": torch.arange(6)}
GIVEN: Any = {"list": [OWN], "module": MODEL, "none": None, "rows": (ROWS, ROWS), "units": {"0": [1, 0]}}


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: permute(GIVEN["module"], SPEC, ONE), TypeError, "'params' is of type Sequential; .* state dict"),
        (lambda: permute(OWN, SPEC, GIVEN["list"]), TypeError, "'permutations' is of type list"),
        (lambda: invert(GIVEN["list"]), TypeError, "'permutations' is of type list"),
        (lambda: invert(GIVEN["units"]), errors.PermutationNotAdmissible, "'0'.*whole numbers"),
        (lambda: invert({"0": torch.tensor([1.0, 0.0])}), errors.PermutationNotAdmissible, "'0'.*whole numbers"),
        (lambda: compose(ONE, {"0": torch.arange(6.0)}), errors.PermutationNotAdmissible, "'0'.*whole numbers"),
        (lambda: compose(GIVEN["none"], ONE), TypeError, "'first' is of type NoneType"),
        (lambda: compose(ONE, GIVEN["list"]), TypeError, "'second' is of type list"),
        (lambda: discover(MODEL, GIVEN["none"]), TypeError, "'example_inputs' is of type NoneType; .* tensor"),
        (lambda: discover(MODEL, ROWS.numpy()), TypeError, "'example_inputs' is of type ndarray"),  # type: ignore[arg-type]
        (lambda: discover(OWN, ROWS), TypeError, "'model' is of type OrderedDict; it must be a module"),  # type: ignore[arg-type]
        (lambda: match_weights(GIVEN["module"], GIVEN["module"], SPEC), TypeError, "'models' of site '0' is of type"),
        (lambda: compare(MODEL, SPEC, GIVEN["module"], {}, ROWS), TypeError, "'params' of site 'own' is of type"),
        (lambda: compare(MODEL, SPEC, OWN, GIVEN["list"], ROWS), TypeError, "'others' is of type list"),
        (lambda: compare(MODEL, SPEC, OWN, {1: OWN}, GIVEN["rows"]), TypeError, "'probe' is of type tuple; .* one"),
        (lambda: compare(MODEL, SPEC, OWN, OWN, ROWS), TypeError, "'others' at '0.weight' is of type Tensor; .* by site"),  # type: ignore[arg-type]
        (lambda: match(compare(MODEL, SPEC, OWN, {1: OWN}, ROWS), SPEC), TypeError, r"'compared' is of type dict; .*\[1\]"),  # type: ignore[arg-type]
        (lambda: match(compare(MODEL, SPEC, OWN, {1: OWN}, ROWS)[1], SPEC, guard=-1), errors.NumberTooSmall, "'guard' is -1"),
        (lambda: SPEC.random(3), TypeError, "'generator' is of type int; it must be a torch.Generator"),  # type: ignore[arg-type]
        (lambda: METHODS["foo"], KeyError, "'foo' is no method; there are: local_only, dimat, "),  # type: ignore[index]
        (lambda: mix({0: OWN}, {0: 0.5, 1: 0.5}, 0), errors.SiteMissing, "'models' has nothing of site 1"),
        (lambda: discover(MODEL, ROWS[:0]), errors.NoRows, "'example_inputs' has no rows"),
        (lambda: encode(GIVEN["module"]), TypeError, "'params' is of type Sequential; .* state dict"),
        (lambda: encode({"x": GIVEN["none"]}), TypeError, "'x' in 'params' is of type NoneType"),
        (lambda: decode(encode(OWN), OWN), TypeError, "'0.weight' in 'layout' is of type Tensor"),  # type: ignore[arg-type]
        (lambda: decode(encode(OWN), GIVEN["module"]), TypeError, "'layout' is of type Sequential"),
        (lambda: decode("abc", layout_of(OWN)), TypeError, "'data' is of type str; it must be bytes"),  # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_what_is_of_another_kind_is_refused_by_the_name_of_the_argument(
    call: Callable[[], object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        call()


class TakesTwo(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.head = nn.Linear(4, 6), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.layer(x + y)))  # type: ignore[no-any-return]


def test_a_model_of_several_inputs_is_told_that_a_probe_is_one_tensor() -> None:
    model = TakesTwo()
    spec, own = discover(model, (ROWS, ROWS)), model.state_dict()
    with pytest.raises(errors.InputsNotTaken, match=r"rows are given as one tensor; .*'y'"):
        compare(model, spec, own, {1: own}, ROWS)


class Counting(nn.Linear):
    """It keeps what is no tensor in its state dict."""

    num = 0

    def get_extra_state(self) -> dict[str, int]:
        return {"num": self.num}

    def set_extra_state(self, state: dict[str, int]) -> None:
        self.num = state["num"]


class Masked(nn.Module):
    def __init__(self, is_kept: bool) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(4, 6), nn.Linear(6, 3)
        self.register_buffer("mask", torch.triu(torch.full((3, 3), -torch.inf), 1), persistent=is_kept)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.outer(torch.relu(self.inner(x)))
        return torch.softmax(y[:, :, None] + self.mask, 2).sum(1)


def test_a_mask_that_is_not_finite_is_to_be_kept_out_of_the_state_dict() -> None:
    """It looks like a model that diverged, and another learning rate would not help."""
    kept, left_out = ([Masked(is_kept) for _ in range(2)] for is_kept in (True, False))
    first, second = (model.state_dict() for model in kept)
    with pytest.raises(errors.NonFiniteParams, match=r"'mask' .*such as a mask.*\(persistent=False\)"):
        match_weights(first, second, discover(kept[0], (4,)))
    own, other = (model.state_dict() for model in left_out)
    groups = discover(left_out[0], (4,))
    assert groups.coverage > 0
    assert match_weights(own, other, groups).quality
    assert compare(left_out[0], groups, own, {1: other}, ROWS)


@pytest.mark.parametrize("method", ["dimat", "weight_matching", "plain_average", "common_basis"])
def test_what_is_no_tensor_in_a_state_dict_is_that_of_the_own_model(method: Method) -> None:
    models = [nn.Sequential(nn.Linear(4, 6), nn.ReLU(), Counting(6, 3)) for _ in range(2)]
    for number, model in enumerate(models):
        layer = model[2]
        assert isinstance(layer, Counting)
        layer.num = number
    spec = discover(models[0], (4,))
    states = {j: model.state_dict() for j, model in enumerate(models)}
    inputs = MergeInputs(models[0], spec, 1, states, HALF, ROWS, MergeSpec())
    merged = METHODS[method](inputs).params
    assert merged["2._extra_state"] == {"num": 1}
    models[0].load_state_dict(dict(merged))
