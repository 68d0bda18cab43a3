"""Groups of a plain chain of layers, found without a graph.

The small models of pilots are such chains; a worker then needs not load `torch.export`. Both ways give the same groups.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from dimat.permutation.spec import Axis, Frozen, Group, Place

LAYERS = (nn.Linear, nn.Conv2d)
UNITWISE = (nn.ReLU, nn.Dropout, nn.Identity)
POOLS = (nn.MaxPool2d, nn.AvgPool2d)


def is_chain(model: nn.Module, example_inputs: tuple[Any, ...]) -> bool:
    """Whether `groups_of_chain` knows every layer; each is used once and reads the one before."""
    if type(model) is not nn.Sequential or len(example_inputs) != 1 or len(set(model)) != len(model):
        return False
    params = [param for _, param in model.named_parameters(remove_duplicate=False)]
    if len({id(param) for param in params}) != len(params) or not any(type(one) in LAYERS for one in model):
        return False
    if not isinstance(example_inputs[0], Tensor):
        return False
    rank, known = example_inputs[0].ndim, True
    for layer in model:
        # Subclasses may do anything, and so may hooks and parametrizations.
        kind = type(layer)
        needs_images = kind in (nn.Conv2d, nn.BatchNorm2d, *POOLS)
        known &= kind in (*LAYERS, *UNITWISE, *POOLS, nn.BatchNorm2d, nn.Flatten)
        known &= not (layer._forward_hooks or layer._forward_pre_hooks)
        known &= rank == 4 if needs_images else rank == 2 if kind is nn.Linear else True
        if isinstance(layer, nn.Conv2d):
            known &= layer.groups == 1
        if isinstance(layer, nn.BatchNorm2d):
            known &= layer.affine and layer.track_running_stats
        if isinstance(layer, nn.Flatten):
            known &= layer.start_dim == 1 and layer.end_dim == -1
            rank = 2
    return bool(known)


def groups_of_chain(
    model: nn.Sequential, example_inputs: tuple[Tensor, ...]
) -> tuple[tuple[Group, ...], tuple[Frozen, ...]]:
    """The groups of a chain of layers, and the axes that stay: inputs, classes, positions in kernels."""
    groups: list[Group] = []
    frozen: list[Frozen] = []
    producer, size, axes, repeat = "", 0, [], 1
    # Shapes are all that is wanted of the values; the meta device would give them too, but loads the compiler.
    value = torch.zeros(example_inputs[0].shape)
    empty = copy.deepcopy(model).to_empty(device="cpu").float().eval()
    for name, layer in empty.named_children():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            weight = f"{name}.weight"
            if producer:
                axes.append(Axis(weight, 1, repeat))
                place = Place(axis=-1 if isinstance(layer, nn.Linear) else 1, repeat=repeat)
                if size > 1:
                    groups.append(Group(producer, size, name, tuple(axes), place))
            elif layer.weight.shape[1] > 1:
                frozen.append(Frozen(weight, 1, "input of the model"))
            if isinstance(layer, nn.Conv2d):
                kernel = enumerate(layer.kernel_size, start=2)
                frozen += [Frozen(weight, axis, "position in a kernel") for axis, n in kernel if n > 1]
            producer, size, repeat = name, layer.weight.shape[0], 1
            axes = [Axis(weight, 0)]
            if layer.bias is not None:
                axes.append(Axis(f"{name}.bias", 0))
        elif isinstance(layer, nn.BatchNorm2d):
            parts = ("weight", "bias", "running_mean", "running_var")
            axes += [Axis(f"{name}.{part}", 0) for part in parts]
        elif isinstance(layer, nn.Flatten) and producer:
            repeat *= value[0, 0].numel()
        with torch.no_grad():
            value = layer(value)
    frozen += [Frozen(axis.param, axis.axis, "output of the model") for axis in axes if size > 1]
    return tuple(groups), tuple(frozen)
