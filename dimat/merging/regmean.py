"""RegMean in the common basis: each layer is merged so that it answers, for every site's inputs, as that site's own did.

Layers that read hidden units solve a least-squares problem over the sites' second moments (`gram`); the first layer and
everything else is averaged. Alignment is that of `common_basis`.

Legend: I = inputs of a layer and one for its bias, O = its outputs.
"""

import torch
from torch import Tensor

from dimat.checked import check_shape
from dimat.errors import LayerNotMergeable
from dimat.merging import plain_average
from dimat.merging.layers import as_layer, as_matrix, is_held, num_inputs
from dimat.merging.sums import Summed, Sums
from dimat.params import Params, averaged, doubled
from dimat.parts import MergeSpec

TINY = 1e-9


def summand(params: Params, moments: Params, settings: MergeSpec) -> Sums:
    """G_j theta_j and G_j for each layer with a Gram matrix, theta_j elsewhere.

    Off-diagonals of G_j are multiplied by `off_diagonal` (0.9), and `ridge` (1 %) of the mean diagonal is added to the
    diagonal: with equal models the result is that model, with equal Gram matrices the weighted mean.

    Raises:
        LayerNotMergeable, ShapeMismatch: second moments of another model, or of another layer.
    """
    for layer, gram in moments.items():
        if not is_held(params, layer):
            layers = [name.removesuffix(".weight") for name, value in params.items() if value.ndim > 1]
            raise LayerNotMergeable(layer=layer, known=", ".join(layers))
        check_shape(layer, gram, (num_inputs(params, layer),) * 2)
    trusted = {layer: _shrunk(gram.double(), settings) for layer, gram in moments.items()}
    weighed = {name: doubled(value) for name, value in averaged(params).items()}
    for layer, gram_II in trusted.items():
        weighed |= as_layer(weighed, layer, gram_II @ as_matrix(weighed, layer))
    return Sums(weighed, trusted)


def solve(total: Sums) -> Params:
    """theta = (sum_j w_j G_j)^-1 sum_j w_j G_j theta_j for each layer with a Gram matrix, the weighted mean elsewhere.

    Reference: Jin et al. 2023 (RegMean); the factor 0.9 and the ridge are those of our own prototype.
    """
    solved = dict(plain_average.mean(total))
    for layer, gram_II in total.moments.items():
        theta_IO = torch.linalg.solve(gram_II.double(), as_matrix(total.params, layer))
        solved |= as_layer(solved, layer, theta_IO)
    return solved


def squares(moments: Params) -> Params:
    """Diagonals."""
    return {layer: gram_II.diagonal() for layer, gram_II in moments.items()}


METHOD = Summed(summand, solve, by_moments=True, squares=squares)


def _shrunk(gram_II: Tensor, settings: MergeSpec) -> Tensor:
    diagonal = gram_II.diagonal()
    # Neither dead units nor a ridge that vanishes in float64 must make it unsolvable.
    ridge = max(settings.ridge, TINY) * diagonal.mean().clamp_min(TINY)
    kept = settings.off_diagonal
    return kept * gram_II + torch.diag((1 - kept) * diagonal + ridge)
