"""Correlation between the units of two models.

Legend: S = samples (rows x spatial positions), A = own units, B = the neighbour's units.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dimat.errors import ShapeMismatch

FLOOR = 1e-7
STILL = 1e-6
"""A unit that moves less than this share of its own size around its mean is one that never changes: rounding moves it."""


@dataclass(frozen=True, slots=True)
class Centred:
    """Activations around their mean; made once for the own model, used for all neighbours.

    Attributes:
        values_SA: (S, A) float32. deviation_A: (A,) float64, 0 for a unit that never changes.
    """

    values_SA: Tensor
    deviation_A: Tensor


def centred(acts_SA: Tensor) -> Centred:
    """Args: acts_SA: (S, A) float, S >= 2."""
    acts = acts_SA.float()
    mean_A = acts.mean(dim=0, dtype=torch.float64)
    values_SA = acts - mean_A.float()
    deviation_A = (values_SA.square().sum(dim=0, dtype=torch.float64) / (len(acts) - 1)).sqrt()
    return Centred(values_SA, torch.where(deviation_A > STILL * mean_A.abs(), deviation_A, 0.0))


def correlation(own: Centred, other: Centred) -> Tensor:
    """Pearson correlation of each own unit with each of the other's: (A, B) float64, -1..1.

    cov / max(std std^T, 1e-7). A dead unit (deviation 0) is like no other: 0. Only the cross block
    is computed, not the (A + B)^2 matrix of all pairs, and in float32: what is compared are samples, not bits.

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
    covariance_AB = (own.values_SA.T @ other.values_SA).double() / (len(own.values_SA) - 1)
    scale_AB = torch.outer(own.deviation_A, other.deviation_A)
    alive_AB = (own.deviation_A > 0)[:, None] & (other.deviation_A > 0)[None, :]
    return torch.where(alive_AB, covariance_AB / scale_AB.clamp_min(FLOOR), 0.0)
