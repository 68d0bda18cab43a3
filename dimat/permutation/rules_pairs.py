"""Two tensors compared or multiplied in other ways than by a matrix product: distances, cosines, bilinear layers."""

from dimat.permutation.calls import Call, Outcome, broadcast, plain, rule
from dimat.permutation.terms import Term, fixed, freeze, unify


@rule("vdot", "inner")
def inner(call: Call) -> Outcome:
    a, b = call.value(0), call.value(1)
    unify(a[-1], b[-1])
    call.contract(a[-1], a)
    call.contract(b[-1], b)
    return (*a[:-1], *b[:-1])


@rule("outer", "ger")
def outer(call: Call) -> Outcome:
    return (*call.value(0), *call.value(1))


@rule("bilinear")
def bilinear(call: Call) -> Outcome:
    """y_o = sum over i, j of a_i w_oij b_j."""
    a, b, weight, bias = call.value(0), call.value(1), call.value(2), call.optional("bias")
    unify(a[-1], weight[1])
    unify(b[-1], weight[2])
    if bias is not None:
        unify(bias[0], weight[0])
    for term, value in ((a[-1], a), (b[-1], b), (weight[1], weight), (weight[2], weight)):
        call.contract(term, value)
    return (*broadcast([a[:-1], b[:-1]], call.shape[:-1]), weight[0])


@rule("cdist", "_euclidean_dist")
def distances(call: Call) -> Outcome:
    a, b = call.value(0), call.value(1)
    unify(a[-1], b[-1])
    call.contract(a[-1], a)
    call.contract(b[-1], b)
    return (*broadcast([a[:-2], b[:-2]], call.shape[:-2]), a[-2], b[-2])


@rule("cosine_similarity", "pairwise_distance")
def alike(call: Call) -> Outcome:
    values = [call.value(0), call.value(1)]
    rank = max(map(len, values))
    axis = (int(call.args["dim"]) if call.name == "cosine_similarity" else -1) % rank
    shape = [max(_size(value, number - rank) for value in values) for number in range(rank)]
    both = broadcast(values, shape)
    call.contract(both[axis], both)
    rest = (*both[:axis], *both[axis + 1 :])
    return (*rest, fixed(1, "")) if call.args.get("keepdim") else rest


def _size(value: tuple[Term, ...], axis: int) -> int:
    return value[axis].size if -axis <= len(value) else 1


@rule("embedding_bag", "_embedding_bag", "_embedding_bag_forward_only")
def bags(call: Call) -> Outcome:
    """Rows of a table summed up bag by bag. The further results serve the gradient."""
    weight = call.value("weight")
    freeze(weight[0], "entry of a table")
    for name in ("indices", "offsets", "per_sample_weights"):
        if call.args.get(name) is not None:
            for term in plain(call.args[name]):
                freeze(term, "entry of a bag")
    first = (fixed(call.shape[0], "bag"), *weight[1:])
    return [first, *(tuple(fixed(n, "bag") for n in shape) for shape in call.shapes[1:])]
