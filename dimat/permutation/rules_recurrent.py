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
    each = 4 if call.args["has_biases"] else 2
    if len(weights) != each * int(call.args["num_layers"]) * num_directions:
        raise Unclear("projected states")
    time = 1 if call.args["batch_first"] else 0
    time -= 3 - len(x)
    freeze(x[time], "order in time")
    term, states = x[-1], []
    for layer in range(int(call.args["num_layers"])):
        hidden = []
        for direction in range(num_directions):
            start = each * (layer * num_directions + direction)
            hidden.append(_cell(call.name, term, [plain(w) for w in weights[start : start + each]]))
        states += hidden
        term = cat(hidden)
    _join_start(call, states)
    batch = x[:-1][1 - time] if len(x) == 3 else None
    last = _stacked([(batch, h) if batch is not None else (h,) for h in states])
    return [(*x[:-1], term), last, *([last] if call.name == "lstm" else [])]


def _cell(name: str, inputs: Term, weights: list[Value]) -> Term:
    hidden = free(weights[1][1].size)
    gates = prod([fixed(GATES[name.removesuffix("_cell")], "gate of a cell"), hidden])
    unify(weights[0][1], inputs)
    unify(weights[1][1], hidden)
    for tensor in weights:
        unify(tensor[0], gates)
    return hidden


def _join_start(call: Call, states: list[Term]) -> None:
    """Start states of a forward pass: those made of zeros say nothing, others have the units of the layer they start."""
    given = call.args["hx"]
    for start, node in zip(_listed(given), _listed(call.node.args[1]), strict=True):
        if getattr(node.target, "_schema", None) is not None and node.target._schema.name == "aten::zeros":
            continue
        if isinstance(start, Stacked) and start.axis == 0 and len(start.parts) == len(states):
            for part, state in zip(start.parts, states, strict=True):
                unify(part[-1], state)
            continue
        for state in states:
            unify(plain(start)[-1], state)


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
