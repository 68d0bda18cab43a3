"""A linear layer's weight and bias as one matrix, and back.

A layer is named by its module. Inside of an `nn.MultiheadAttention` there are four: `q_proj`, `k_proj` and `v_proj`, whose weights
may be packed into one tensor and whose biases always are, and `out_proj`.

Legend: I = inputs of a layer and one for its bias, O = its outputs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from dimat.params import Params

PROJECTIONS = ("q_proj", "k_proj", "v_proj")
ALL = slice(None)


@dataclass(frozen=True, slots=True)
class Held:
    """Where the numbers of a layer are: names of tensors, and which rows of them. A layer may have no bias."""

    weight: str
    bias: str
    weight_rows: slice
    bias_rows: slice


def held(params: Mapping[str, Tensor], layer: str) -> Held:
    """Where `params` hold the layer. Raises: KeyError, when they do not."""
    if f"{layer}.weight" in params:
        return Held(f"{layer}.weight", f"{layer}.bias", ALL, ALL)
    path, _, projection = layer.rpartition(".")
    attention = f"{path}." if path else ""
    size, number = len(params[f"{attention}out_proj.weight"]), PROJECTIONS.index(projection)
    third = slice(number * size, (number + 1) * size)
    own, packed, bias = f"{layer}_weight", f"{attention}in_proj_weight", f"{attention}in_proj_bias"
    return Held(packed, bias, third, third) if packed in params else Held(own, bias, ALL, third)


def is_held(params: Mapping[str, Tensor], layer: str) -> bool:
    """Whether they do."""
    path, _, projection = layer.rpartition(".")
    inside = projection in PROJECTIONS and f"{path}.out_proj.weight".removeprefix(".") in params
    return f"{layer}.weight" in params or inside


def num_inputs(params: Mapping[str, Tensor], layer: str) -> int:
    """I of the layer."""
    at = held(params, layer)
    return params[at.weight][0].numel() + (at.bias in params)


def as_matrix(params: Params, layer: str) -> Tensor:
    """Weight and bias of a layer as one matrix (I, O), float64."""
    at = held(params, layer)
    weight = params[at.weight][at.weight_rows].double()
    theta_IO = weight.reshape(len(weight), -1).T
    bias = params.get(at.bias)
    return theta_IO if bias is None else torch.cat([theta_IO, bias[at.bias_rows].double()[None]])


def as_layer(params: Params, layer: str, theta_IO: Tensor) -> Params:
    """The reverse: the tensors that hold the layer, float64. Shapes, and rows of other layers in them, are those in `params`."""
    at = held(params, layer)
    if at.bias not in params:
        return {at.weight: _with_rows(params[at.weight], at.weight_rows, theta_IO.T)}
    return {
        at.weight: _with_rows(params[at.weight], at.weight_rows, theta_IO[:-1].T),
        at.bias: _with_rows(params[at.bias], at.bias_rows, theta_IO[-1]),
    }


def _with_rows(tensor: Tensor, rows: slice, values: Tensor) -> Tensor:
    if rows == ALL:
        return values.reshape(tensor.shape)
    changed = tensor.double().clone()
    changed[rows] = values
    return changed
