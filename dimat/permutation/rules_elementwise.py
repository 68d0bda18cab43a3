"""What happens to each entry by itself, and tensors whose entries are all alike."""

import torch

from dimat.permutation.calls import Call, Outcome, broadcast, plain, rule
from dimat.permutation.terms import Unclear, cut, fixed, free, unify

# Most operations say by a tag that they are pointwise; these do not.
UNTAGGED = frozenset(
    {"dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout", "relu6", "selu", "celu", "mish", "hardtanh", "hardswish"}
    | {"hardsigmoid", "log_sigmoid", "softplus", "masked_fill", "where", "clamp", "copy", "square", "rsub", "fill", "zero"}
)  # fmt: skip


def is_pointwise(target: object, name: str) -> bool:
    """Whether a result's entry depends on the same entry of the inputs alone."""
    return name in UNTAGGED or torch.Tag.pointwise in getattr(target, "tags", ())


def pointwise(call: Call) -> Outcome:
    if call.overload == "default" and call.name == "where":
        raise Unclear("it tells places")
    return broadcast(call.tensors(), call.shape)


@rule("contiguous", "clone", "detach", "detach_", "alias", "to", "_to_copy", "type_as", "lift_fresh_copy")
def same(call: Call) -> Outcome:
    found: Outcome = call.raw(0)
    return found


@rule(
    "zeros",
    "ones",
    "full",
    "new_zeros",
    "new_ones",
    "new_full",
    "zeros_like",
    "ones_like",
    "full_like",
    "scalar_tensor",
)
def uniform(call: Call) -> Outcome:
    """All entries are alike: any permutation leaves them."""
    return tuple(free(n) for n in call.shape)


@rule("arange", "linspace", "eye")
def counted(call: Call) -> Outcome:
    return tuple(fixed(n, "numbers in order") for n in call.shape)


@rule("expand", "expand_as", "broadcast_to")
def expand(call: Call) -> Outcome:
    x = call.value(0)
    new = len(call.shape) - len(x)
    kept = [x[axis - new] if axis >= new else None for axis in range(len(call.shape))]
    return tuple(
        term if term is not None and term.size == n else free(n)
        for term, n in zip(kept, call.shape, strict=True)
    )


@rule("prelu")
def prelu(call: Call) -> Outcome:
    x, weight = call.value(0), call.value("weight")
    if weight and weight[0].size > 1:
        unify(x[1], weight[0])
    return x


@rule("glu")
def glu(call: Call) -> Outcome:
    """One half gates the other."""
    x, dim = call.value(0), int(call.args["dim"])
    half = x[dim].size // 2
    first, second = cut(x[dim], 0, half), cut(x[dim], half, 2 * half)
    unify(first, second)
    found = list(x)
    found[dim] = first
    return tuple(found)


@rule("_assert_tensor_metadata", "_assert_async", "_assert_scalar")
def check(call: Call) -> Outcome:
    """Gives nothing and changes nothing."""
    return ()


@rule("getitem")
def getitem(call: Call) -> Outcome:
    found = call.raw(0)[int(call.raw(1))]
    return found if isinstance(found, list) else plain(found) if isinstance(found, tuple) else found
