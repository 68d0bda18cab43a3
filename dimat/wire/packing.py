"""Models in fewer bits: what numbers look like on their way.

`float16` and `bfloat16` are roundings; `int8` holds each row of a weight as whole numbers -127..127 and one factor, in a tensor
of its own beside it. Vectors (biases, norm layers) are no weights and stay float32 then: a running variance that is small beside the
largest one would come out as 0 or, with what the last rounding left over, below it. Whole numbers, single numbers and what is not
float32 travel as they are.
"""

from collections.abc import Mapping
from typing import get_args

import torch
from torch import Tensor

from dimat.errors import WireNameReserved, WireOverflow
from dimat.params import Layout, Params, layout_of
from dimat.parts import Numbers

FACTOR = "#factor"
"""Behind the name of an int8 tensor: its factors. No name that ends so is sent in int8."""
_HALVES: Mapping[Numbers, torch.dtype] = {"float16": torch.float16, "bfloat16": torch.bfloat16}
_STEPS = 127


def pack(params: Params, numbers: Numbers) -> Params:
    """`params` as `numbers`. What is not finite stays so.

    Raises:
        WireOverflow: a finite number is too large (float16: above 65,504); it would arrive as an infinite one.
        WireNameReserved: a tensor has the name of another one's factors.
    """
    if numbers == "float32":
        return params
    packed: dict[str, Tensor] = {}
    for name, value in params.items():
        if numbers == "int8" and name.endswith(FACTOR):
            raise WireNameReserved(tensor=name, ending=FACTOR)
        if not _shrinks(tuple(value.shape), value.dtype, numbers):
            packed[name] = value
        elif numbers == "int8":
            packed[name], packed[name + FACTOR] = _whole(value)
        else:
            packed[name] = value.to(_HALVES[numbers])
            _check_reach(name, value, packed[name], numbers)
    return packed


def unpack(packed: Params, layout: Layout) -> Params | None:
    """The reverse of `pack`, whatever the numbers were; None if these are not tensors of this layout in any of them."""
    numbers = closest(layout_of(packed), layout)
    if layout_of(packed) != packed_layout(layout, numbers):
        return None
    if numbers == "int8":
        return {name: _real(packed[name], packed.get(name + FACTOR)) for name in layout}
    return {name: packed[name].to(layout[name][1]) for name in layout}


def closest(found: Layout, layout: Layout) -> Numbers:
    """In which numbers tensors laid out as `found` are most like those of `layout`."""
    numbers: tuple[Numbers, ...] = get_args(Numbers)

    def alike(one: Numbers) -> int:
        expected = packed_layout(layout, one)
        return sum(expected.get(name) == about for name, about in found.items())

    return max(numbers, key=alike)


def packed_layout(layout: Layout, numbers: Numbers) -> Layout:
    """Shapes and dtypes of what `pack` makes of params of this layout, names sorted."""
    found: dict[str, tuple[tuple[int, ...], torch.dtype]] = {}
    for name, (shape, dtype) in layout.items():
        if numbers == "float32" or not _shrinks(shape, dtype, numbers):
            found[name] = (shape, dtype)
        elif numbers == "int8":
            found[name] = (shape, torch.int8)
            found[name + FACTOR] = (shape[:1], torch.float32)
        else:
            found[name] = (shape, _HALVES[numbers])
    return {name: found[name] for name in sorted(found)}


def _shrinks(shape: tuple[int, ...], dtype: torch.dtype, numbers: Numbers) -> bool:
    return dtype == torch.float32 and len(shape) > (1 if numbers == "int8" else 0)


def _check_reach(name: str, value: Tensor, half: Tensor, numbers: Numbers) -> None:
    if bool((beyond := half.isinf() & value.isfinite()).any()):
        first, most = float(value[beyond][0]), torch.finfo(_HALVES[numbers]).max
        raise WireOverflow(tensor=name, value=f"{first:.6g}", numbers=numbers, most=f"{most:.6g}")


def _whole(value: Tensor) -> tuple[Tensor, Tensor]:
    rows = value.flatten(1)
    largest = rows.abs().amax(dim=1) if rows.shape[1] else rows.new_zeros(len(rows))
    factor = torch.where(largest == 0, torch.ones_like(largest), largest / _STEPS)
    # A row that is not finite must come back so, for the receiver to notice: 127 times a factor of NaN.
    factor = torch.where(factor.isfinite(), factor, torch.nan)
    whole = (rows / factor[:, None]).nan_to_num(_STEPS).round().clamp(-_STEPS, _STEPS).to(torch.int8)
    return whole.reshape(value.shape), factor


def _real(value: Tensor, factor: Tensor | None) -> Tensor:
    if factor is None:
        return value
    return value.float() * factor.reshape(-1, *(1,) * (value.dim() - 1))
