"""Sums, means and extremes over axes; pooling, resizing and padding; what depends on order."""

from collections.abc import Sequence

from dimat.permutation.calls import Call, Outcome, Value, rule, stay
from dimat.permutation.terms import Unclear, cat, cut, factor, fixed, free, freeze, prod

SPACE = "position in space or time"
ORDER = "order along an axis"


@rule(
    "sum",
    "mean",
    "amax",
    "amin",
    "var",
    "std",
    "norm",
    "linalg_norm",
    "linalg_vector_norm",
    "linalg_matrix_norm",
    "logsumexp",
    "prod",
    "any",
    "all",
)
def reduction(call: Call) -> Outcome:
    return _reduced(call, call.value(0))


@rule("max", "min", "kthvalue", "median", "nanmedian")
def extreme(call: Call) -> Outcome:
    if call.overload == "other":
        raise Unclear("pointwise ones have a tag")
    x = call.value(0)
    if "dim" in call.args:
        if _tells_where(call):
            freeze(x[int(call.args["dim"])], ORDER)
        found = _reduced(call, x)
        return [found, found]
    return _reduced(call, x)


@rule("quantile", "nanquantile")
def quantile(call: Call) -> Outcome:
    if call.overload != "scalar":
        raise Unclear("several at once")
    return _reduced(call, call.value(0))


@rule("sort", "topk")
def by_size(call: Call) -> Outcome:
    """The values lie in the order of their sizes, in whatever order they came."""
    x, axis = call.value(0), int(call.args["dim"])
    if _tells_where(call) or not call.args.get("sorted", True):
        return [stay(call, x, [axis], ORDER)] * 2
    call.contract(x[axis], x)
    kept = list(x)
    kept[axis] = fixed(call.shape[axis], ORDER)
    return [tuple(kept)] * 2


def _tells_where(call: Call) -> bool:
    """Whether anybody asks for the places of the values, its second result; these depend on the order, and seldom anybody does."""
    return any(user.users and user.args[1:] != (0,) for user in call.node.users)


def _reduced(call: Call, x: Value) -> Value:
    axes = {axis % len(x) for axis in _dims(call, len(x))} if x else set()
    if call.name == "linalg_matrix_norm":  # rows and columns count one by one
        for axis in axes:
            call.contract(x[axis], x)
    else:
        call.contract_all([x[axis] for axis in axes], x)
    if call.args.get("keepdim"):
        return tuple(fixed(1, "") if axis in axes else term for axis, term in enumerate(x))
    return tuple(term for axis, term in enumerate(x) if axis not in axes)


def _dims(call: Call, rank: int) -> Sequence[int]:
    dim = call.args.get("dim")
    if isinstance(dim, int):
        return [dim]
    return [int(d) for d in dim] if dim else range(rank)


@rule("cumsum", "cumprod", "logcumsumexp", "flip", "roll", "cummax", "cummin")
def ordered(call: Call) -> Outcome:
    x = call.value(0)
    dims = call.args.get("dims", call.args.get("dim"))
    axes = [dims] if isinstance(dims, int) else list(dims or range(len(x)))
    kept = stay(call, x, axes, ORDER)
    return [kept] * len(call.shapes) if len(call.shapes) > 1 else kept


@rule("tril", "triu")
def triangle(call: Call) -> Outcome:
    return stay(call, call.value(0), (-2, -1), ORDER)


@rule(*(f"{kind}_pool{n}d" for kind in ("max", "avg", "lp", "adaptive_avg", "adaptive_max") for n in (1, 2, 3)),
      *(f"max_pool{n}d_with_indices" for n in (2, 3)))  # fmt: skip
def pool(call: Call) -> Outcome:
    x, num = call.value(0), int(call.name.split("pool")[1][0])
    if call.name.startswith("adaptive_avg") and set(call.shape[-num:]) == {1}:
        for term in x[-num:]:
            call.contract(term, x)
        kept: Value = (*x[:-num], *(fixed(1, "") for _ in range(num)))
    else:
        kept = stay(call, x, range(-num, 0), SPACE)
    return [kept] * len(call.shapes) if len(call.shapes) > 1 else kept


@rule(*(f"upsample_{kind}" for kind in ("nearest1d", "nearest2d", "nearest3d", "linear1d", "bilinear2d", "bicubic2d")),
      *(f"_upsample_nearest_exact{n}d" for n in (1, 2, 3)), "upsample_trilinear3d", "_upsample_bilinear2d_aa",
      "_upsample_bicubic2d_aa", "grid_sampler")  # fmt: skip
def upsample(call: Call) -> Outcome:
    x = call.value(0)
    if call.name == "grid_sampler":
        for term in call.value(1)[1:]:
            freeze(term, SPACE)
    return stay(call, x, range(2, len(x)), SPACE)


@rule("pixel_unshuffle")
def pixel_unshuffle(call: Call) -> Outcome:
    x, square = call.value(0), int(call.raw(1)) ** 2
    kept = stay(call, (*x[:-3], fixed(call.shape[-3], ""), *x[-2:]), (-2, -1), SPACE)
    return (*kept[:-3], prod([x[-3], fixed(square, SPACE)]), *kept[-2:])


@rule("channel_shuffle", "native_channel_shuffle")
def channel_shuffle(call: Call) -> Outcome:
    x, groups = call.value(0), int(call.args["groups"])
    block, inner = factor(x[1], [groups, x[1].size // groups])
    return (x[0], prod([inner, block]), *x[2:])


@rule("var_mean", "std_mean", "aminmax")
def two_reductions(call: Call) -> Outcome:
    found = _reduced(call, call.value(0))
    return [found, found]


@rule("pixel_shuffle")
def pixel_shuffle(call: Call) -> Outcome:
    x, square = call.value(0), int(call.raw(1)) ** 2
    channel, places = factor(x[-3], [x[-3].size // square, square])
    freeze(places, SPACE)
    kept = stay(call, (*x[:-3], channel, *x[-2:]), (-2, -1), SPACE)
    return kept


@rule("pad", "constant_pad_nd")
def pad(call: Call) -> Outcome:
    """A constant on both sides: what is put there is all alike."""
    x, widths = list(call.value(0)), [int(n) for n in call.args["pad"]]
    for number in range(len(widths) // 2):
        before, after = widths[2 * number : 2 * number + 2]
        axis = len(x) - 1 - number
        if call.args.get("mode", "constant") != "constant":
            x = list(stay(call, tuple(x), [axis] if before or after else [], SPACE))
            continue
        term = cut(x[axis], max(-before, 0), x[axis].size - max(-after, 0))
        x[axis] = cat([free(max(before, 0)), term, free(max(after, 0))])
    return tuple(x)


@rule(*(f"{kind}_pad{n}d" for kind in ("reflection", "replication") for n in (1, 2, 3)))
def repeating_pad(call: Call) -> Outcome:
    return stay(call, call.value(0), range(-int(call.name[-2]), 0), SPACE)
