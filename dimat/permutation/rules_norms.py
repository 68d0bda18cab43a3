"""Normalisation: units stay apart (batch, instance), or are treated alike as a whole (layer) or in blocks (group)."""

from dimat.permutation.calls import Call, Outcome, broadcast, rule
from dimat.permutation.terms import constrain, unify


@rule("batch_norm", "instance_norm", "native_batch_norm")
def batch_norm(call: Call) -> Outcome:
    x = call.value(0)
    for name in ("weight", "bias", "running_mean", "running_var"):
        if (vector := call.optional(name)) is not None:
            unify(x[1], vector[0])
    for axis in (0, *range(2, len(x))):
        call.contract(x[axis], x)
    return x


@rule("layer_norm", "rms_norm")
def layer_norm(call: Call) -> Outcome:
    x = call.value(0)
    normalised = x[len(x) - len(call.args["normalized_shape"]) :]
    for name in ("weight", "bias"):
        if (affine := call.optional(name)) is not None:
            for mine, its in zip(normalised, affine, strict=True):
                unify(mine, its)
    call.contract_all(normalised, x)
    return x


@rule("group_norm")
def group_norm(call: Call) -> Outcome:
    x = call.value(0)
    for name in ("weight", "bias"):
        if (vector := call.optional(name)) is not None:
            unify(x[1], vector[0])
    constrain(x[1], int(call.args["num_groups"]))
    for axis in range(2, len(x)):
        call.contract(x[axis], x)
    return x


@rule("softmax", "log_softmax", "_softmax", "_log_softmax")
def softmax(call: Call) -> Outcome:
    x = call.value(0)
    call.contract(x[int(call.raw(1))], x)
    return x


@rule("_weight_norm")
def weight_norm(call: Call) -> Outcome:
    """v * g / |v|, the norm over all axes but `dim`; -1 is no axis: the norm over all of them."""
    v, dim = call.value("v"), int(call.args["dim"])
    for axis, term in enumerate(v):
        if dim == -1 or axis != dim % len(v):
            call.contract(term, v)
    return broadcast([v, call.value("g")], call.shape)
