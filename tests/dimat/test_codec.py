"""Models as bytes."""

import json
import struct

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from dimat.errors import ArtifactInvalid, WireNameReserved, WireNotFinite, WireOverflow
from dimat.model_spec import CnnSpec
from dimat.models.registry import empty_model, initial_params
from dimat.params import Params, layout_of
from dimat.parts import Numbers, WireSpec
from dimat.training.seeding import torch_rng
from dimat.wire.codec import decode, encode, sha256


@pytest.fixture(scope="module")
def params() -> Params:
    return initial_params(empty_model(CnnSpec(width=3), (1, 8, 8), 4), torch_rng(1, "init"))


def test_round_trip_is_bitwise(params: Params) -> None:
    back = decode(encode(params), layout_of(params))
    assert list(back) == sorted(params)
    assert all(torch.equal(back[name], params[name]) for name in params)
    assert all(back[name].dtype == params[name].dtype for name in params)


@pytest.mark.parametrize("kind", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_numbers_of_8_bits_travel_and_have_to_be_finite(kind: torch.dtype) -> None:
    held = {"weight": torch.randn(3, 4).to(kind)}
    found = decode(encode(held), layout_of(held))
    assert torch.equal(found["weight"].float(), held["weight"].float())
    assert found["weight"].dtype == kind
    broken = {"weight": torch.full((3, 4), torch.nan).to(kind)}
    with pytest.raises(ArtifactInvalid, match="not finite"):
        decode(encode(broken, allow_non_finite=True), layout_of(held))


def test_equal_params_are_equal_bytes_whatever_their_order(params: Params) -> None:
    assert encode({name: params[name] for name in sorted(params, reverse=True)}) == encode(params)
    assert sha256(encode(params)) == sha256(encode({name: tensor.clone() for name, tensor in params.items()}))


def test_artifact_holds_no_metadata(params: Params) -> None:
    assert b"__metadata__" not in encode(params)


@settings(max_examples=30, deadline=None)
@given(cut=st.floats(0, 0.999))
def test_truncated_bytes_are_refused(cut: float, params: Params) -> None:
    whole = encode(params)
    with pytest.raises(ArtifactInvalid, match="unreadable"):
        decode(whole[: int(len(whole) * cut)], layout_of(params))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"head.bias": torch.zeros(5)}, "tensor 'head.bias' is float32 (5,), expected float32 (4,)"),
        ({"head.bias": torch.zeros(4, dtype=torch.float64)}, "is float64 (4,), expected float32 (4,)"),
        ({"head.bias": torch.full((4,), torch.nan)}, "'head.bias' has values that are not finite"),
        ({"head.bias": torch.full((4,), torch.inf)}, "'head.bias' has values that are not finite"),
        ({"extra": torch.zeros(1)}, "tensor 'extra' does not belong to this model"),
    ],
)
def test_what_does_not_fit_is_named(change: Params, problem: str, params: Params) -> None:
    data = save({**params, **change})
    with pytest.raises(ArtifactInvalid) as caught:
        decode(data, layout_of(params))
    assert problem in str(caught.value)
    assert caught.value.params["sha256"] == sha256(data)


def test_missing_tensor_is_named(params: Params) -> None:
    with pytest.raises(ArtifactInvalid, match=r"tensor 'head\.bias' is missing"):
        decode(encode({name: t for name, t in params.items() if name != "head.bias"}), layout_of(params))


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("numbers", ["float32", "float16", "bfloat16", "int8"])
def test_what_nobody_takes_is_refused_by_name_as_it_is_made(
    value: float, numbers: Numbers, params: Params
) -> None:
    broken = {**params, "head.bias": torch.tensor([1.0, value, 2.0, 3.0])}
    with pytest.raises(WireNotFinite, match=r"'head\.bias' has values that are not finite"):
        encode(broken, WireSpec(numbers=numbers))


