"""Other shapes of the same entries: reshape, transpose, cat, slice, split, indexing."""

from typing import Any

from dimat.permutation.calls import Call, Outcome, Stacked, Value, broadcast, plain, rule
from dimat.permutation.terms import Term, Unclear, cat, cut, factor, fixed, free, freeze, prod, unify

INDEX = "picked by its place"


@rule("view", "reshape", "_unsafe_view", "flatten", "unflatten", "view_as", "reshape_as")
def reshape(call: Call) -> Outcome:
    x = call.raw(0)
    if isinstance(x, Stacked):
        return _reshape_stacked(call, x)
    sizes = [term.size for term in plain(x)]
    if 0 in sizes:
        raise Unclear("no entries")
    found: list[Any] = [fixed(1, "")] * len(call.shape)
    stacked: tuple[int, list[list[Term]], list[int]] | None = None
    for before, after in pairs(sizes, call.shape):
        term = prod(x[axis] for axis in before)
        wanted = [call.shape[axis] for axis in after]
        if stacked is None and len(before) == 1 and len(after) > 1 and _is_picked(call.node, after[0]):
            each = term.size // wanted[0]
            parts = [factor(cut(term, i * each, (i + 1) * each), wanted[1:]) for i in range(wanted[0])]
            stacked = (after[0], parts, after[1:])
            continue
        for axis, piece in zip(after, factor(term, wanted), strict=True):
            found[axis] = piece
    if stacked is None:
        return tuple(found)
    place, parts, axes = stacked
    values = []
    for pieces in parts:
        value = list(found)
        for axis, piece in zip(axes, pieces, strict=True):
            value[axis] = piece
        del value[place]
        values.append(tuple(value))
    return Stacked(place, tuple(values))


def pairs(before: list[int], after: tuple[int, ...]) -> list[tuple[list[int], list[int]]]:
    """Runs of axes of two shapes that hold the same entries, as short as can be; axes of size 1 are left out."""
    left = [axis for axis, n in enumerate(before) if n != 1]
    right = [axis for axis, n in enumerate(after) if n != 1]
    found = []
    while left:
        mine, its = [left.pop(0)], [right.pop(0)]
        a, b = before[mine[0]], after[its[0]]
        while a != b:
            if a < b:
                mine.append(left.pop(0))
                a *= before[mine[-1]]
            else:
                its.append(right.pop(0))
                b *= after[its[-1]]
        found.append((mine, its))
    return found


def _reshape_stacked(call: Call, x: Stacked) -> Outcome:
    """Parts that end up side by side on one axis; everything else ties them together."""
    sizes = [term.size for term in x.parts[0]]
    sizes.insert(x.axis, len(x.parts))
    runs = pairs(sizes, call.shape)
    whole = [(before, after) for before, after in runs if before[0] == x.axis and len(after) == 1]
    if not whole:
        value = plain(x)
        return reshape(Call(call.node, call.name, call.overload, {"x": value}, call.shapes, call.mixes))
    before, after = whole[0]
    row = cat(prod(part[axis - 1] for axis in before[1:]) for part in x.parts)
    value = plain(x)
    found = [fixed(1, "")] * len(call.shape)
    for mine, its in runs:
        if mine == before:
            found[after[0]] = row
            continue
        pieces = factor(prod(value[axis] for axis in mine), [call.shape[axis] for axis in its])
        for axis, piece in zip(its, pieces, strict=True):
            found[axis] = piece
    return tuple(found)


@rule("transpose", "permute", "t", "movedim", "moveaxis", "unsqueeze", "squeeze", "swapaxes",
      "swapdims", "numpy_T", "mT")  # fmt: skip
def moved(call: Call) -> Outcome:
    x = call.raw(0)
    rank = len(x.parts[0]) + 1 if isinstance(x, Stacked) else len(x)
    order = _order(call, rank, x)
    if not isinstance(x, Stacked):
        return tuple(x[axis] if axis is not None else fixed(1, "") for axis in order)
    if x.axis not in order:
        raise Unclear("a stack of one")
    parts = []
    for part in x.parts:
        full = [*part[: x.axis], None, *part[x.axis :]]
        picked = [full[axis] if axis is not None else fixed(1, "") for axis in order if axis != x.axis]
        parts.append(tuple(term for term in picked if term is not None))
    return Stacked(order.index(x.axis), tuple(parts))


