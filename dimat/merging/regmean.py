"""RegMean in the common basis: each layer is merged so that it answers, for every site's inputs, as that site's own did.

Layers that read hidden units solve a least-squares problem over the sites' second moments (`gram`); the first layer and
everything else is averaged. Alignment is that of `common_basis`.

Legend: I = inputs of a layer and one for its bias, O = its outputs.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from dimat.merging.mix import Merged, MergeInputs, mix
from dimat.params import Params
from dimat.parts import MergeSpec

TINY = 1e-9


def merge(inputs: MergeInputs) -> Merged:
    """theta = (sum_j w_j G_j)^-1 sum_j w_j G_j theta_j for each layer with a Gram matrix, the weighted mean elsewhere.

    Off-diagonals of G_j are multiplied by `off_diagonal` (0.9), and `ridge` (1 %) of the mean diagonal is added to the
    diagonal: with equal models the result is that model, with equal Gram matrices the weighted mean.

    Raises: KeyError, when a model has no Gram matrix.
    Reference: Jin et al. 2023 (RegMean); the factor 0.9 and the ridge are those of our own prototype.
    """
    merged = dict(mix(inputs.models, inputs.weights, inputs.site))
    for name in inputs.moments[inputs.site]:
        trusted = {j: _shrunk(grams[name].double(), inputs.settings) for j, grams in inputs.moments.items()}
        merged |= _solved(name, inputs.models, inputs.weights, trusted)
    return Merged(merged, {})


def _solved(
    layer: str, models: Mapping[int, Params], weights: Mapping[int, float], grams: Mapping[int, Tensor]
) -> Params:
    weight, bias = f"{layer}.weight", f"{layer}.bias"
    some = next(iter(models.values()))
    has_bias = bias in some
    size = len(next(iter(grams.values())))
    left_II = torch.zeros(size, size, dtype=torch.float64)
    right_IO = torch.zeros(size, len(some[weight]), dtype=torch.float64)
    for j in sorted(models):
        gram_II = weights[j] * grams[j]
        theta_IO = models[j][weight].double().reshape(len(some[weight]), -1).T
        if has_bias:
            theta_IO = torch.cat([theta_IO, models[j][bias].double()[None]])
        left_II += gram_II
        right_IO += gram_II @ theta_IO
    theta_IO = torch.linalg.solve(left_II, right_IO)
    found = {weight: (theta_IO[:-1] if has_bias else theta_IO).T.reshape(some[weight].shape)}
    if has_bias:
        found[bias] = theta_IO[-1]
    return {name: value.to(some[name].dtype).contiguous() for name, value in found.items()}


def _shrunk(gram_II: Tensor, settings: MergeSpec) -> Tensor:
    diagonal = gram_II.diagonal()
    ridge = settings.ridge * diagonal.mean().clamp_min(TINY)  # all units dead must not make it unsolvable
    kept = settings.off_diagonal
    return kept * gram_II + torch.diag((1 - kept) * diagonal + ridge)
