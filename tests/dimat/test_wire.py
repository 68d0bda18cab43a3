"""Models on their way: fewer bits, compression, and what a receiver believes of the bytes."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from dimat import told
from dimat.errors import ArtifactInvalid
from dimat.model_spec import CnnSpec
from dimat.models.registry import empty_model, initial_params
from dimat.params import Params, layout_of
from dimat.parts import Numbers, WireSpec
from dimat.results import as_json
from dimat.schedule import Schedule, StepKey
from dimat.simulate import RowsOf, simulate
from dimat.spec import PilotSpec
from dimat.steps import StepResult
from dimat.told import PLAIN
from dimat.training.seeding import torch_rng
from dimat.wire import compression
from dimat.wire.codec import decode, encode
from dimat.wire.packing import pack, packed_layout, unpack
from dimat.wire.sending import artifacts_of

MakeSpec = Callable[..., PilotSpec]
NUMBERS: tuple[Numbers, ...] = ("float32", "float16", "bfloat16", "int8")
# Largest error, as a share of the largest number of a row.
ERROR = {"float32": 0.0, "float16": 2**-11, "bfloat16": 2**-8, "int8": 0.5 / 127 + 1e-6}
WIRES = [WireSpec(numbers=numbers, compress=compress) for numbers in NUMBERS for compress in (False, True)]


@pytest.fixture(scope="module")
def params() -> Params:
    return initial_params(empty_model(CnnSpec(width=6), (1, 8, 8), 4), torch_rng(1, "init"))


@pytest.mark.parametrize("wire", WIRES, ids=str)
def test_what_arrives_is_close_to_what_was_sent_and_of_its_layout(wire: WireSpec, params: Params) -> None:
    back = decode(encode(params, wire), layout_of(params))
    assert layout_of(back) == layout_of(params)
    for name, value in params.items():
        if not value.is_floating_point() or value.dim() == 0:
            assert torch.equal(back[name], value)
            continue
        if wire.numbers == "int8" and value.dim() == 1:
            assert torch.equal(back[name], value)
            continue
        rows = value.flatten(1) if value.dim() > 1 else value[None]
        error = (back[name].reshape(rows.shape) - rows).abs().amax(dim=1)
        assert bool((error <= rows.abs().amax(dim=1) * ERROR[wire.numbers] + 1e-30).all()), name


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=12),
    st.sampled_from(NUMBERS),
    st.integers(1, 3),
)
def test_sending_again_what_arrived_changes_nothing(values: list[float], numbers: Numbers, rows: int) -> None:
    params = {"w": torch.tensor([values] * rows), "b": torch.tensor(values), "n": torch.tensor(3)}
    once = unpack(pack(params, numbers), layout_of(params))
    assert once is not None
    twice = unpack(pack(once, numbers), layout_of(params))
    assert twice is not None
    for name in params:
        torch.testing.assert_close(twice[name], once[name], rtol=1e-6, atol=0)


@pytest.mark.parametrize("numbers", NUMBERS)
def test_layout_is_known_before_anything_is_packed(numbers: Numbers, params: Params) -> None:
    assert layout_of(pack(params, numbers)) == packed_layout(layout_of(params), numbers)


def test_fewer_bits_and_compression_are_fewer_bytes(params: Params) -> None:
    sizes = {wire: len(encode(params, wire)) for wire in WIRES}
    plain = sizes[PLAIN]
    assert sizes[WireSpec(numbers="float16")] < 0.7 * plain
    for numbers in NUMBERS:
        assert sizes[WireSpec(numbers=numbers, compress=True)] < sizes[WireSpec(numbers=numbers)]


@given(st.binary(max_size=300), st.integers(1, 8))
def test_compression_loses_nothing(data: bytes, width: int) -> None:
    assert compression.decompress(compression.compress(data, width), len(data)) == data


def test_a_bomb_is_refused_before_it_is_unpacked(params: Params) -> None:
    bomb = compression.MAGIC + b"\x04" + zstandard.ZstdCompressor().compress(b"\0" * 500_000_000)
    assert len(bomb) < 100_000
    with pytest.raises(ArtifactInvalid, match="more than"):
        decode(bomb, layout_of(params))


def test_a_size_that_is_not_told_or_is_a_lie_is_refused(params: Params) -> None:
    untold = zstandard.ZstdCompressor(write_content_size=False).compress(encode(params))
    with pytest.raises(ArtifactInvalid, match="its size is unknown"):
        decode(compression.MAGIC + b"\x04" + untold, layout_of(params))


@settings(max_examples=80, deadline=None)
@given(data=st.data(), wire=st.sampled_from(WIRES))
def test_damaged_bytes_are_refused_or_are_still_a_model(
    data: st.DataObject, wire: WireSpec, params: Params
) -> None:
    """No checksum is in the plain format (the store's name is one): what is read must be finite and of the layout all the same."""
    whole = bytearray(encode(params, wire))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    del whole[data.draw(st.integers(len(whole) // 2, len(whole))) :]
    try:
        back = decode(bytes(whole), layout_of(params))
    except ArtifactInvalid:
        return
    assert layout_of(back) == layout_of(params)
    assert all(bool(torch.isfinite(value).all()) for value in back.values())


def test_tensors_of_another_model_are_named_in_any_numbers(params: Params) -> None:
    other = {**params, "head.bias": torch.zeros(9)}
    with pytest.raises(ArtifactInvalid, match=r"head\.bias"):
        decode(encode(other, WireSpec(numbers="float16")), layout_of(params))


def test_what_int8_leaves_over_is_sent_the_next_time() -> None:
    """Sent again and again the same model arrives right on average; without error feedback it never would."""
    model = {"w": torch.tensor([[1.0, 0.0012]])}
    wire, residual, arrived = WireSpec(numbers="int8"), None, []
    for _ in range(40):
        made = artifacts_of(StepResult(params=model), wire, residual=residual)
        assert made.shared is not None
        assert made.residual is not None
        residual = decode(made.residual, layout_of(model))
        arrived.append(decode(made.shared, layout_of(model))["w"])
    assert float(arrived[0][0, 1]) == 0.0
    torch.testing.assert_close(torch.stack(arrived).mean(dim=0), model["w"], rtol=0, atol=3e-4)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.floats(2**-20, 1e4, width=32), min_size=3, max_size=3), min_size=1, max_size=6))
def test_int8_makes_no_variance_nought_or_less(variances: list[list[float]]) -> None:
    """Neither by rounding to the largest one's scale nor by what earlier roundings left over."""
    wire, residual = WireSpec(numbers="int8"), None
    for values in variances:
        model = {"bn.running_var": torch.tensor(values), "w": torch.ones(3, 3)}
        made = artifacts_of(StepResult(params=model), wire, residual=residual)
        assert made.shared is not None
        assert made.residual is not None
        residual = decode(made.residual, layout_of(model))
        assert bool((decode(made.shared, layout_of(model))["bn.running_var"] > 0).all())


def test_a_site_keeps_its_own_model_as_it_is(params: Params) -> None:
    made = artifacts_of(StepResult(params=params), WireSpec(numbers="float16"))
    assert made.model == encode(params)
    assert made.shared == encode(params, WireSpec(numbers="float16"))
    assert artifacts_of(StepResult(params=params)).shared is None


def test_only_what_others_read_is_packed(make_spec: MakeSpec) -> None:
    half = {"wire": {"numbers": "float16"}, "merge_every": 2}
    arms = [
        {"name": name, "method": method, "merge": half}
        for name, method in (("a", "dimat"), ("b", "common_basis"))
    ]
    spec = make_spec(num_sites=3, topology={"kind": "line"}, rounds=4, arms=arms)
    dimat, basis = (Schedule.of(spec, name) for name in ("a", "b"))
    assert not dimat.aligns
    packed = [step for step in dimat.all_steps() if not told.wire_of(dimat, step).is_plain]
    assert packed == [StepKey(round, "train", site) for round in (1, 3) for site in range(3)]
    # the middle one is read by those that align with it, though no merge follows at once
    assert [site for site in range(3) if not told.wire_of(basis, StepKey(0, "align", site)).is_plain] == [1]


def test_a_first_merge_of_methods_without_alignment_travels_packed_too(make_spec: MakeSpec) -> None:
    arms = [{"name": "a", "method": "plain_average", "merge": {"wire": {"compress": True}}}]
    schedule = Schedule.of(make_spec(arms=arms), "a")
    assert schedule.aligns
    assert all(schedule.parent(site) is None for site in range(4))


def test_rounding_is_left_over_from_one_sending_to_the_next(make_spec: MakeSpec) -> None:
    arms = [{"name": "a", "method": "dimat", "merge": {"wire": {"numbers": "int8"}, "merge_every": 2}}]
    schedule = Schedule.of(make_spec(rounds=6, arms=arms), "a")
    assert told.residual_of(schedule, StepKey(1, "train", 0)) is None
    assert told.residual_of(schedule, StepKey(3, "train", 0)) == StepKey(1, "train", 0)
    assert told.residual_of(schedule, StepKey(2, "train", 0)) is None


def test_half_the_bits_are_half_the_bytes_and_nearly_the_same_result(
    make_spec: MakeSpec, rows_of: RowsOf
) -> None:
    ticks = iter(range(10**9))
    kinds: dict[str, Any] = {
        "plain": {}, "half": {"numbers": "float16"}, "int8": {"numbers": "int8"}, "tree": {"numbers": "float16"},
    }  # fmt: skip
    arms = [
        {
            "name": name,
            "method": "common_basis",
            "merge": {"wire": wire, "over": "tree" if name == "tree" else "neighbours"},
        }
        for name, wire in kinds.items()
    ]
    model = {"kind": "mlp", "hidden": [64, 64]}
    found = as_json(simulate(make_spec(arms=arms, model=model), rows_of, lambda: float(next(ticks))))
    runs = {run["arm"]: run for run in found["runs"]}
    plain = runs["plain"]["bytes_exchanged"]
    assert 0.45 * plain < runs["half"]["bytes_exchanged"] < 0.6 * plain
    assert 0.2 * plain < runs["int8"]["bytes_exchanged"] < 0.35 * plain
    ends = {name: run["rounds"][-1]["after_train"]["all_site"]["mean"] for name, run in runs.items()}
    assert ends["half"] == pytest.approx(ends["plain"], abs=0.02)
    assert ends["int8"] == pytest.approx(ends["plain"], abs=0.05)


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), -float("inf")])
def test_a_row_that_is_not_finite_is_not_finite_either_on_arrival(broken: float) -> None:
    """Else a model that diverged would look like one that did not, and be merged."""
    params = {"weight": torch.tensor([[1.0, broken, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 0.0]])}
    data = encode(params, WireSpec(numbers="int8"), allow_non_finite=True)
    arrived = decode(data, layout_of(params), allow_non_finite=True)["weight"]
    assert arrived.isfinite().all(dim=1).tolist() == [False, True, True]
    with pytest.raises(ArtifactInvalid):
        decode(data, layout_of(params))
