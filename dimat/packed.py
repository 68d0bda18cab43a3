"""Permutations as short text for a report, and back. Light: numpy, no torch.

Legend: M = neighbours, U = units of all groups one behind the other.
"""

import base64
import binascii
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dimat.cycles import is_permutation

MOST_CHARS = 1_000_000
"""Of more nothing is told: a report stays a report."""
MOST_UNITS = 1 << 22
"""Of all neighbours together, likewise: zeros deflate so well that the characters alone would let gigabytes through."""


def pack(units: Sequence[NDArray[np.int64]]) -> str | None:
    """Each unit by how far away its partner is (0 where it stayed), deflated, as base64. None where that is too long."""
    units_MU = np.stack(units)
    if units_MU.size > MOST_UNITS:
        return None
    away_MU = (units_MU - np.arange(units_MU.shape[1])).astype(_numbers(units_MU.shape[1]))
    text = base64.b64encode(zlib.compress(away_MU.tobytes())).decode("ascii")
    return text if len(text) <= MOST_CHARS else None


def unpack(text: str, num_neighbours: int, num_units: int) -> NDArray[np.int64]:
    """(M, U), each row a permutation.

    Raises:
        ValueError: it is not that. No more memory is taken than the right answer needs.
    """
    if num_neighbours * num_units > MOST_UNITS:
        raise ValueError(f"packed permutations of {num_neighbours} x {num_units} units are too many")
    numbers = _numbers(num_units)
    num_bytes = num_neighbours * num_units * numbers.itemsize
    inflated = zlib.decompressobj()
    try:
        data = inflated.decompress(base64.b64decode(text, validate=True), num_bytes + 1)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"packed permutations cannot be read: {error}") from None
    if len(data) != num_bytes:
        raise ValueError(f"packed permutations are not {num_bytes} bytes long")
    away_MU = np.frombuffer(data, numbers).astype(np.int64).reshape(num_neighbours, num_units)
    # What went below zero came around at the upper end.
    units_MU = (away_MU + np.arange(num_units)) % (1 << 8 * numbers.itemsize)
    if not all(is_permutation(row) for row in units_MU):
        raise ValueError("packed permutations do not name every unit once")
    return units_MU


def _numbers(num_units: int) -> np.dtype[np.unsignedinteger]:
    return np.dtype("<u2") if num_units <= 1 << 16 else np.dtype("<u4")
