"""What a step leaves in the store: its model, and what is made of it for others. The same bytes for a worker and for `simulate`."""

from dataclasses import dataclass
from functools import partial

from dimat.params import Params, averaged, layout_of
from dimat.parts import WireSpec
from dimat.steps.context import StepResult
from dimat.wire.codec import PLAIN, decode, encode, most_bytes
from dimat.wire.deltas import difference

_encode = partial(encode, allow_non_finite=True)
"""Steps have looked at their models themselves, and say of which site one is."""


@dataclass(frozen=True, slots=True)
class Artifacts:
    """Bytes by what they are; None for what the step does not make.

    Attributes:
        model: what the site goes on with; of a `gather` step the sums of its branch.
        shared: the model as neighbours get it, where that differs. residual: what rounding left over, for the next `shared`.
        delta: what makes `shared` of what the site sent last, where that is shorter.
        momentum, moments, mean: see `StepResult`. alone, alone_momentum: the model that the site trains alone, and what its optimiser
            remembers.
    """

    model: bytes | None = None
    momentum: bytes | None = None
    moments: bytes | None = None
    mean: bytes | None = None
    shared: bytes | None = None
    residual: bytes | None = None
    delta: bytes | None = None
    alone: bytes | None = None
    alone_momentum: bytes | None = None


def artifacts_of(
    result: StepResult,
    wire: WireSpec = PLAIN,
    is_gather: bool = False,
    residual: Params | None = None,
    sent_before: bytes | None = None,
) -> Artifacts:
    """All artifacts of a step.

    Args:
        wire: how its model travels; the plain one for a step whose model nobody else reads.
        is_gather: its params are sums, made to be sent: they are kept as they travel.
        residual: what rounding left over when the site last sent.
        sent_before: as what its model travelled when the site last sent; None: it sends the whole.
    """
    without_loss = WireSpec(compress=wire.compress)
    shared, left = None, None
    if result.params is not None and not is_gather and result.mean is None and not wire.is_plain:
        shared, left = _rounded(result.params, wire, residual)
    delta = None
    if shared is not None and sent_before is not None:
        assert result.params is not None
        delta = difference(shared, sent_before, most_bytes(layout_of(result.params)))
    alone = result.alone
    return Artifacts(
        model=None if result.params is None else _encode(result.params, wire if is_gather else PLAIN),
        momentum=None if result.momentum is None else _encode(result.momentum),
        moments=None if result.moments is None else _encode(result.moments, without_loss),
        mean=None if result.mean is None else _encode(result.mean, wire),
        shared=shared,
        residual=None if left is None else _encode(left),
        delta=delta,
        alone=None if alone is None else _encode(alone.params),
        alone_momentum=None if alone is None or alone.momentum is None else _encode(alone.momentum),
    )


def _rounded(params: Params, wire: WireSpec, residual: Params | None) -> tuple[bytes, Params | None]:
    """What is sent, and what it lacks. Half precision lacks too little to remember.

    Reference: Seide et al. 2014, "1-bit stochastic gradient descent" (error feedback).
    """
    if wire.numbers != "int8":
        return _encode(params, wire), None
    left = residual or {}
    wanted = {name: value + left[name] if name in left else value for name, value in params.items()}
    data = _encode(wanted, wire)
    got = decode(data, layout_of(params), allow_non_finite=True)
    return data, {name: value - got[name] for name, value in averaged(wanted).items()}
