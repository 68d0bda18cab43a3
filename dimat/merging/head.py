"""Which layer gives a model's outputs."""

from typing import Any

import torch
from torch import Tensor, nn

from dimat.checked import check_rows
from dimat.errors import HeadNotFound
from dimat.merging.seen import linear_layers
from dimat.params import first_names
from dimat.permutation.spec import PermutationSpec
from dimat.taps import unpacked


def head_of(model: nn.Module, spec: PermutationSpec, x: Tensor) -> str:
    """Name of the layer whose answers are the model's outputs: an `nn.Linear` that reads hidden units, whatever their number, and
    whose weight nothing else uses.

    Args:
        spec: of the model, which tells hidden units from raw inputs.
        x: (rows, ...) inputs on the model's device, of which the first is sent through; what the params are does not matter. The model
            is left in evaluation mode.

    Raises:
        HeadNotFound: there is no such layer, or it answers more than one row of numbers for a row of inputs.
        NoRows, NonFiniteInput.
    """
    check_rows("x", x[:1])
    firsts = first_names(model)
    raw = {frozen.param for frozen in spec.frozen if frozen.axis == 1}
    given: dict[str, list[tuple[Tensor, int]]] = {}

    def keep(name: str) -> Any:
        # The version counts changes in place, such as those of a ReLU behind the layer.
        return lambda layer, arguments, answers: given.setdefault(name, []).append(
            (answers, answers._version)
        )

    handles = []
    for name in linear_layers(model):
        weight = f"{name}.weight"
        is_alone = weight in firsts and list(firsts.values()).count(firsts[weight]) == 1
        if is_alone and weight not in raw and isinstance(layer := model.get_submodule(name), nn.Linear):
            handles.append(layer.register_forward_hook(keep(name)))
    model.eval()
    try:
        with torch.no_grad(), unpacked(model):
            outputs = model(x[:1])
    finally:
        for handle in handles:
            handle.remove()
    for name, calls in given.items():
        if len(calls) == 1 and _are_the_same(*calls[0], outputs):
            return name
    raise HeadNotFound


def _are_the_same(answers: Tensor, version: int, outputs: Any) -> bool:
    """Whether the outputs are these answers, or all of them in another shape, and unchanged."""
    if not isinstance(outputs, Tensor) or answers.ndim != 2 or outputs.numel() != answers.numel():
        return False
    return outputs.data_ptr() == answers.data_ptr() and answers._version == version
