"""Fully connected network with ReLU, for rows of any shape (they are flattened)."""

from collections import OrderedDict
from math import prod

from torch import nn

from dimat.model_spec import MlpSpec


def build(spec: MlpSpec, shape: tuple[int, ...], num_outputs: int) -> nn.Sequential:
    """Args: shape: of one row. The tensors' values are those of torch's own initialisation."""
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    width = prod(shape)
    for number, hidden in enumerate(spec.hidden, start=1):
        layers[f"hidden{number}"] = nn.Linear(width, hidden)
        layers[f"relu{number}"] = nn.ReLU()
        width = hidden
    layers["head"] = nn.Linear(width, num_outputs)
    return nn.Sequential(layers)
