"""Whether what a user of the library gives belongs together: looked at once, where it comes in."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from dimat.errors import (
    DimatError,
    InputsNotTaken,
    MixingNegative,
    MixingRowSum,
    NonFiniteInput,
    NonFiniteParams,
    NoRows,
    ShapeMismatch,
    SiteMissing,
    TensorMissing,
    first_line,
)
from dimat.params import Params, first_non_finite, tensors_of

SUM_TOLERANCE = 1e-6
OUT_OF_MEMORY = ("DefaultCPUAllocator", "STATUS_ALLOC_FAILED")
"""What torch says where memory is short and no `OutOfMemoryError` says so: on a processor, and in the libraries that CUDA calls."""


def check_kind(
    argument: str, given: object, kind: type[object] | tuple[type[object], ...], wanted: str
) -> None:
    """Args: argument: as an error begins. Raises: TypeError: it is none of this kind."""
    if not isinstance(given, kind):
        raise TypeError(f"{argument} is of type {type(given).__name__}; it must be {wanted}")


def check_params(argument: str, given: object) -> None:
    """Raises: TypeError: it is no state dict."""
    check_kind(argument, given, Mapping, "a state dict, as a module's state_dict() gives it")


def check_tensors(given: Mapping[int, Params], own: int, argument: str = "models") -> None:
    """That what every site gives has the tensors of the site `own` and no others, of the same shapes, and is finite.

    Args:
        argument: what an error calls it.

    Raises:
        TensorMissing, ShapeMismatch, NonFiniteParams. TypeError: one is no state dict.
    """
    like = given[own]
    for site in sorted(given):
        check_params(f"'{argument}' of site '{site}'", given[site])
        for name, expected in tensors_of(like).items():
            if name not in given[site]:
                raise TensorMissing(argument=argument, site=site, name=name)
            check_shape(name, given[site][name], tuple(expected.shape))
        if unknown := sorted(given[site].keys() - like.keys()):
            raise TensorMissing(argument=argument, site=own, name=unknown[0])
        broken = first_non_finite(given[site])
        if broken is not None:
            raise NonFiniteParams(site=str(site), tensor=broken)


def check_model(params: Params, model: nn.Module, site: str) -> None:
    """That params are of the architecture of `model`: its tensors, and no others.

    Raises:
        TensorMissing, ShapeMismatch. TypeError: they are no state dict.
    """
    check_params(f"'params' of site '{site}'", params)
    expected = model.state_dict()
    for name, tensor in tensors_of(expected).items():
        if name not in params:
            raise TensorMissing(argument="params", site=site, name=name)
        check_shape(name, params[name], tuple(tensor.shape))
    if unknown := sorted(set(params) - set(expected)):
        raise TensorMissing(argument="the model", site=site, name=unknown[0])


def check_shape(name: str, given: Tensor, expected: tuple[int, ...]) -> None:
    """Raises: ShapeMismatch: also where torch would broadcast."""
    if tuple(given.shape) != expected:
        raise ShapeMismatch(name=name, actual=str(tuple(given.shape)), expected=str(expected))


def check_mixture(models: Mapping[int, Params], weights: Mapping[int, float], site: int) -> None:
    """That models may be mixed with these weights at a site, which is one of theirs.

    Raises:
        SiteMissing: also of a weight that has no model, unless it is 0. MixingRowSum: the weights do not sum to 1. MixingNegative.
        TensorMissing, ShapeMismatch, NonFiniteParams: see `check_tensors`.
    """
    if site not in models:
        raise SiteMissing(argument="models", site=site)
    check_sites(models, weights, "weights")
    check_sites({j: weight for j, weight in weights.items() if weight}, models, "models")
    total = float(sum(weights[j] for j in models))
    if not abs(total - 1.0) <= SUM_TOLERANCE:
        raise MixingRowSum(name=str(site), total=total)
    for j in sorted(models):
        if weights[j] < 0:
            raise MixingNegative(a=str(site), b=str(j), value=float(weights[j]))
    check_tensors(models, site)


def check_sites(needed: Mapping[int, object], given: Mapping[int, object], argument: str) -> None:
    """Raises: SiteMissing: a site that is needed is left out here."""
    for j in sorted(needed):
        if j not in given:
            raise SiteMissing(argument=argument, site=j)


def check_rows(name: str, x: Tensor) -> None:
    """Raises: NoRows. NonFiniteInput. TypeError: it is no tensor."""
    check_kind(f"'{name}'", x, Tensor, "one tensor of rows, also where a model takes several inputs")
    if not len(x):
        raise NoRows(name=name)
    if bool(torch.isfinite(x).all()):
        return
    is_broken = ~torch.isfinite(x).reshape(len(x), -1).all(dim=1)
    raise NonFiniteInput(name=name, row=int(is_broken.nonzero()[0]))


@contextmanager
def inputs_taken() -> Iterator[None]:
    """Around a model's forward pass. Raises: InputsNotTaken: whatever it raises, but that memory is short."""
    try:
        yield
    except Exception as error:
        if isinstance(error, DimatError) or is_out_of_memory(error):
            raise
        # A TypeError is that of a model that takes more than one input.
        problem = (
            f"rows are given as one tensor; {first_line(error)}"
            if isinstance(error, TypeError)
            else first_line(error)
        )
        raise InputsNotTaken(problem=problem) from error


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory was short, which says nothing of what a user gave."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in OUT_OF_MEMORY)
