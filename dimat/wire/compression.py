"""Lossless compression of models: bytes of the same weight in their numbers side by side (shuffle), then zstd.

The high bytes of a model's numbers are much alike, the low ones are noise: apart, zstd finds the former.
"""

import numpy as np
import zstandard

MAGIC = b"AWZ"
LEVEL = 3


class Oversized(Exception):
    """More would come out than can be."""


def compress(data: bytes, width: int) -> bytes:
    """`width`: bytes of a number, 1..8. Equal bytes give equal bytes under one version of zstd."""
    whole = len(data) - len(data) % width
    shuffled = np.frombuffer(data[:whole], dtype=np.uint8).reshape(-1, width).T.tobytes() + data[whole:]
    packed = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compress(shuffled)
    return MAGIC + bytes([width]) + packed


def is_compressed(data: bytes) -> bool:
    return data[: len(MAGIC)] == MAGIC


def decompress(data: bytes, most: int) -> bytes:
    """At most `most` bytes, which are asked for before they are allocated.

    Raises: Oversized; ValueError: not what `compress` makes.
    """
    width, packed = data[len(MAGIC)] if len(data) > len(MAGIC) else 0, data[len(MAGIC) + 1 :]
    if not 1 <= width <= 8:
        raise ValueError("the width of its numbers is unknown")
    try:
        size = zstandard.frame_content_size(packed)
        if size < 0:
            raise ValueError("its size is unknown")
        if size > most:
            raise Oversized
        shuffled = zstandard.ZstdDecompressor().decompress(
            packed, max_output_size=most, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None
    whole = len(shuffled) - len(shuffled) % width
    return np.frombuffer(shuffled[:whole], dtype=np.uint8).reshape(width, -1).T.tobytes() + shuffled[whole:]
