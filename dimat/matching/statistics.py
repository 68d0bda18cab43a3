"""Correlation between the units of two models.

Legend: S = samples (rows x spatial positions), A = own units, B = the neighbour's units.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dimat.errors import ShapeMismatch

FLOOR = 1e-7


@dataclass(frozen=True, slots=True)
class Centred:
    """Activations around their mean; made once for the own model, used for all neighbours.

    Attributes:
        values_SA: (S, A) float64. deviation_A: (A,) float64, 0 for a unit that never changes.
    """

    values_SA: Tensor
    deviation_A: Tensor


def centred(acts_SA: Tensor) -> Centred:
    """Args: acts_SA: (S, A) float, S >= 2."""
    values = acts_SA.double()
    values = values - values.mean(dim=0)
    return Centred(values, (values.square().sum(dim=0) / (len(values) - 1)).sqrt())


def correlation(own: Centred, other: Centred) -> Tensor:
    """Pearson correlation of each own unit with each of the other's: (A, B) float64, -1..1.

    cov / max(std std^T, 1e-7). A dead unit (deviation 0) is like no other: 0. Only the cross block
    is computed, not the (A + B)^2 matrix of all pairs.

    Raises:
        ShapeMismatch: the two were not made on the same number of samples.
    Reference: Saadati et al. 2024 (DIMAT), activation matching; Jordan et al. 2023 (REPAIR).
    """
    if len(own.values_SA) != len(other.values_SA):
        raise ShapeMismatch(
            name="activations",
            actual=str(tuple(other.values_SA.shape)),
            expected=f"{len(own.values_SA)} samples",
        )
    covariance_AB = own.values_SA.T @ other.values_SA / (len(own.values_SA) - 1)
    scale_AB = torch.outer(own.deviation_A, other.deviation_A)
    alive_AB = (own.deviation_A > 0)[:, None] & (other.deviation_A > 0)[None, :]
    return torch.where(alive_AB, covariance_AB / scale_AB.clamp_min(FLOOR), 0.0)
