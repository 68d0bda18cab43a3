"""Entries picked or written by their places: gathered, scattered, ranked, unfolded. The picked axis keeps its order."""

from typing import Any

import torch

from dimat.permutation.calls import Call, Outcome, Value, broadcast, plain, rule, stay
from dimat.permutation.terms import Term, Unclear, factor, fixed, freeze, prod, unify

INDEX = "picked by its place"
ORDER = "order along an axis"
SPACE = "position in space or time"


@rule("argmax", "argmin")
def place_of_extreme(call: Call) -> Outcome:
    x, dim = call.value(0), call.args.get("dim")
    axes = range(len(x)) if dim is None else [int(dim) % len(x)]
    for axis in axes:
        freeze(x[axis], ORDER)
    if call.args.get("keepdim"):
        return tuple(fixed(1, "") if axis in axes else term for axis, term in enumerate(x))
    return tuple(term for axis, term in enumerate(x) if axis not in axes)


@rule("mode")
def most_frequent(call: Call) -> Outcome:
    x, axis = call.value(0), int(call.args["dim"])
    freeze(x[axis], ORDER)
    kept = list(x)
    kept[axis % len(x) : axis % len(x) + 1] = [fixed(1, "")] if call.args.get("keepdim") else []
    return [tuple(kept)] * 2


@rule("gather", "take_along_dim")
def gather(call: Call) -> Outcome:
    if call.args.get("dim") is None:
        raise Unclear("of a flat tensor")
    x, index = call.value(0), call.value(1 if call.name == "take_along_dim" else "index")
    return _beside(call, x, index, call.shape)


@rule("scatter", "scatter_", "scatter_add", "scatter_add_", "scatter_reduce", "scatter_reduce_")
def scatter(call: Call) -> Outcome:
    x, index = call.value(0), call.value("index")
    kept = _beside(call, x, index, tuple(term.size for term in index))
    if isinstance(call.args.get("src"), tuple):
        for mine, its in zip(kept, call.value("src"), strict=True):
            unify(mine, its)
    axis = int(call.args["dim"]) % len(x)
    freeze(index[axis], ORDER)  # of two that go to one place the later stays
    return (*x[:axis], fixed(x[axis].size, INDEX), *x[axis + 1 :])


def _beside(call: Call, x: Value, index: Value, shape: tuple[int, ...]) -> Value:
    """Entries of `x` that `index` tells along one axis; on the others both have one order."""
    axis = int(call.args["dim"]) % len(x)
    freeze(x[axis], INDEX)
    found: list[Term] = list(index)
    for number, (mine, its) in enumerate(zip(x, index, strict=True)):
        if number == axis:
            continue
        if its.size == shape[number] == mine.size:
            unify(mine, its)
        elif mine.size > 1 and its.size > 1:
            freeze(mine, INDEX)
            freeze(its, INDEX)
        elif mine.size == shape[number]:
            found[number] = mine
    return tuple(found)


@rule("index_add", "index_add_", "index_copy", "index_copy_", "index_reduce")
def index_add(call: Call) -> Outcome:
    x, axis, index = call.value(0), int(call.args["dim"]) % len(call.shape), call.value("index")
    source = call.value("source")
    freeze(x[axis], INDEX)
    if index:
        unify(source[axis], index[0])
        freeze(index[0], ORDER)
    for number, (mine, its) in enumerate(zip(x, source, strict=True)):
        if number != axis:
            unify(mine, its)
    return (*x[:axis], fixed(x[axis].size, INDEX), *x[axis + 1 :])


@rule("index_fill", "index_fill_")
def index_fill(call: Call) -> Outcome:
    return stay(call, call.value(0), [int(call.args["dim"])], INDEX)


@rule("index_put", "index_put_")
def index_put(call: Call) -> Outcome:
    """A mask over leading axes, or places on them; what is written runs along the others."""
    x, given, values = call.value(0), call.args["indices"], call.value("values")
    nodes = call.node.args[1]
    is_mask = len(given) == 1 and nodes[0].meta["val"].dtype is torch.bool
    if is_mask:
        leading = len(plain(given[0]))
        for mine, its in zip(x, plain(given[0]), strict=False):
            unify(mine, its)
        if any(term.size > 1 for term in values[: max(len(values) - len(x) + leading, 0)]):
            raise Unclear("values for each entry of a mask")
    else:
        leading = len(given)
        for mine, one in zip(x, given, strict=False):
            if one is None:
                raise Unclear("places on a later axis")
            freeze(mine, INDEX)
            for term in plain(one):
                freeze(term, INDEX)
    beside = x[leading:]
    if beside:
        broadcast([beside, values[-len(beside) :]], call.shape[leading:])
    if not is_mask:
        for term in values[: max(len(values) - len(beside), 0)]:
            freeze(term, INDEX)
    return x


@rule("one_hot")
def one_hot(call: Call) -> Outcome:
    return (*call.value(0), fixed(call.shape[-1], "place of a class"))


@rule("unfold")
def unfold(call: Call) -> Outcome:
    axis = int(call.args["dimension"])
    return (*stay(call, call.value(0), [axis], SPACE), fixed(call.shape[-1], SPACE))


@rule("im2col")
def patches(call: Call) -> Outcome:
    """(.., C, H, W) to (.., C * positions in a kernel, places)."""
    x = call.value(0)
    for term in x[-2:]:
        freeze(term, SPACE)
    kernel = fixed(call.shape[-2] // x[-3].size, "position in a kernel")
    return (*x[:-3], prod([x[-3], kernel]), fixed(call.shape[-1], SPACE))


@rule("col2im")
def from_patches(call: Call) -> Outcome:
    x, size = call.value(0), call.shape[-3]
    channel, kernel = factor(x[-2], [size, x[-2].size // size])
    freeze(kernel, "position in a kernel")
    freeze(x[-1], SPACE)
    return (*x[:-2], channel, *(fixed(n, SPACE) for n in call.shape[-2:]))


@rule("max_unpool2d", "max_unpool3d")
def unpool(call: Call) -> Outcome:
    num = int(call.name[-2])
    both = broadcast([call.value(0), call.value(1)], [term.size for term in call.value(0)])
    return stay(call, both, range(-num, 0), SPACE)


@rule("affine_grid_generator")
def grid(call: Call) -> Outcome:
    theta: Any = call.value(0)
    for term in theta[1:]:
        freeze(term, "of a map of the plane")
    return (theta[0], *(fixed(n, SPACE) for n in call.shape[1:]))
