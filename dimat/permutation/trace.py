"""From a model to what is known of the axes of its tensors: one walk over its ATen graph.

The graph comes from `torch.export`, which looks through attention, recurrent layers and Python code alike. What a rule
does not know is frozen, with everything that touches it. Nothing is computed here: shapes alone are looked at.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dimat.permutation import (  # noqa: F401  (each file registers its rules)
    rules_complex,
    rules_indexing,
    rules_norms,
    rules_pairs,
    rules_products,
    rules_recurrent,
    rules_reductions,
    rules_shapes,
)
from dimat.permutation.calls import RULES, Call, Mixes, Outcome, Value, plain
from dimat.permutation.constants import constants
from dimat.permutation.exporting import exported
from dimat.permutation.moving import moving_parts
from dimat.permutation.rules_elementwise import is_pointwise, pointwise
from dimat.permutation.terms import Unclear, fixed, free, freeze

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Traced:
    """Attributes:
    axes: of every tensor of the state dict. order: names of these tensors in the order in which the forward pass first
        uses them. mixes: see `calls.Mixes`. called: names of the modules that the forward pass calls.
    inputs, outputs: what goes into and comes out of a called module with a weight of its own, by its name.
    moving: see `moving.moving_parts`.
    """

    axes: Mapping[str, Value]
    order: tuple[str, ...]
    mixes: Mixes
    called: frozenset[str]
    inputs: Mapping[str, Value]
    outputs: Mapping[str, Value]
    moving: frozenset[tuple[str, range]]


def trace(model: nn.Module, example_inputs: tuple[Any, ...]) -> Traced:
    """What the forward pass in evaluation mode ties together.

    Args:
        example_inputs: of the forward pass; two rows or more, so that rows are not taken for an axis of size 1.

    Raises:
        NotTraceable: see `exported`.
    """
    program = exported(model, example_inputs)
    state = {n: t for n, t in model.state_dict(keep_vars=True).items() if isinstance(t, Tensor)}
    by_id: dict[int, Value] = {}  # tied weights are one tensor under several names
    held = constants(model, example_inputs)
    axes = {
        name: by_id.setdefault(
            id(tensor), constant(tensor) if name in held else tuple(free(n) for n in tensor.shape)
        )
        for name, tensor in state.items()
    }
    values: dict[Any, Any] = {}
    names: dict[Any, str] = {}
    known = {spec.arg.name: spec for spec in program.graph_signature.input_specs}
    order: dict[str, None] = {}
    mixes: Mixes = []
    called: set[str] = set()
    inputs: dict[str, Value] = {}
    outputs: dict[str, Value] = {}
    for node in program.graph.nodes:
        if node.op == "placeholder":
            target = known[node.name].target
            if target in axes and not _is_constant(known[node.name]):
                values[node], names[node] = axes[target], target
            else:
                reason = "constant" if target else "input of the model"
                kept = program.constants.get(target)
                is_known = isinstance(kept, Tensor)
                values[node] = constant(kept) if is_known else _outcome_of(node, reason)
        elif node.op == "call_function":
            order.update(dict.fromkeys(names[n] for n in node.all_input_nodes if n in names))
            path = next((path for path, _ in reversed((node.meta.get("nn_module_stack") or {}).values())), "")
            called.add(path)
            values[node] = _apply(node, values, mixes)
            if any(names.get(given) == f"{path}.weight" for given in node.all_input_nodes):
                for given, kept in ((_first(node, values), inputs), (values[node], outputs)):
                    if isinstance(given, tuple):
                        kept.setdefault(path, given)
        elif node.op == "output":
            for given in node.all_input_nodes:
                _freeze_all(values[given], "output of the model")
        else:
            values[node] = _outcome_of(node, "constant")
    used = {id(axes[name]) for name in order}
    for value in axes.values():
        if id(value) not in used:
            _freeze_all(value, "not used by the forward pass")
    tied = {id(axes[name]): name for name in reversed(order)}
    full = [name for first in order for name in axes if tied.get(id(axes[name])) == first]
    rest = [name for name in axes if name not in full]
    moving = moving_parts(program.graph, names, frozenset(program.graph_signature.user_inputs))
    return Traced(axes, (*full, *rest), mixes, frozenset(called), inputs, outputs, moving)


def _first(node: Any, values: Mapping[Any, Any]) -> Any:
    return values.get(node.args[0]) if node.args and isinstance(node.args[0], torch.fx.Node) else None


def constant(tensor: Tensor) -> Value:
    """Of a tensor that must stay as it is, or is in no state dict, so that it could not follow. Entries that are all alike along an axis
    need not, as those of a kernel that is repeated for every channel; a tensor that is alike everywhere may yet be filled."""
    alike = [False] * tensor.ndim
    if not tensor.is_meta and tensor.numel():
        alike = [bool((tensor == tensor.narrow(axis, 0, 1)).all()) for axis in range(tensor.ndim)]
    if all(alike):
        alike = [False] * tensor.ndim
    return tuple(
        free(n) if same else fixed(n, "constant") for n, same in zip(tensor.shape, alike, strict=True)
    )


def _is_constant(spec: Any) -> bool:
    return spec.kind.name == "BUFFER" and spec.persistent is False


def _apply(node: Any, values: Mapping[Any, Any], mixes: Mixes) -> Outcome:
    """The outcome of a node by its rule. Whatever the rule cannot say for sure freezes all that went in."""
    name, overload = _name_of(node)
    call = Call(node, name, overload, _bound(node, values), _shapes(node), mixes)
    function = RULES.get(name)
    if is_pointwise(node.target, name) and (function is None or overload == "other"):
        function = pointwise
    try:
        if function is None:
            raise Unclear(name)
        outcome: Outcome = function(call)
        _check(outcome, node.meta.get("val"))
    except (Unclear, LookupError, TypeError, ValueError, AttributeError):
        reason = f"the operation '{name}' is not known"
        for given in node.all_input_nodes:
            _freeze_all(values[given], reason)
        unknown: Outcome = _outcome_of(node, reason)
        return unknown
    return outcome


def _name_of(node: Any) -> tuple[str, str]:
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return getattr(node.target, "__name__", str(node.target)), ""
    name = schema.name.split("::")[1]
    if schema.name.startswith("aten::") and name.endswith("_") and is_pointwise(node.target, name[:-1]):
        name = name[:-1]
    return (name if schema.name.startswith("aten::") else schema.name), schema.overload_name


def _bound(node: Any, values: Mapping[Any, Any]) -> dict[str, Any]:
    """Arguments by their names in the operation's signature, defaults filled in."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return {str(i): _resolved(arg, values) for i, arg in enumerate(node.args)}
    found = {}
    for i, argument in enumerate(schema.arguments):
        given = node.args[i] if i < len(node.args) else node.kwargs.get(argument.name, argument.default_value)
        found[argument.name] = _resolved(given, values)
    return found


