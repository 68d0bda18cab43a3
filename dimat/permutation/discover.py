"""Finds the permutation groups of a model.

Known so far: a chain of Linear, Conv2d, BatchNorm, Flatten and layers that act on each unit alone.
Anything else is refused rather than guessed: a wrong group silently changes what a model computes.
"""

import torch
from torch import nn

from dimat.permutation.spec import Axis, Group, PermutationSpec

UNITWISE = (nn.ReLU, nn.MaxPool2d, nn.AvgPool2d, nn.Dropout, nn.Identity)


def discover(model: nn.Sequential, shape: tuple[int, ...]) -> PermutationSpec:
    """The groups of a chain of layers. Input features and output classes are not reordered.

    Args:
        shape: of one row.

    Raises:
        TypeError: a layer whose symmetries are not known.
    """
    was_training = model.training
    model.eval()
    groups: list[Group] = []
    producer, size, axes, repeat = "", 0, [], 1
    value = torch.zeros(1, *shape)
    with torch.no_grad():
        for name, layer in model.named_children():
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                _refuse_grouped(name, layer)
                if producer:
                    axes.append(Axis(f"{name}.weight", 1, repeat))
                    groups.append(Group(producer, size, name, tuple(axes)))
                producer, size, repeat = name, layer.weight.shape[0], 1
                axes = [Axis(f"{name}.weight", 0)]
                if layer.bias is not None:
                    axes.append(Axis(f"{name}.bias", 0))
            elif isinstance(layer, nn.BatchNorm2d):
                if producer:
                    names = ("weight", "bias", "running_mean", "running_var")
                    axes += [Axis(f"{name}.{part}", 0) for part in names]
            elif isinstance(layer, nn.Flatten):
                repeat *= value[0, 0].numel() if producer else 1
            elif not isinstance(layer, UNITWISE):
                raise TypeError(f"The symmetries of layer '{name}' ({type(layer).__name__}) are not known.")
            value = layer(value)
    model.train(was_training)
    return PermutationSpec(tuple(groups))


def _refuse_grouped(name: str, layer: nn.Linear | nn.Conv2d) -> None:
    if isinstance(layer, nn.Conv2d) and layer.groups != 1:
        raise TypeError(
            f"The symmetries of layer '{name}' (a convolution in {layer.groups} groups) are not known."
        )
