"""Models as bytes: safetensors with sorted keys and no metadata, so that equal params are equal bytes.

Provenance is kept beside an artifact, never in it. Nothing that is read here is ever executed.
"""

import hashlib

from safetensors import SafetensorError
from safetensors.torch import load, save

from dimat.errors import ArtifactInvalid
from dimat.params import Layout, Params, first_non_finite, layout_of


def sha256(data: bytes) -> str:
    """The artifact's name: hex digest of its bytes."""
    return hashlib.sha256(data).hexdigest()


def encode(params: Params) -> bytes:
    """The artifact of `params` (on the CPU)."""
    return save({name: params[name].contiguous() for name in sorted(params)})


def decode(data: bytes, layout: Layout, allow_non_finite: bool = False) -> Params:
    """The params in an artifact, checked against the architecture they must belong to.

    Args:
        layout: names, shapes and dtypes that are expected.
        allow_non_finite: for a neighbour's model, which a merge rejects and records by itself.

    Raises:
        ArtifactInvalid: truncated bytes, a missing or unknown tensor, a wrong shape or dtype, NaN.
    """
    try:
        params = load(data)
    except SafetensorError as error:
        raise ArtifactInvalid(sha256=sha256(data), problem=f"unreadable ({error})") from None
    problem = _difference(layout_of(params), layout)
    if problem is None and not allow_non_finite and (name := first_non_finite(params)):
        problem = f"'{name}' has values that are not finite"
    if problem is not None:
        raise ArtifactInvalid(sha256=sha256(data), problem=problem)
    return {name: params[name] for name in sorted(params)}


def _difference(actual: Layout, expected: Layout) -> str | None:
    """The first difference in words, None if there is none."""
    for name in sorted({*actual, *expected}):
        if name not in actual:
            return f"tensor '{name}' is missing"
        if name not in expected:
            return f"tensor '{name}' does not belong to this model"
        if actual[name] != expected[name]:
            return f"tensor '{name}' is {_words(actual, name)}, expected {_words(expected, name)}"
    return None


def _words(layout: Layout, name: str) -> str:
    shape, dtype = layout[name]
    return f"{dtype} {shape}".removeprefix("torch.")
