"""Sums over an axis with weights: linear, convolutions, matrix products, attention, tables."""

from dimat.permutation.calls import Call, Outcome, Value, broadcast, rule
from dimat.permutation.terms import Term, Unclear, fixed, free, freeze, prod, unify

KERNEL = "position in a kernel"
SPACE = "position in space or time"


@rule("linear")
def linear(call: Call) -> Outcome:
    x, weight, bias = call.value(0), call.value(1), call.optional("bias")
    unify(x[-1], weight[-1])
    call.contract(x[-1], x)
    call.contract(weight[-1], weight)
    if bias is not None:
        unify(bias[0], weight[0])
    return (*x[:-1], *weight[:-1])


@rule("conv1d", "conv2d", "conv3d")
def convolution(call: Call) -> Outcome:
    x, weight, bias = call.value(0), call.value(1), call.optional("bias")
    groups, channel = int(call.args["groups"]), len(x) - len(weight) + 1
    inputs, outputs = x[channel].size // groups, weight[0].size // groups
    if groups == 1:
        unify(x[channel], weight[1])
    elif inputs == 1:
        unify(weight[0], prod([x[channel], free(outputs)]))
    else:
        block, inner = free(groups), free(inputs)
        unify(x[channel], prod([block, inner]))
        unify(weight[0], prod([block, free(outputs)]))
        unify(weight[1], inner)
    call.contract(x[channel], x)
    if bias is not None:
        unify(bias[0], weight[0])
    return (*x[:channel], weight[0], *_space(call, x[channel + 1 :], weight[2:]))


