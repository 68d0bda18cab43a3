"""Where randomness comes from: generators derived from the run's seed and what they are for.

The same (seed, parts) gives the same stream in a worker and in `simulate`; parts are indices and
fixed words, never ids, names or the order of arrival.
"""

import hashlib

import numpy as np
import torch


def derive(seed: int, *parts: str | int) -> int:
    """A seed 0 <= s < 2**63 that depends on every part and its place."""
    text = "/".join(f"{type(part).__name__}:{part}" for part in (seed, *parts))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1


def torch_rng(seed: int, *parts: str | int) -> torch.Generator:
    """A generator on the CPU (so that every device sees the same stream)."""
    return torch.Generator().manual_seed(derive(seed, *parts))


def numpy_rng(seed: int, *parts: str | int) -> np.random.Generator:
    return np.random.default_rng(derive(seed, *parts))
