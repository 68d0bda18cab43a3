"""Recurrent layers: the hidden units of a layer and direction are one group; gates are blocks of them side by side."""

from typing import Any

from dimat.permutation.calls import Call, Outcome, Stacked, Value, plain, rule
from dimat.permutation.terms import Term, Unclear, cat, fixed, free, freeze, prod, unify

GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}


@rule("lstm", "gru", "rnn_tanh", "rnn_relu")
def recurrent(call: Call) -> Outcome:
    if call.overload != "input":
        raise Unclear("packed sequences")
    x, weights = call.value(0), list(call.args["params"])
    num_directions = 2 if call.args["bidirectional"] else 1
    each, over = divmod(len(weights), int(call.args["num_layers"]) * num_directions)
    if over:
        raise Unclear("another number of weights")
    time = 1 if call.args["batch_first"] else 0
    time -= 3 - len(x)
    freeze(x[time], "order in time")
    term, shown, held = x[-1], [], []
    for layer in range(int(call.args["num_layers"])):
        for direction in range(num_directions):
            start = each * (layer * num_directions + direction)
            given = [plain(w) for w in weights[start : start + each]]
            projection = [given.pop()] if each % 2 else []
            held.append(_cell(call.name, term, given, *projection))
            shown.append(given[1][1])
        term = cat(shown[-num_directions:])
    batch = x[:-1][1 - time] if len(x) == 3 else None
    starts = _listed(call.args["hx"])
    for start, node, states in zip(starts, _listed(call.node.args[1]), (shown, held), strict=False):
        _join_start(start, node, batch, states)
    lasts = [
        _stacked([(batch, h) if batch is not None else (h,) for h in states])
        for states, _ in zip((shown, held), starts, strict=False)
    ]
    return [(*x[:-1], term), *lasts]


def _cell(name: str, inputs: Term, weights: list[Value], projection: Value | None = None) -> Term:
    """Units of the state that a cell holds; what it shows is the same, or a `projection` of it."""
    num = GATES[name.removesuffix("_cell")]
    held = free(weights[1][0].size // num)
    gates = prod([fixed(num, "gate of a cell"), held])
    unify(weights[0][1], inputs)
    if projection is None:
        unify(weights[1][1], held)
    else:
        unify(projection[1], held)
        unify(projection[0], weights[1][1])
    for tensor in weights:
        unify(tensor[0], gates)
    return held


def _join_start(start: Any, node: Any, batch: Term | None, states: list[Term]) -> None:
    """A start state of a forward pass: one made of zeros says nothing, another has the units of the layer it starts."""
    if getattr(node.target, "_schema", None) is not None and node.target._schema.name == "aten::zeros":
        return
    if isinstance(start, Stacked) and start.axis == 0:
        parts = list(start.parts)
    else:
        layers, *rest = plain(start)
        freeze(layers, "one behind another")
        parts = [tuple(rest)] * len(states)
    for part, state in zip(parts, states, strict=True):
        unify(part[-1], state)
        if batch is not None:
            unify(part[0], batch)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _stacked(parts: list[Value]) -> Value | Stacked:
    return (fixed(1, ""), *parts[0]) if len(parts) == 1 else Stacked(0, tuple(parts))


@rule("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell")
def cell(call: Call) -> Outcome:
    x, starts = call.value(0), [plain(value) for value in _listed(call.args["hx"])]
    weights = [
        found for name in ("w_ih", "w_hh", "b_ih", "b_hh") if (found := call.optional(name)) is not None
    ]
    hidden = _cell(call.name, x[-1], weights)
    for start in starts:
        unify(start[-1], hidden)
    found = (*x[:-1], hidden)
    return [found, found] if call.name == "lstm_cell" else found
