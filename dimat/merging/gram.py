"""Second moments of a layer's inputs: what a site tells of its rows so that others can merge layers by them.

G = H^T H / n over the site's own training rows, H the inputs of the layer with a column of ones for its bias. Layers
that read the raw inputs have none: no second moments of raw data leave a site. Convolutions are seen as linear layers
on their unfolded patches.

Legend: S = samples (rows x positions), I = inputs of a unit, and one more for the bias.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from dimat.params import Layout, Params
from dimat.permutation.spec import PermutationSpec
from dimat.taps import Tap, look


def layers_of(model: nn.Module, spec: PermutationSpec) -> tuple[str, ...]:
    """Names of the Linear and Conv2d layers that read hidden units, in the order of the forward pass."""
    reading = {axis.param for group in spec.groups for axis in group.axes if axis.axis == 1}
    known: dict[int, int] = {}
    for _, param in model.named_parameters(remove_duplicate=False):
        known[id(param)] = known.get(id(param), 0) + 1
    # A layer inside of attention is never called by itself, and a weight with two uses is not the layer's own.
    hidden = [
        f"{name}." for name, module in model.named_modules() if isinstance(module, nn.MultiheadAttention)
    ]
    return tuple(
        name
        for name, module in model.named_modules()
        if f"{name}.weight" in reading and _is_plain(module)
        if known[id(module.weight)] == 1 and not name.startswith(tuple(hidden))
    )


def _is_plain(layer: nn.Module) -> bool:
    """Whether the layer's outputs are linear in rows, or patches, of all its inputs."""
    if isinstance(layer, nn.Conv2d):
        return layer.groups == 1 and not isinstance(layer.padding, str) and layer.padding_mode == "zeros"
    return isinstance(layer, nn.Linear)


def gram(model: nn.Module, layers: tuple[str, ...], x: Tensor) -> Params:
    """For each layer `NAME` the tensor `NAME`: (I, I) float32, symmetric, on the CPU.

    Args:
        x: (rows, ...) inputs on the model's device, at least one. The model is left in evaluation mode.
    Reference: Jin et al. 2023, "Dataless Knowledge Fusion by Merging Weights of Language Models" (RegMean).
    """
    totals: dict[str, Tensor] = {}
    counts: dict[str, int] = {}

    def keep(name: str) -> Tap:
        def tap(layer: nn.Module, seen: Tensor) -> None:
            seen_SI = _with_ones(layer, _as_rows(layer, seen)).double()
            totals[name] = totals.get(name, 0) + (seen_SI.T @ seen_SI)
            counts[name] = counts.get(name, 0) + len(seen_SI)

        return tap

    look(model, x, {name: keep(name) for name in layers})
    return {name: (totals[name] / counts[name]).float().cpu() for name in sorted(layers)}


def layout(model: nn.Module, layers: tuple[str, ...]) -> Layout:
    """Shape and dtype of each tensor that `gram` makes."""
    sizes = {name: _num_inputs(model.get_submodule(name)) for name in layers}
    return {name: ((sizes[name], sizes[name]), torch.float32) for name in sorted(layers)}


def _num_inputs(layer: nn.Module) -> int:
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return weight[0].numel() + _has_bias(layer)


def _has_bias(layer: nn.Module) -> bool:
    return "bias" in dict(layer.named_parameters())


def _as_rows(layer: nn.Module, inputs: Tensor) -> Tensor:
    if not isinstance(layer, nn.Conv2d):
        return inputs.reshape(-1, inputs.shape[-1])
    assert not isinstance(layer.padding, str), "the models here pad by a number"
    patches_BIP = functional.unfold(
        inputs,
        layer.kernel_size,
        dilation=layer.dilation,
        padding=layer.padding,
        stride=layer.stride,
    )
    return patches_BIP.transpose(1, 2).reshape(-1, patches_BIP.shape[1])


def _with_ones(layer: nn.Module, seen_SI: Tensor) -> Tensor:
    return functional.pad(seen_SI, (0, 1), value=1.0) if _has_bias(layer) else seen_SI
