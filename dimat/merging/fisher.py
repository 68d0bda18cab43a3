"""Each number of a model weighed by how much its site's predictions depend on it: diagonal Fisher information.

Aligned once as in `common_basis`. Beside its model a site tells the mean square of each parameter's gradient over its rows:
as many bytes again, and no second moments of features.

Where targets are classes this is the *empirical* Fisher information, of the rows' own labels: one gradient for each row instead of one for
each class, and no mean over the labels that the model itself would give. Where they are numbers it is the true one.

Legend: B = rows of a chunk.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from dimat.checked import check_rows, inputs_taken, is_out_of_memory
from dimat.errors import LabelOutOfRange, OutputsNotTaken, ShapeMismatch
from dimat.merging import plain_average
from dimat.merging.sums import Summed, Sums
from dimat.params import Layout, Params, averaged, can_be_averaged, doubled, first_names
from dimat.parts import MergeSpec
from dimat.permutation.exporting import copied
from dimat.training.targets import LogLikelihood, label_loss

CHUNK_ROWS = 32
PART = 2**21
"""So many numbers of gradients are squared at once: in float64 all of them would take four times what they do."""
TINY = 1e-12


def summand(params: Params, moments: Params, settings: MergeSpec) -> Sums:
    """F_j theta_j and F_j for every trained parameter, theta_j elsewhere.

    `ridge` (1 %) of the tensor's mean is added to F_j: where no site's predictions depend on a number, it is averaged.
    """
    floored = {name: _floored(value.double(), settings.ridge) for name, value in moments.items()}
    weighed = {name: doubled(value) * floored.get(name, 1.0) for name, value in averaged(params).items()}
    return Sums(weighed, floored)


def solve(total: Sums) -> Params:
    """theta = sum_j w_j F_j theta_j / sum_j w_j F_j for every trained parameter, the weighted mean elsewhere.

    Reference: Matena, Raffel 2022, "Merging Models with Fisher-Weighted Averaging", who take the mean over labels drawn from the model;
    Kunstner et al. 2019, "Limitations of the empirical Fisher approximation", on what is here for classes.
    """
    by_information = {
        name: doubled(total.params[name]) / value.double() for name, value in total.moments.items()
    }
    return {**plain_average.mean(total), **by_information}


METHOD = Summed(summand, solve, by_moments=True, squares=lambda moments: moments)


def fisher(
    model: nn.Module, x: Tensor, y: Tensor, log_likelihoods: Sequence[LogLikelihood] = (label_loss,)
) -> Params:
    """Mean over rows of the squared gradients of their log likelihoods, added up: one tensor for each parameter, float32, on the CPU. A
    weight with several names is told under each of them. Needs the memory of 32 models (a gradient for each row of a chunk), of one in
    float64, and of what the gradients are made with: of convolutions as much again.

    Args:
        x: (rows, ...) inputs and y: (rows, ...) targets, on the model's device. The model is left in evaluation mode.
        log_likelihoods: `Targets.log_likelihoods`; by default that of the row's label: the empirical Fisher information.

    Raises:
        NoRows, NonFiniteInput: x. ShapeMismatch: another number of targets. InputsNotTaken: the model has no gradient on them.
        OutputsNotTaken: it gives no row of numbers for each. LabelOutOfRange: a class that the model has no output for.
    """
    check_rows("x", x)
    if len(y) != len(x):
        raise ShapeMismatch(name="y", actual=str(tuple(y.shape)), expected=f"{len(x)} rows")
    model.eval()
    num_outputs = _num_outputs(model, x[:2], y)
    if label_loss in log_likelihoods and not y.is_floating_point():
        _check_labels(y, num_outputs)
    try:
        totals = _many_at_a_time(model, x, y, log_likelihoods)
    except Exception as error:
        if is_out_of_memory(error):
            raise  # row by row it might be had, in another order and so with other last bits than elsewhere
        # Recurrent layers, and what writes into slices, draws or checkpoints, know no vmap.
        with inputs_taken():
            totals = _row_by_row(model, x, y, log_likelihoods)
    # A tensor of its own for each name: what shares memory cannot be stored.
    return {
        name: (totals[first] / len(x)).float().cpu() for name, first in sorted(first_names(model).items())
    }


def _num_outputs(model: nn.Module, rows: Tensor, targets: Tensor) -> int:
    """Of each row. Where a row has several labels, those of each have their place behind.

    Raises: InputsNotTaken. OutputsNotTaken.
    """
    with torch.no_grad(), inputs_taken():
        found: Any = model(rows)
    behind = () if targets.is_floating_point() else tuple(targets.shape[1:])
    is_tensor = isinstance(found, Tensor)
    if not is_tensor or found.ndim < 2 or (len(found), *found.shape[2:]) != (len(rows), *behind):
        shape = tuple(found.shape) if is_tensor else None
        if shape and shape[0] == len(rows):
            shape = ("rows", *shape[1:])
        raise OutputsNotTaken(
            given=type(found).__name__ + ("" if shape is None else f" {_words(shape)}"),
            expected=_words(("rows", "outputs", *behind)),
        )
    return int(found.shape[1])


def _words(shape: tuple[str | int, ...]) -> str:
    return f"({', '.join(map(str, shape))})"


def _check_labels(labels: Tensor, num_classes: int) -> None:
    """Raises: LabelOutOfRange. To torch some of them are no error, and others end a process on CUDA."""
    for label in (int(labels.min()), int(labels.max())):
        if not 0 <= label < num_classes:
            raise LabelOutOfRange(name="y", label=label, last=num_classes - 1)


def _many_at_a_time(
    model: nn.Module, x: Tensor, y: Tensor, log_likelihoods: Sequence[LogLikelihood]
) -> dict[str, Tensor]:
    """Sum over rows of the squared gradients: float64 by name of each parameter."""
    params = {name: value.detach() for name, value in model.named_parameters()}
    buffers = dict(model.named_buffers())

    def gradients(of: LogLikelihood) -> Callable[[Params, Tensor, Tensor], Params]:
        def value(params: Mapping[str, Tensor], row: Tensor, target: Tensor) -> Tensor:
            return of(functional_call(model, (dict(params), buffers), (row[None],)), target)

        return vmap(grad(value), in_dims=(None, 0, 0))

    totals = {name: torch.zeros_like(value, dtype=torch.float64) for name, value in params.items()}
    for start in range(0, len(x), CHUNK_ROWS):
        chunk = slice(start, start + CHUNK_ROWS)
        for of in log_likelihoods:
            for name, gradient_B in gradients(of)(params, x[chunk], y[chunk]).items():
                _add_squares(totals[name], gradient_B)
    return totals


def _add_squares(total: Tensor, gradient_B: Tensor) -> None:
    """To `total` their sum over rows, part by part."""
    if gradient_B.ndim == 1:
        total += gradient_B.abs().double().square().sum(dim=0)
        return
    numel = gradient_B.numel() // max(gradient_B.shape[1], 1)
    size = max(PART // max(numel, 1), 1)
    for into, part_B in zip(torch.split(total, size), torch.split(gradient_B, size, dim=1), strict=True):
        into += part_B.abs().double().square().sum(dim=0)


def _row_by_row(
    model: nn.Module, x: Tensor, y: Tensor, log_likelihoods: Sequence[LogLikelihood]
) -> dict[str, Tensor]:
    """The same, slowly, for any model."""
    own = copied(model)
    params = dict(own.named_parameters())
    for param in params.values():
        param.requires_grad_(can_be_averaged(param.dtype))
    totals = {name: torch.zeros_like(value, dtype=torch.float64) for name, value in params.items()}
    # In evaluation mode cuDNN keeps nothing of recurrent layers for the way back.
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        for row, target in zip(x, y, strict=True):
            for of in log_likelihoods:
                own.zero_grad(set_to_none=True)
                torch.autograd.backward(of(own(row[None]), target))
                for name, param in params.items():
                    if param.grad is not None:
                        totals[name] += param.grad.abs().double().square()
    return totals


def layout(model: nn.Module) -> Layout:
    """Shape and dtype of each tensor that `fisher` makes."""
    params = dict(model.named_parameters(remove_duplicate=False))
    return {name: (tuple(params[name].shape), torch.float32) for name in sorted(params)}


def _floored(information: Tensor, ridge: float) -> Tensor:
    return information + ridge * information.mean() + TINY
