"""Second moments of a layer's inputs: what a site tells of its rows so that others can merge layers by them.

G = H^T H / n over the site's own training rows, H the inputs of the layer (`merging.seen`) with a column of ones for its bias. Layers
that read the raw inputs have none: no second moments of raw data leave a site.

Legend: S = samples (rows x positions), I = inputs of a unit, and one more for the bias.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from dimat.checked import check_rows
from dimat.errors import LayerNotMergeable, NumberTooSmall
from dimat.merging.layers import held, num_inputs
from dimat.merging.seen import See, first_of, linear_layers
from dimat.params import Layout, Params
from dimat.permutation.spec import PermutationSpec
from dimat.taps import Caller, overhear

FEWEST_PLACES, SAMPLES_PER_INPUT = 16, 4
"""Of an image at least so many places are looked at, and more where they would be fewer samples than so many for each input of the
layer: a fraction of the work for nearly the same merged models (benchmarks/moments.py)."""


def layers_of(model: nn.Module, spec: PermutationSpec) -> tuple[str, ...]:
    """Names of the linear layers that read hidden units and nothing else, in the order of the modules (`merging.layers`).

    Weights that are used in two places are not the layer's own: they are averaged, as are layers `linear_layers` says of, and those whose
    weights are read past them, so that their inputs cannot be seen (`F.linear(x, self.layer.weight)`).
    """
    reading = {axis.param for group in spec.groups for axis in group.axes if axis.axis == 1}
    reading -= {frozen.param for frozen in spec.frozen if frozen.axis == 1}
    params = dict(model.named_parameters(remove_duplicate=False))
    uses: dict[int, int] = {}
    for param in params.values():
        uses[id(param)] = uses.get(id(param), 0) + 1
    return tuple(
        layer
        for layer, (module, _) in linear_layers(model).items()
        if module not in spec.uncalled
        and (weight := held(params, layer).weight) in reading
        and uses[id(params[weight])] == 1
    )


def gram(model: nn.Module, layers: tuple[str, ...], x: Tensor, positions: int | None = None) -> Params:
    """For each layer `NAME` the tensor `NAME`: (I, I) float32, symmetric, on the CPU.

    Products are those of float32 numbers, summed up chunk by chunk in float64.

    Args:
        x: (rows, ...) inputs on the model's device, at least one. The model is left in evaluation mode.
        positions: a convolution's patches are looked at in at most so many places of an image or series; None: see `enough_places`.

    Raises:
        NoRows, NonFiniteInput, InputsNotTaken. NumberTooSmall: positions.
        LayerNotMergeable: no layer of this name, or of another kind, or one that reads raw inputs or is never called.
    Reference: Jin et al. 2023, "Dataless Knowledge Fusion by Merging Weights of Language Models" (RegMean).
    """
    check_rows("x", x)
    if positions is not None and positions < 1:
        raise NumberTooSmall(name="positions", value=positions, least=1)
    known = _without_raw(model, x[:2])
    for name in layers:
        if name not in known:
            raise LayerNotMergeable(layer=name, known=", ".join(known))
    totals: dict[str, Tensor] = {}
    counts: dict[str, int] = {}
    params = dict(model.named_parameters(remove_duplicate=False))

    def keep(name: str, see: See) -> Caller:
        has_bias = held(params, name).bias in params
        places = enough_places(num_inputs(params, name), len(x)) if positions is None else positions

        def caller(module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
            seen_SI = see(module, (arguments, named), places, counts.get(name, 0))
            seen_SI = seen_SI.to(torch.promote_types(seen_SI.dtype, torch.float32))
            if has_bias:
                seen_SI = functional.pad(seen_SI, (0, 1), value=1.0)
            totals[name] = totals.get(name, 0) + (seen_SI.T @ seen_SI).double()
            counts[name] = counts.get(name, 0) + len(seen_SI)

        return caller

    overhear(model, x, [(known[name][0], keep(name, known[name][1])) for name in layers])
    for name in layers:
        if name not in totals:  # the model has it, and does not call it
            others = (other for other in known if other not in layers or other in totals)
            raise LayerNotMergeable(layer=name, known=", ".join(others))
    return {name: (totals[name] / counts[name]).float().cpu() for name in sorted(layers)}


def _without_raw(model: nn.Module, rows: Tensor) -> dict[str, tuple[str, See]]:
    """The linear layers, but those that are given the inputs of the model as they are. `layers_of` knows more: it leaves out what reads
    numbers made of raw inputs alone, or raw inputs beside hidden units."""
    layers, raw = linear_layers(model), set()

    def keep(name: str, see: See) -> Caller:
        def caller(module: nn.Module, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
            call = arguments, named
            read = see(module, call, 1, 0) if isinstance(module, nn.MultiheadAttention) else first_of(call)
            if read.untyped_storage().data_ptr() == rows.untyped_storage().data_ptr():
                raw.add(name)

        return caller

    overhear(model, rows, [(at, keep(name, see)) for name, (at, see) in layers.items()])
    return {name: about for name, about in layers.items() if name not in raw}


def enough_places(num_inputs: int, num_rows: int) -> int:
    """Of each image, so that all rows together tell enough of a layer with so many inputs."""
    return max(FEWEST_PLACES, -(-SAMPLES_PER_INPUT * num_inputs // num_rows))


def layout(model: nn.Module, layers: tuple[str, ...]) -> Layout:
    """Shape and dtype of each tensor that `gram` makes."""
    params = dict(model.named_parameters(remove_duplicate=False))
    sizes = {name: num_inputs(params, name) for name in layers}
    return {name: ((sizes[name], sizes[name]), torch.float32) for name in sorted(layers)}
