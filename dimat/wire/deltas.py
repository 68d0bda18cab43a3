"""Differences: another way to obtain the bytes of a model that travels, from those that the same site sent last.

    difference = "AWD" | sha256 of what it is against | the bits that differ, compressed

Bits are compared, so nothing is lost, and whoever has both has exactly the bytes that were sent whole: a difference changes how many bytes
cross a link and nothing else. It says itself what it is against. After a short step most high bits are as they were, and zstd finds the zeros.

A receiver uses one if it holds what it is against (`is_of_use`), which is what it took at its last merge; `simulate` goes by the same rule.
"""

import numpy as np

from dimat.wire.codec import sha256
from dimat.wire.compression import MAGIC as COMPRESSED
from dimat.wire.compression import Oversized, compress, decompress, is_compressed

MAGIC = b"AWD"
_DIGEST_BYTES = 32
_HEAD_BYTES = len(MAGIC) + _DIGEST_BYTES


def difference(now: bytes, before: bytes, most: int) -> bytes | None:
    """What makes `now` of `before`; None where it is no shorter than `now`, or `before` is no model of the same layout.

    Args:
        now, before: what a site sends and what it sent last, both compressed (`compression`).
        most: bytes that either can have unpacked.

    Raises: ValueError: `now` is not what `compress` makes, or is longer.
    """
    plain = _plain(now, most)
    try:
        earlier = _plain(before, len(plain))
    except ValueError:
        return None
    if len(plain) != len(earlier):
        return None
    bits = compress(_either(plain, earlier), _width(now))
    found = MAGIC + bytes.fromhex(sha256(before)) + bits
    return found if len(found) < len(now) else None


def against(delta: bytes) -> str:
    """The name of what a difference is against. Raises: ValueError: it is none."""
    if delta[: len(MAGIC)] != MAGIC or len(delta) <= _HEAD_BYTES:
        raise ValueError("it is no difference")
    return delta[len(MAGIC) : _HEAD_BYTES].hex()


def is_of_use(against: str | None, held: str | None) -> bool:
    """Whether whoever holds the bytes of the name `held` fetches the difference against `against`. None: there is none."""
    return against is not None and against == held


def applied(before: bytes, delta: bytes, most: int) -> bytes:
    """The reverse of `difference`: the bytes of what was sent. Sizes are checked before anything is allocated; whether these are the bytes
    that were promised says their digest alone.

    Raises: ValueError: it is no difference, or one against something else, or longer than `most`.
    """
    if against(delta) != sha256(before):
        raise ValueError("it is against another model")
    bits = delta[_HEAD_BYTES:]
    plain, differing = _plain(before, most), _plain(bits, most)
    if len(plain) != len(differing):
        raise ValueError(f"it has {len(differing)} bytes, the model that it is against has {len(plain)}")
    return compress(_either(plain, differing), _width(bits))


def _plain(data: bytes, most: int) -> bytes:
    if not is_compressed(data):
        raise ValueError("it is not compressed")
    try:
        return decompress(data, most)
    except Oversized:
        raise ValueError(f"it has more than {most} bytes") from None


def _width(compressed: bytes) -> int:
    """Of the numbers in it; `decompress` has looked at it."""
    return compressed[len(COMPRESSED)]


def _either(one: bytes, other: bytes) -> bytes:
    """The bits that are set in one of them alone."""
    return (np.frombuffer(one, dtype=np.uint8) ^ np.frombuffer(other, dtype=np.uint8)).tobytes()
