"""Models as bytes: safetensors with sorted keys and no metadata, so that equal params are equal bytes.

Provenance is kept beside an artifact, never in it. Nothing that is read here is ever executed. What travels may be packed
(`packing`) and compressed (`compression`); the bytes say so themselves.
"""

import hashlib
import math
from collections.abc import Mapping

import torch
from safetensors.torch import load, save
from torch import Tensor

from dimat.checked import check_kind, check_params
from dimat.errors import ArtifactInvalid, WireNotFinite, first_line
from dimat.params import Layout, Params, first_non_finite, layout_of
from dimat.parts import Numbers, WireSpec
from dimat.wire.compression import Oversized, compress, decompress, is_compressed
from dimat.wire.packing import closest, pack, packed_layout, unpack

PLAIN = WireSpec()
_WIDTHS: dict[Numbers, int] = {"float32": 4, "float16": 2, "bfloat16": 2, "int8": 1}
_HEADER_BYTES = 300
"""Of a tensor in a safetensors header, beside its name, and of the header itself: more than it can be."""


def sha256(data: bytes) -> str:
    """The artifact's name: hex digest of its bytes."""
    return hashlib.sha256(data).hexdigest()


def encode(params: Params, wire: WireSpec = PLAIN, allow_non_finite: bool = False) -> bytes:
    """The artifact of `params` (on the CPU), or what travels of them.

    Args:
        allow_non_finite: for what has been looked at before, or is read back by whoever made it.

    Raises:
        WireNotFinite: `decode` would refuse them. WireOverflow, WireNameReserved: see `pack`. TypeError: they are no state dict, or hold what is no tensor (`get_extra_state`).
    """
    check_params("'params'", params)
    for name, value in params.items():
        check_kind(f"'{name}' in 'params'", value, Tensor, "a tensor: nothing else can travel")
    if not allow_non_finite and (broken := first_non_finite(params)):
        raise WireNotFinite(tensor=broken)
    packed = pack(params, wire.numbers)
    # Copies: tied weights are one tensor under two names, and safetensors takes no shared memory.
    data = save({name: packed[name].clone(memory_format=torch.contiguous_format) for name in sorted(packed)})
    return compress(data, _WIDTHS[wire.numbers]) if wire.compress else data


def decode(data: bytes, layout: Layout, allow_non_finite: bool = False) -> Params:
    """The params in an artifact, checked against the architecture they must belong to. Its size is checked before anything is
    allocated.

    Args:
        layout: names, shapes and dtypes that are expected, however they travelled.
        allow_non_finite: for a neighbour's model, which a merge rejects and records by itself.

    Raises:
        ArtifactInvalid: truncated bytes, too many of them, a missing or unknown tensor, a wrong shape or dtype, NaN.
    """
    return received(data, layout, allow_non_finite)[0]


def received(data: bytes, layout: Layout, allow_non_finite: bool = False) -> tuple[Params, WireSpec]:
    """As `decode`, and how they travelled: read off the bytes, not taken from whoever sent them."""
    check_kind("'data'", data, bytes, "bytes")
    wanted = "a shape and a dtype by name, as of dimat.params.layout_of(params)"
    check_kind("'layout'", layout, Mapping, wanted)
    for tensor, about in layout.items():
        check_kind(f"'{tensor}' in 'layout'", about, (tuple, list), wanted)
    most, compressed = most_bytes(layout), is_compressed(data)
    try:
        plain = decompress(data, most) if compressed else data
        if len(plain) > most:
            raise Oversized
        loaded = load(plain)
    except Oversized:
        raise ArtifactInvalid(sha256=sha256(data), problem=f"more than {most} bytes") from None
    except MemoryError:
        raise
    except Exception as error:  # of any kind: whoever sends bytes writes the header
        raise ArtifactInvalid(sha256=sha256(data), problem=f"unreadable ({first_line(error)})") from None
    params, found = unpack(loaded, layout), layout_of(loaded)
    numbers = closest(found, layout)
    if params is None:
        problem = _difference(found, packed_layout(layout, numbers))
        raise ArtifactInvalid(sha256=sha256(data), problem=problem)
    if not allow_non_finite and (name := first_non_finite(params)):
        raise ArtifactInvalid(sha256=sha256(data), problem=f"'{name}' has values that are not finite")
    return {name: params[name] for name in sorted(params)}, WireSpec(numbers=numbers, compress=compressed)


def most_bytes(layout: Layout) -> int:
    """What the artifact of this layout cannot exceed, in whatever numbers: in int8 each weight has factors beside it."""
    values = sum(math.prod(shape) * dtype.itemsize for shape, dtype in layout.values())
    factors = sum(4 * shape[0] for shape, _ in layout.values() if len(shape) > 1)
    names = sum(2 * (len(name) + _HEADER_BYTES) for name in layout)
    return values + factors + names + _HEADER_BYTES


def _difference(actual: Layout, expected: Layout) -> str:
    """The first difference in words; there is one."""
    for name in sorted({*actual, *expected}):
        if name not in actual:
            return f"tensor '{name}' is missing"
        if name not in expected:
            return f"tensor '{name}' does not belong to this model"
        if actual[name] != expected[name]:
            return f"tensor '{name}' is {_words(actual, name)}, expected {_words(expected, name)}"
    raise AssertionError("equal layouts do not differ")


def _words(layout: Layout, name: str) -> str:
    shape, dtype = layout[name]
    return f"{dtype} {shape}".removeprefix("torch.")