def _order(call: Call, rank: int, x: Any) -> list[int | None]:
    """For each axis of the result the axis it was; None: a new one of size 1."""
    axes: list[int | None] = list(range(rank))
    sizes = [term.size for term in (x.parts[0] if isinstance(x, Stacked) else x)]
    if isinstance(x, Stacked):
        sizes.insert(x.axis, len(x.parts))
    return moved_axes(call.name, list(call.args.values())[1:], axes, sizes)


def moved_axes(name: str, args: list[Any], axes: list[int | None], sizes: list[int]) -> list[int | None]:
    """Args: args: those behind the tensor. sizes: of its axes."""
    rank = len(axes)
    if name in ("transpose", "swapaxes", "swapdims", "t", "numpy_T", "mT"):
        if name != "mT" and rank < 2:
            return axes
        first, second = args[:2] if args else (-2, -1)
        axes[first], axes[second] = axes[second], axes[first]
    elif name == "permute":
        axes = [axes[axis] for axis in args[0]]
    elif name in ("movedim", "moveaxis"):
        sources, targets = ([one] if isinstance(one, int) else list(one) for one in args[:2])
        places = dict(zip((n % rank for n in targets), (n % rank for n in sources), strict=True))
        rest = iter(n for n in range(rank) if n not in places.values())
        axes = [axes[places[n] if n in places else next(rest)] for n in range(rank)]
    elif name == "unsqueeze":
        axes.insert(args[0] % (rank + 1), None)
    elif name == "squeeze":
        given = range(rank) if not args else [args[0]] if isinstance(args[0], int) else args[0]
        gone = {axis % rank for axis in given}
        axes = [axis for axis in axes if axis is None or axis not in gone or sizes[axis] != 1]
    else:
        raise Unclear(name)
    return axes


def _is_picked(node: Any, axis: int) -> bool:
    """Whether entries along this axis of a node's result are only ever taken out one by one."""
    for user in node.users:
        name = getattr(getattr(user.target, "_schema", None), "name", "").removeprefix("aten::")
        if name in ("select", "unbind"):
            dim = user.args[1] if len(user.args) > 1 else user.kwargs.get("dim", 0)
            if dim % len(node.meta["val"].shape) != axis:
                return False
            continue
        if name in ("lstm", "gru", "rnn_tanh", "rnn_relu") and axis == 0 and node is not user.args[0]:
            continue  # a start state for each layer
        if name in ("contiguous", "clone"):
            place: int = axis
        elif name in ("transpose", "permute", "unsqueeze", "squeeze") and len(user.args) > 1:
            shape = list(node.meta["val"].shape)
            order = moved_axes(name, list(user.args[1:]), list(range(len(shape))), shape)
            if axis not in order:
                return False
            place = order.index(axis)
        else:
            return False
        if not _is_picked(user, place):
            return False
    return bool(node.users)


@rule("select")
def select(call: Call) -> Outcome:
    x, dim, index = call.raw(0), int(call.args["dim"]), int(call.args["index"])
    if isinstance(x, Stacked) and dim % (len(x.parts[0]) + 1) == x.axis:
        return x.parts[index]
    value = plain(x)
    freeze(value[dim], INDEX)
    axis = dim % len(value)
    return (*value[:axis], *value[axis + 1 :])


@rule("unbind")
def unbind(call: Call) -> Outcome:
    x, dim = call.raw(0), int(call.args["dim"])
    if isinstance(x, Stacked) and dim % (len(x.parts[0]) + 1) == x.axis:
        return list(x.parts)
    value = plain(x)
    freeze(value[dim], INDEX)
    axis = dim % len(value)
    return [(*value[:axis], *value[axis + 1 :])] * len(call.shapes)


