"""A layer's weight and bias as one matrix, and back.

Legend: I = inputs of a layer and one for its bias, O = its outputs.
"""

import torch
from torch import Tensor

from dimat.params import Params


def as_matrix(params: Params, layer: str) -> Tensor:
    """Weight and bias of a layer as one matrix (I, O), float64."""
    weight = params[f"{layer}.weight"].double()
    theta_IO = weight.reshape(len(weight), -1).T
    bias = params.get(f"{layer}.bias")
    return theta_IO if bias is None else torch.cat([theta_IO, bias.double()[None]])


def as_layer(params: Params, layer: str, theta_IO: Tensor) -> Params:
    """The reverse; shapes are those in `params`."""
    weight, bias = f"{layer}.weight", f"{layer}.bias"
    if bias not in params:
        return {weight: theta_IO.T.reshape(params[weight].shape)}
    return {weight: theta_IO[:-1].T.reshape(params[weight].shape), bias: theta_IO[-1]}