@rule("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def transposed_convolution(call: Call) -> Outcome:
    x, weight, bias = call.value(0), call.value(1), call.optional("bias")
    groups, channel = int(call.args["groups"]), len(x) - len(weight) + 1
    unify(x[channel], weight[0])
    out = weight[1]
    if groups > 1:
        block = free(groups)
        unify(x[channel], prod([block, free(x[channel].size // groups)]))
        out = prod([block, weight[1]])
    call.contract(x[channel], x)
    if bias is not None:
        unify(bias[0], out)
    return (*x[:channel], out, *_space(call, x[channel + 1 :], weight[2:]))


def _space(call: Call, space: Value, kernel: Value) -> Value:
    """Axes over which a kernel slides. One of size 1 does not look at neighbours: its axis goes on as it is. One as long as
    the axis does not slide: it is a sum over all of it."""
    after = call.shape[len(call.shape) - len(space) :]
    found = []
    for number, (term, taps, size) in enumerate(zip(space, kernel, after, strict=True)):
        if _is_plain(call, number, taps.size) and size == term.size:
            found.append(term)
        elif size == 1 and taps.size == term.size and not call.name.startswith("conv_transpose"):
            unify(term, taps)
            call.contract(term, space)
            call.contract(taps, kernel)
            found.append(fixed(1, ""))
        else:
            freeze(term, SPACE)
            freeze(taps, KERNEL)
            found.append(fixed(size, SPACE))
    return tuple(found)


def _is_plain(call: Call, number: int, size: int) -> bool:
    """Whether a kernel has one entry on an axis, and each position of it gives one."""
    stride, padding = call.args["stride"], call.args["padding"]
    pads = not isinstance(padding, str) and padding[number % len(padding)] != 0
    return size == 1 and stride[number % len(stride)] == 1 and not pads


@rule("matmul", "mm", "bmm", "mv", "dot")
def matmul(call: Call) -> Outcome:
    return _matmul(call, call.value(0), call.value(1))


@rule("addmm", "baddbmm")
def add_and_matmul(call: Call) -> Outcome:
    return broadcast([_matmul(call, call.value(1), call.value(2)), call.value(0)], call.shape)


def _matmul(call: Call, a: Value, b: Value) -> Value:
    inner_b = b[-2] if len(b) > 1 else b[-1]
    unify(a[-1], inner_b)
    call.contract(a[-1], a)
    call.contract(inner_b, b)
    rows, columns = a[-2:-1], b[-1:] if len(b) > 1 else ()
    batch = call.shape[: len(call.shape) - len(rows) - len(columns)]
    return (*broadcast([a[:-2], b[:-2]], batch), *rows, *columns)


@rule("einsum")
def einsum(call: Call) -> Outcome:
    values = call.tensors()
    inputs, after = _spelled(str(call.raw(0)), [len(value) for value in values])
    letters: dict[str, Term] = {}
    for names, value in zip(inputs, values, strict=True):
        if len(set(names)) < len(names):
            raise Unclear("a diagonal")
        for letter, term in zip(names, value, strict=True):
            if letters.get(letter, term).size == 1:
                letters[letter] = term
            elif term.size > 1:
                unify(letters.setdefault(letter, term), term)
    for names, value in zip(inputs, values, strict=True):
        call.contract_all([letters[letter] for letter in sorted(set(names) - set(after))], value)
    return tuple(letters[letter] for letter in after)


def _spelled(equation: str, ranks: list[int]) -> tuple[list[str], str]:
    """Letters of the inputs and of the output, with letters in place of dots."""
    before, arrow, after = equation.replace(" ", "").partition("->")
    given = before.split(",")
    spare = [chr(code) for code in range(0x3B1, 0x3C9)]
    dots = max(
        (
            rank - len(names.replace("...", ""))
            for names, rank in zip(given, ranks, strict=True)
            if "..." in names
        ),
        default=0,
    )
    inputs = []
    for names, rank in zip(given, ranks, strict=True):
        num = rank - len(names.replace("...", ""))
        inputs.append(names.replace("...", "".join(spare[dots - num : dots])))
    if not arrow:
        seen = "".join(inputs)
        after = "".join(sorted(letter for letter in set(seen) - set(spare) if seen.count(letter) == 1))
        after = "".join(spare[:dots]) + after
    return inputs, after.replace("...", "".join(spare[:dots]))


@rule("tensordot")
def tensordot(call: Call) -> Outcome:
    a, b = call.value(0), call.value(1)
    over_a, over_b = ([int(axis) % len(x) for axis in call.raw(n)] for x, n in ((a, 2), (b, 3)))
    for mine, its in zip(over_a, over_b, strict=True):
        unify(a[mine], b[its])
    call.contract_all([a[axis] for axis in over_a], a)
    call.contract_all([b[axis] for axis in over_b], b)
    rest = [term for axis, term in enumerate(a) if axis not in over_a]
    return (*rest, *(term for axis, term in enumerate(b) if axis not in over_b))


@rule("scaled_dot_product_attention")
def attention(call: Call) -> Outcome:
    """q and k share the units of a head, v and the output share others; whole heads are one axis of all four."""
    q, k, v, mask = call.value(0), call.value(1), call.value(2), call.optional("attn_mask")
    unify(q[-1], k[-1])
    unify(k[-2], v[-2])
    if call.args.get("is_causal"):
        freeze(q[-2], "order in time")
        freeze(k[-2], "order in time")
    if call.args.get("enable_gqa") and q[-3].size != k[-3].size:
        unify(k[-3], v[-3])
        unify(q[-3], prod([k[-3], free(q[-3].size // k[-3].size)]))
        batch = (*broadcast([q[:-3], k[:-3], v[:-3]], call.shape[:-3]), q[-3])
    else:
        batch = broadcast([q[:-2], k[:-2], v[:-2]], call.shape[:-2])
    if mask is not None:
        broadcast([mask, (*batch, q[-2], k[-2])], [*call.shape[:-2], q[-2].size, k[-2].size])
    call.contract(q[-1], q, k)
    call.contract(k[-2], k, v, q)
    return (*batch, q[-2], v[-1])


@rule("embedding")
def embedding(call: Call) -> Outcome:
    weight, indices = call.value("weight"), call.value("indices")
    freeze(weight[0], "entry of a table")
    return (*indices, *weight[1:])