def test_model_that_is_not_finite_passes_only_where_a_merge_rejects_it(params: Params) -> None:
    broken = {**params, "head.bias": torch.full((4,), torch.nan)}
    assert (
        decode(encode(broken, allow_non_finite=True), layout_of(params), allow_non_finite=True)["head.bias"]
        .isnan()
        .all()
    )


SIZES = st.lists(st.integers(-1, 5) | st.sampled_from([2**31, 2**62, 2**63, 2**64]), max_size=4)
OFFSETS = st.lists(st.integers(-1, 100) | st.sampled_from([2**63, 2**64]), max_size=3)
JUNK = st.none() | st.booleans() | st.integers() | st.text(max_size=3) | SIZES
TENSORS = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "F16", "BF16", "I8", "F64", "F8_E4M3", "F4", "BOOL", "x"]) | JUNK,
        "shape": SIZES | JUNK,
        "data_offsets": st.just([0, 0]) | OFFSETS | JUNK,
    }
)


@settings(max_examples=300, deadline=None)
@given(
    header=st.dictionaries(st.sampled_from(["head.bias", "w", "__metadata__"]), TENSORS | JUNK, max_size=3),
    body=st.binary(max_size=64),
)
@example(header={"w": {"dtype": "F32", "shape": [2**63, 0], "data_offsets": [0, 0]}}, body=b"")
@example(header={"w": {"dtype": "F32", "shape": [2**40, 2**40, 0], "data_offsets": [0, 0]}}, body=b"")
def test_any_header_that_is_not_the_models_is_refused_as_such(
    header: dict[str, object], body: bytes, params: Params
) -> None:
    said = json.dumps(header).encode()
    with pytest.raises(ArtifactInvalid):
        decode(struct.pack("<Q", len(said)) + said + body, layout_of(params))


@pytest.mark.parametrize("value", [7e5, -65_520.0])
def test_a_number_that_does_not_fit_is_refused_by_whoever_sends_it(value: float, params: Params) -> None:
    """Infinite on arrival, it would be said to have diverged."""
    large = {**params, "head.bias": torch.tensor([1.0, 65_504, value, 2])}
    with pytest.raises(WireOverflow, match=r"'head\.bias' has the value -?\d+, .* float16 is 65504:"):
        encode(large, WireSpec(numbers="float16"))
    for numbers in ("bfloat16", "float32", "int8"):
        decode(encode(large, WireSpec(numbers=numbers)), layout_of(params))
    broken = {**params, "head.bias": torch.full((4,), torch.inf)}
    data = encode(broken, WireSpec(numbers="float16"), allow_non_finite=True)
    back = decode(data, layout_of(params), allow_non_finite=True)
    assert back["head.bias"].isinf().all()


def test_the_name_of_factors_is_no_name_of_a_tensor_that_is_sent_in_int8() -> None:
    named = {"w": torch.randn(4, 5), "w#factor": torch.randn(4)}
    with pytest.raises(WireNameReserved, match="'w#factor'"):
        encode(named, WireSpec(numbers="int8"))
    back = decode(encode(named, WireSpec(numbers="bfloat16")), layout_of(named))
    assert back.keys() == named.keys()


@pytest.mark.parametrize("kind", ["F4", "F6_E2M3", "F6_E3M2", "F8_E8M0", "C64", "BOOL", "U16", "nonsense"])
def test_numbers_that_torch_does_not_know_are_refused(kind: str, params: Params) -> None:
    """Some kinds that the format has are none of torch, and whoever sends bytes writes their header."""
    header = json.dumps({"head.bias": {"dtype": kind, "shape": [8], "data_offsets": [0, 8]}}).encode()
    for size in (4, 6, 8, 16, 64):
        said = header.replace(b"[0, 8]", f"[0, {size}]".encode())
        with pytest.raises(ArtifactInvalid):
            decode(struct.pack("<Q", len(said)) + said + b"\0" * size, layout_of(params))
