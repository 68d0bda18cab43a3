"""Each number of a model weighed by how much its site's predictions depend on it: diagonal Fisher information.

Aligned once as in `common_basis`. Beside its model a site tells the mean square of each parameter's gradient over its rows:
as many bytes again, and no second moments of features.

Legend: B = rows of a chunk.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from dimat.merging import plain_average
from dimat.merging.sums import Summed, Sums
from dimat.params import Layout, Params, averaged, doubled, first_names
from dimat.parts import MergeSpec
from dimat.training.targets import LogLikelihood, label_loss

CHUNK_ROWS = 32
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

    Reference: Matena, Raffel 2022, "Merging Models with Fisher-Weighted Averaging".
    """
    by_information = {
        name: doubled(total.params[name]) / value.double() for name, value in total.moments.items()
    }
    return {**plain_average.mean(total), **by_information}


METHOD = Summed(summand, solve, by_moments=True)


def fisher(
    model: nn.Module, x: Tensor, y: Tensor, log_likelihoods: Sequence[LogLikelihood] = (label_loss,)
) -> Params:
    """Mean over rows of the squared gradients of their log likelihoods, added up: one tensor for each parameter, float32, on the CPU. A
    weight with several names is told under each of them. Needs the memory of 32 models (a gradient for each row of a chunk) and
    of one in float64.

    Args:
        x: (rows, ...) inputs and y: (rows, ...) targets, on the model's device. The model is left in evaluation mode.
        log_likelihoods: `Targets.log_likelihoods`; by default that of the row's label.
    """
    model.eval()
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
                totals[name] += gradient_B.abs().double().square().sum(dim=0)
    # A tensor of its own for each name: what shares memory cannot be stored.
    return {
        name: (totals[first] / len(x)).float().cpu() for name, first in sorted(first_names(model).items())
    }


def layout(model: nn.Module) -> Layout:
    """Shape and dtype of each tensor that `fisher` makes."""
    params = dict(model.named_parameters(remove_duplicate=False))
    return {name: (tuple(params[name].shape), torch.float32) for name in sorted(params)}


def _floored(information: Tensor, ridge: float) -> Tensor:
    return information + ridge * information.mean() + TINY
