"""A step underway as bytes, in the format of every artifact: numbers are tensors, too.

Unlike a model these bytes are not the same wherever the same is computed: they name who made them, so that nobody removes
another one's when they are no longer needed.
"""

import hashlib
from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor

from dimat.errors import ArtifactInvalid
from dimat.params import Layout, Params
from dimat.training.checkpoint import Checkpoint, Underway
from dimat.training.stopping import Best
from dimat.wire.codec import decode, encode, sha256

T = TypeVar("T")
_OWNER = "owner"
_OWNER_BYTES = 16
_WHOLE, _REAL = ((), torch.int64), ((), torch.float64)
"""How a single number lies in a checkpoint; a Python float is a float64 and comes back in all its bits."""


def encode_underway(underway: Underway, owner: str) -> bytes:
    """The bytes of `underway`. owner: whose they are, a name that nobody else has."""
    digest = hashlib.sha256(owner.encode()).digest()[:_OWNER_BYTES]
    found = {_OWNER: torch.tensor(list(digest), dtype=torch.uint8), **_under("now", _tensors(underway.now))}
    if underway.ended is not None:
        found |= _under("ended", _tensors(underway.ended))
    # Of training that diverges its own error tells more, at its end.
    return encode(found, allow_non_finite=True)


def decode_underway(
    data: bytes, params: Layout, momentum: Layout, seeks_best: bool, trains_alone: bool, epochs: int
) -> Underway:
    """The reverse, checked against what the step must have left.

    Args:
        params, momentum: of the model and of what its optimiser remembers after an epoch (empty: nothing).
        seeks_best: whether the best epoch is looked for. trains_alone: whether the step trains a second model.
        epochs: of the step, for each model that it trains: whoever goes on repeats the draws of those that are done.

    Raises:
        ArtifactInvalid: as `codec.decode`, also where the step has another model or trains otherwise.
    """
    of_now = _under("now", _layout(params, momentum, seeks_best))
    first = {_OWNER: ((_OWNER_BYTES,), torch.uint8), **of_now}
    second = first | _under("ended", _layout(params, momentum, False))
    try:
        found = decode(data, first)
    except ArtifactInvalid:
        if not trains_alone:
            raise
        found = decode(data, second)
    underway = Underway(
        _checkpoint(_within("now", found)),
        _checkpoint(_within("ended", found)) if len(found) > len(first) else None,
    )
    for one in (underway.now, underway.ended):
        if one is not None and not 1 <= one.num_epochs <= epochs:
            problem = f"it was made after {one.num_epochs} epochs, of a step with {epochs}"
            raise ArtifactInvalid(sha256=sha256(data), problem=problem)
    return underway


def _tensors(checkpoint: Checkpoint) -> Params:
    found = {
        "num_epochs": _whole(checkpoint.num_epochs),
        "loss": _real(checkpoint.loss),
        **_under("params", checkpoint.params),
        **_under("momentum", checkpoint.momentum),
    }
    if (best := checkpoint.best) is not None:
        found |= {
            "best/epoch": _whole(best.epoch),
            "best/held_out_loss": _real(best.held_out_loss),
            "best/train_loss": _real(best.train_loss),
            **_under("best/params", best.state),
            **_under("best/momentum", best.momentum),
        }
    return found


def _layout(params: Layout, momentum: Layout, seeks_best: bool) -> Layout:
    found = {"num_epochs": _WHOLE, "loss": _REAL, **_under("params", params), **_under("momentum", momentum)}
    if seeks_best:
        found |= {
            "best/epoch": _WHOLE,
            "best/held_out_loss": _REAL,
            "best/train_loss": _REAL,
            **_under("best/params", params),
            **_under("best/momentum", momentum),
        }
    return found


def _checkpoint(found: Params) -> Checkpoint:
    best = None
    if "best/epoch" in found:
        best = Best(
            int(found["best/epoch"]),
            float(found["best/held_out_loss"]),
            float(found["best/train_loss"]),
            _within("best/params", found),
            _within("best/momentum", found),
        )
    numbers = int(found["num_epochs"]), float(found["loss"])
    return Checkpoint(*numbers, _within("params", found), _within("momentum", found), best)


def _whole(value: int) -> Tensor:
    return torch.tensor(value, dtype=torch.int64)


def _real(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def _under(place: str, named: Mapping[str, T]) -> dict[str, T]:
    return {f"{place}/{name}": value for name, value in named.items()}


def _within(place: str, named: Params) -> Params:
    """Those under `place`, by their names there."""
    return {
        name.removeprefix(f"{place}/"): value for name, value in named.items() if name.startswith(f"{place}/")
    }