def _resolved(arg: Any, values: Mapping[Any, Any]) -> Any:
    if isinstance(arg, torch.fx.Node):
        return values[arg]
    if isinstance(arg, (list, tuple)):
        return [_resolved(one, values) for one in arg]
    return arg


def _shapes(node: Any) -> tuple[Shape, ...]:
    found = node.meta.get("val")
    tensors = found if isinstance(found, (list, tuple)) else [found]
    return tuple(tuple(one.shape) for one in tensors if isinstance(one, Tensor))


def _outcome_of(node: Any, reason: str) -> Any:
    found = node.meta.get("val")
    if isinstance(found, (list, tuple)):
        return [_fixed(one, reason) for one in found]
    return _fixed(found, reason)


def _fixed(tensor: Any, reason: str) -> Value:
    return tuple(fixed(int(n), reason) for n in tensor.shape) if isinstance(tensor, Tensor) else ()


def _freeze_all(outcome: Any, reason: str) -> None:
    if isinstance(outcome, list):
        for one in outcome:
            _freeze_all(one, reason)
        return
    for term in plain(outcome):
        freeze(term, reason)


def _check(outcome: Any, expected: Any) -> None:
    """Whether a rule gave as many axes of the sizes that the operation makes."""
    if isinstance(outcome, list):
        if not isinstance(expected, (list, tuple)) or len(outcome) != len(expected):
            raise Unclear("another number of results")
        for one, its in zip(outcome, expected, strict=True):
            _check(one, its)
        return
    if expected is None and outcome == ():
        return
    if isinstance(outcome, tuple):
        sizes = [term.size for term in outcome]
    else:
        sizes = [term.size for term in outcome.parts[0]]
        sizes.insert(outcome.axis, len(outcome.parts))
    if not isinstance(expected, Tensor) or sizes != list(expected.shape):
        raise Unclear("another shape")