@rule("slice")
def sliced(call: Call) -> Outcome:
    x, axis = call.value(0), int(call.args["dim"]) % len(call.shape)
    start, end, step = (call.args[name] for name in ("start", "end", "step"))
    places = range(x[axis].size)[slice(start, end, step)]
    if places.step == 1:
        kept = cut(x[axis], places.start, places.stop)
    elif len(places) * places.step == x[axis].size:  # one of each run of entries, as of (.., n, step)
        kept, inner = factor(x[axis], [len(places), places.step])
        freeze(inner, INDEX)
    else:
        freeze(x[axis], INDEX)
        kept = fixed(len(places), INDEX)
    return (*x[:axis], kept, *x[axis + 1 :])


@rule("narrow")
def narrow(call: Call) -> Outcome:
    x, axis = call.value(0), int(call.args["dim"]) % len(call.shape)
    start = int(call.args["start"]) % x[axis].size
    return (*x[:axis], cut(x[axis], start, start + call.shape[axis]), *x[axis + 1 :])


@rule("chunk", "split", "split_with_sizes", "tensor_split", "unsafe_split", "unsafe_chunk")
def split(call: Call) -> Outcome:
    x = call.value(0)
    axis = int(call.args.get("dim", 0)) % len(x)
    found: list[Any] = []
    start = 0
    for shape in call.shapes:
        found.append((*x[:axis], cut(x[axis], start, start + shape[axis]), *x[axis + 1 :]))
        start += shape[axis]
    if start != x[axis].size:
        raise Unclear("entries left over")
    return found


@rule("cat", "concat", "concatenate")
def concatenate(call: Call) -> Outcome:
    values = call.tensors()
    axis = int(call.args.get("dim", 0)) % len(call.shape)
    rest = [(*value[:axis], fixed(1, ""), *value[axis + 1 :]) for value in values]
    found = list(broadcast(rest, call.shape))
    found[axis] = cat(value[axis] for value in values)
    return tuple(found)


@rule("hstack", "vstack", "column_stack")
def joined(call: Call) -> Outcome:
    values, axis = call.tensors(), 0 if call.name == "vstack" else 1
    if len(values[0]) < 2:
        raise Unclear("lines put side by side")
    named = Call(call.node, "cat", "", {"tensors": values, "dim": axis}, call.shapes, call.mixes)
    return concatenate(named)


@rule("stack")
def stack(call: Call) -> Outcome:
    axis = int(call.args.get("dim", 0)) % len(call.shape)
    return Stacked(axis, tuple(call.tensors()))


@rule("repeat", "tile")
def repeat(call: Call) -> Outcome:
    x, times = call.value(0), list(call.raw(1))
    x = (*(fixed(1, "") for _ in range(len(times) - len(x))), *x)
    times = [1] * (len(x) - len(times)) + times
    return tuple(prod([free(n), term]) for n, term in zip(times, x, strict=True))


@rule("repeat_interleave")
def repeat_interleave(call: Call) -> Outcome:
    x, times, dim = call.value(0), call.args["repeats"], call.args["dim"]
    if not isinstance(times, int) or dim is None:
        raise Unclear("repeats that differ")
    found = list(x)
    found[dim] = prod([x[dim], free(times)])
    return tuple(found)


@rule("index_select")
def index_select(call: Call) -> Outcome:
    x, dim, index = call.value(0), int(call.args["dim"]), call.value("index")
    freeze(x[dim], INDEX)
    found = list(x)
    found[dim] = index[0]
    return tuple(found)


@rule("index")
def index(call: Call) -> Outcome:
    x, given = call.value(0), call.args["indices"]
    places = [axis for axis, one in enumerate(given) if one is not None]
    values = [plain(given[axis]) for axis in places]
    for axis in places:
        freeze(x[axis], INDEX)
    rank = max(len(value) for value in values)
    if len(x) - len(places) + rank != len(call.shape):
        raise Unclear("a mask")
    is_one_run = places == list(range(places[0], places[-1] + 1))
    first = places[0] if is_one_run else 0
    looked_up = broadcast(values, call.shape[first : first + rank])
    rest: Value = tuple(term for axis, term in enumerate(x) if axis not in places)
    for term in looked_up:
        if term.size > 1:
            unify(term, fixed(term.size, INDEX))
    return (*rest[:first], *looked_up, *rest[first:])
