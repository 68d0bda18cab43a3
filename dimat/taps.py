"""Looks at what reaches single layers while rows go through a model."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from dimat.checked import inputs_taken
from dimat.errors import HiddenByVmap

CHUNK_ROWS = 256
Tap = Callable[[nn.Module, Tensor], None]
"""Called with the layer and its input: (rows, ...), on the model's device."""
Watcher = Callable[[nn.Module, tuple[Any, ...], Any], None]
"""Called with a module, its arguments and what it gave."""

Caller = Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], None]
"""Called with a module, and the positional and the named arguments it is about to be called with."""


def watch(model: nn.Module, x: Tensor, watchers: Iterable[tuple[str, Watcher]]) -> None:
    """Sends `x` through in chunks of 256 rows and shows each watcher the calls of the module of its name.

    Args:
        x: (rows, ...) inputs on the model's device. The model is left in evaluation mode.

    Raises: AttributeError, when there is no such module. InputsNotTaken, when the model fails on `x`. HiddenByVmap.
    """

    def hook(name: str, watcher: Watcher) -> Any:
        def run(module: nn.Module, args: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
            call = _in_order(module, args, named)
            _check_visible(name, (*call, output))
            watcher(module, call, output)

        return run

    handles = [
        model.get_submodule(name).register_forward_hook(hook(name, watcher), with_kwargs=True)
        for name, watcher in watchers
    ]
    _send(model, x, handles)


def _in_order(module: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
    """Arguments of a call by their places, also where they were given by name."""
    return tuple(inspect.signature(module.forward).bind(*args, **named).arguments.values()) if named else args


def look(model: nn.Module, x: Tensor, taps: Mapping[str, Tap]) -> None:
    """Sends `x` through in chunks of 256 rows and shows each layer's input to the tap of its name.

    Args:
        x: (rows, ...) inputs on the model's device. The model is left in evaluation mode.

    Raises: as `watch`.
    """

    def caller(tap: Tap) -> Caller:
        return lambda layer, arguments, named: tap(layer, _in_order(layer, arguments, named)[0])

    overhear(model, x, [(name, caller(tap)) for name, tap in taps.items()])


def overhear(model: nn.Module, x: Tensor, callers: Iterable[tuple[str, Caller]]) -> None:
    """The same for whole calls, and any number of callers of a module."""

    def hook(name: str, caller: Caller) -> Caller:
        def run(module: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> None:
            _check_visible(name, (*args, *named.values()))
            caller(module, args, named)

        return run

    handles = [
        model.get_submodule(name).register_forward_pre_hook(hook(name, caller), with_kwargs=True)
        for name, caller in callers
    ]
    _send(model, x, handles)


def _check_visible(name: str, shown: Iterable[Any]) -> None:
    """Raises: HiddenByVmap: values of one row in the place of those of all."""
    if any(isinstance(one, Tensor) and torch._C._functorch.is_batchedtensor(one) for one in shown):
        raise HiddenByVmap(layer=name)


def _send(model: nn.Module, x: Tensor, handles: list[Any]) -> None:
    model.eval()
    try:
        with torch.no_grad(), inputs_taken(), unpacked(model):
            for start in range(0, len(x), CHUNK_ROWS):
                model(x[start : start + CHUNK_ROWS])
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def unpacked(model: nn.Module) -> Iterator[None]:
    """Keeps torch's encoders from packing padded sequences into nested tensors, on which layers with hooks fail.

    What they give stays what it is: packing leaves nothing where padding was, and so zeros are put there.
    """
    encoders = [
        module
        for module in model.modules()
        if isinstance(module, nn.TransformerEncoder) and module.use_nested_tensor
    ]
    handles = [
        encoder.register_forward_hook(_padded, with_kwargs=True)
        for encoder in encoders
        if type(encoder).forward is nn.TransformerEncoder.forward
    ]
    for encoder in encoders:
        encoder.use_nested_tensor = False
    try:
        yield
    finally:
        for encoder in encoders:
            encoder.use_nested_tensor = True
        for handle in handles:
            handle.remove()


def _padded(encoder: Any, args: tuple[Any, ...], named: dict[str, Any], output: Tensor) -> Tensor:
    """The output of an encoder as it had been, had it packed what it read."""
    call = inspect.signature(encoder.forward).bind(*args, **named).arguments
    padding, read = call.get("src_key_padding_mask"), call["src"]
    if padding is None or call.get("mask") is not None or read.ndim != 3:
        return output
    is_read = padding.logical_not()
    if not torch._nested_tensor_from_mask_left_aligned(read, is_read):
        return output  # torch packs no sequences with padding in front
    nothing, norm = torch.zeros_like(output), encoder.norm
    # Past its hooks: it was not called for this.
    return torch.where(is_read[..., None], output, nothing if norm is None else norm.forward(nothing))
