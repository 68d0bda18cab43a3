"""The last layer in closed form: what sites know of all classes is added up instead of being averaged.

Models are averaged in the common basis, but the head (the layer that gives the outputs, `head_of`) is solved by ridge regression over all
sites' rows at once. A site that lacks most classes cannot spoil it: it has no say in them. Where sites share everything below the
head, as after a merge over all, the result is the head that the pooled rows would give: each row counts the same, whoever has many.

Beside its model a site tells second moments of the head's inputs, and the sums of these inputs for each class: the means of its
features and how many rows of each class it has can be read from them.

Legend: S = rows, I = inputs of the head and one for its bias, K = outputs.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from dimat.checked import check_rows, check_shape
from dimat.errors import LayerNotMergeable
from dimat.merging import plain_average
from dimat.merging.layers import as_layer
from dimat.merging.seen import linear_layers
from dimat.merging.sums import Summed, Sums
from dimat.params import Layout, Params, averaged, doubled
from dimat.parts import MergeSpec
from dimat.taps import CHUNK_ROWS, look

RIDGE, TINY = 1e-3, 1e-9
"""Of the mean diagonal. 1e-4 differed by half a point or less; 1e-2 lost two points with two classes a site (seed 1 of the study)."""
LOGITS_PER_CLASS = 10.0
"""The regression answers 0 or 1; as logits, to which a site's log prior is added for its own cases, that says far too little. Between
5 and 20 little depended on it."""
SCALE_OF = {"answers": LOGITS_PER_CLASS, "numbers": 1.0}
"""By what the solution is multiplied, by the name of the sums (`Targets.sums_name`): a regression of numbers answers what was asked."""


def summand(params: Params, moments: Params, settings: MergeSpec) -> Sums:
    """theta_j; G_j = H^T H with 0.1 % of its mean diagonal added to the diagonal, and A_j = H^T Y."""
    held = {name: value.double() for name, value in moments.items()}
    for name, gram_II in moments.items():
        if _is_gram(name):
            ridge = RIDGE * gram_II.double().diagonal().mean().clamp_min(TINY)
            held[name] = gram_II.double() + ridge * torch.eye(len(gram_II), dtype=torch.float64)
    return Sums({name: doubled(value) for name, value in averaged(params).items()}, held)


def solve(total: Sums) -> Params:
    """The weighted mean, and as the head (sum_j w_j G_j)^-1 sum_j w_j A_j.

    Reference: Fani et al. 2024, "Accelerating Heterogeneous Federated Learning with Closed-form Classifiers" (Fed3R).
    """
    solved = dict(plain_average.mean(total))
    for name, sums_IK in total.moments.items():
        if not _is_gram(name):
            head, _, kind = name.rpartition(".")
            theta_IK = torch.linalg.solve(total.moments[head].double(), sums_IK.double())
            solved |= as_layer(solved, head, SCALE_OF[kind] * theta_IK)
    return solved


def squares(moments: Params) -> Params:
    """Diagonals of G."""
    return {name: gram_II.diagonal() for name, gram_II in moments.items() if _is_gram(name)}


METHOD = Summed(summand, solve, by_moments=True, squares=squares)


def moments(model: nn.Module, head: str, x: Tensor, numbers_SK: Tensor, sums_name: str = "answers") -> Params:
    """`HEAD`: (I, I), the sum over rows of products of inputs, and `HEAD.answers` (or `HEAD.numbers`): (I, K), the sum over rows of
    inputs times targets; float32, on the CPU.

    Args:
        head: see `head_of`.
        x: (rows, ...) inputs, on the model's device, as are numbers_SK: targets as numbers, 0 or 1 for each class
            (`Targets.as_numbers`, `one_hot`). The model is left in evaluation mode.
        sums_name: `numbers`, where targets are no classes.

    Raises:
        NoRows, NonFiniteInput. LayerNotMergeable: the head is no `nn.Linear` of this model.
        ShapeMismatch: targets that are not one number for each row and output, or a head that does not read one row for each row.
    """
    check_rows("x", x)
    layer = _layer(model, head)
    check_shape("numbers_SK", numbers_SK, (len(x), layer.out_features))
    num_inputs, seen = layer.in_features + (layer.bias is not None), 0
    gram_II = torch.zeros(num_inputs, num_inputs, dtype=torch.float64, device=x.device)
    sums_IK = torch.zeros(num_inputs, layer.out_features, dtype=torch.float64, device=x.device)

    def add(_: nn.Module, inputs: Tensor) -> None:
        nonlocal seen, gram_II, sums_IK
        chunk = slice(seen, seen + CHUNK_ROWS)
        numbers_BK = numbers_SK[chunk].double()
        check_shape(f"inputs of {head}", inputs, (len(numbers_BK), layer.in_features))
        inputs_BI = inputs.double()
        if layer.bias is not None:
            inputs_BI = functional.pad(inputs_BI, (0, 1), value=1.0)
        gram_II += inputs_BI.T @ inputs_BI
        sums_IK += inputs_BI.T @ numbers_BK
        seen += len(inputs_BI)

    look(model, x, {head: add})
    if seen != len(x):  # the model has it, and does not call it
        raise LayerNotMergeable(layer=head, known=", ".join(name for name in _heads(model) if name != head))
    return {head: gram_II.float().cpu(), f"{head}.{sums_name}": sums_IK.float().cpu()}


def layout(model: nn.Module, head: str, sums_name: str) -> Layout:
    """Shape and dtype of what `moments` makes."""
    layer = _layer(model, head)
    num_inputs = layer.in_features + (layer.bias is not None)
    return {
        head: ((num_inputs, num_inputs), torch.float32),
        f"{head}.{sums_name}": ((num_inputs, layer.out_features), torch.float32),
    }


def _layer(model: nn.Module, head: str) -> nn.Linear:
    """Raises: LayerNotMergeable."""
    known = _heads(model)
    if head not in known:
        raise LayerNotMergeable(layer=head, known=", ".join(known))
    return known[head]


def _heads(model: nn.Module) -> dict[str, nn.Linear]:
    """By name what can be one: inside of an attention none is called by itself."""
    called = (name for name, (module, _) in linear_layers(model).items() if module == name)
    layers = {name: model.get_submodule(name) for name in called}
    return {name: layer for name, layer in layers.items() if isinstance(layer, nn.Linear)}


def _is_gram(name: str) -> bool:
    return not name.endswith(tuple(f".{kind}" for kind in SCALE_OF))
