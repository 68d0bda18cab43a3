"""Which tensors of a model meet values that depend on its inputs.

Learned latents and query tokens ask the same of every row: where they are all that comes in, nothing tells units apart.
"""

import operator
from collections.abc import Mapping, Set
from typing import Any

from torch import Tensor
from torch.fx import Graph, Node

SHAPES_ONLY = frozenset(
    f"{like}{value}" for like in ("", "new_") for value in ("empty", "full", "ones", "zeros")
) | frozenset(f"{value}_like" for value in ("empty", "full", "ones", "zeros"))
"""Operations that look at no values of what they are given."""
PARTED = frozenset(("chunk", "split", "split_with_sizes"))


def moving_parts(graph: Graph, names: Mapping[Node, str], inputs: Set[str]) -> frozenset[tuple[str, range]]:
    """(tensor, its rows) of each tensor that is used together with values that depend on the model's inputs; only some of its
    rows where it is split along them before, as the packed projection of q, k and v.

    Args:
        names: of the placeholders that are tensors of the model. inputs: names of those that are inputs of the forward pass.
    """
    parts = {node: (name, _rows(node.meta.get("val"), 0)) for node, name in names.items()}
    moving: set[Node] = set()
    found = set()
    for node in graph.nodes:
        if node.op == "placeholder" and node.name in inputs:
            moving.add(node)
        if node.op != "call_function":
            continue
        part = _part(node, parts)
        if part is not None:
            parts[node] = part
        elif not moving.isdisjoint(node.all_input_nodes) and _operation(node) not in SHAPES_ONLY:
            moving.add(node)
            found |= {parts[given] for given in node.all_input_nodes if given in parts}
    return frozenset(found)


def _part(node: Node, parts: Mapping[Node, tuple[str, range]]) -> tuple[str, range] | None:
    """Of which tensor a node is a part along its rows, and which rows of it these are."""
    if node.target is not operator.getitem:
        return None
    split: Any = node.args[0]
    number: Any = node.args[1]
    whole = split.args[0]
    along = split.args[2] if len(split.args) > 2 else split.kwargs.get("dim", 0)
    if whole not in parts or along != 0 or _operation(split) not in PARTED:
        return None
    name, rows = parts[whole]
    return name, _rows(node.meta["val"], rows.start + sum(len(one) for one in split.meta["val"][:number]))


def _rows(tensor: Any, start: int) -> range:
    return range(start, start + (tensor.shape[0] if isinstance(tensor, Tensor) and tensor.ndim else 1))


def _operation(node: Node) -> str:
    schema = getattr(node.target, "_schema", None)
    return "" if schema is None else schema.name.rpartition(":")[2]
