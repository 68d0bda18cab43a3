"""Correlation between the units of two models, from chunks of samples that come one after the other.

Legend: S = samples of a chunk (rows x spatial positions), A = own units, B = the neighbour's units, N = either.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dimat.errors import ShapeMismatch

TINIEST = 1e-15
"""A unit that deviates less is dead, too: squares of so small float32 numbers have no digits left."""
STILL = 1e-6
"""A unit that moves less than this share of its own size around its mean is one that never changes: rounding moves it."""
STRAIGHT = 1e-4
"""Units whose correlations are all this close to 1 or -1 move along one line."""


@dataclass(frozen=True, slots=True)
class Centred:
    """Activations of a chunk around their mean; made once for the own model, used for all neighbours.

    Attributes:
        values_SA: (S, A) float32. mean_A: (A,) float64.
        squares_A: (A,) float64, sum over the samples of the squared distance from the mean.
    """

    values_SA: Tensor
    mean_A: Tensor
    squares_A: Tensor


@dataclass(frozen=True, slots=True)
class Together:
    """How the units of two models moved together so far. Its size does not depend on how many samples were seen.

    Attributes:
        num_samples: seen. mean_A, mean_B, squares_A, squares_B: over all of them, see `Centred`.
        products_AB: (A, B) float64, sum over the samples of the products of both distances.
    """

    num_samples: int
    mean_A: Tensor
    mean_B: Tensor
    squares_A: Tensor
    squares_B: Tensor
    products_AB: Tensor


def centred(acts_SA: Tensor) -> Centred:
    """Args: acts_SA: (S, A) float, S >= 1."""
    acts = acts_SA.float()
    mean_A = acts.mean(dim=0, dtype=torch.float64)
    values_SA = acts - mean_A.float()
    return Centred(values_SA, mean_A, values_SA.square().sum(dim=0, dtype=torch.float64))


def together(own: Centred, other: Centred) -> Together:
    """Of one chunk. Only the cross block is computed, not the (A + B)^2 matrix of all pairs, and in float32: what is
    compared are samples, not bits.

    Raises:
        ShapeMismatch: the two were not made on the same number of samples.
    """
    num_samples = len(own.values_SA)
    if num_samples != len(other.values_SA):
        raise ShapeMismatch(
            name="activations", actual=str(tuple(other.values_SA.shape)), expected=f"{num_samples} samples"
        )
    products_AB = (own.values_SA.T @ other.values_SA).double()
    return Together(num_samples, own.mean_A, other.mean_A, own.squares_A, other.squares_A, products_AB)


def joined(first: Together, second: Together) -> Together:
    """Of the samples of both: what moved around two means, and how far these are apart.

    Reference: Chan, Golub & LeVeque 1983, "Algorithms for Computing the Sample Variance", eq. 2.1, and the same for products.
    """
    num_samples = first.num_samples + second.num_samples
    share = second.num_samples / num_samples
    apart_A, apart_B = second.mean_A - first.mean_A, second.mean_B - first.mean_B
    weight = first.num_samples * share
    return Together(
        num_samples,
        mean_A=first.mean_A + share * apart_A,
        mean_B=first.mean_B + share * apart_B,
        squares_A=first.squares_A + second.squares_A + weight * apart_A.square(),
        squares_B=first.squares_B + second.squares_B + weight * apart_B.square(),
        products_AB=first.products_AB + second.products_AB + weight * torch.outer(apart_A, apart_B),
    )


def correlation(seen: Together) -> Tensor:
    """Pearson correlation of each own unit with each of the other's: (A, B) float64, -1..1 but for rounding (sums are in float32).

    cov / (std std^T), however small the activations are: the reference has a floor of 1e-7 under the denominator, from which units that
    move little look like no other. A dead unit (one that never changes, or is not finite) is like no other: 0. Needs at least
    two samples.

    Reference: Saadati et al. 2024 (DIMAT), activation matching; Jordan et al. 2023 (REPAIR).
    """
    deviation_A = _deviation(seen.squares_A, seen.mean_A, seen.num_samples)
    deviation_B = _deviation(seen.squares_B, seen.mean_B, seen.num_samples)
    covariance_AB = seen.products_AB / (seen.num_samples - 1)
    alive_AB = (deviation_A > 0)[:, None] & (deviation_B > 0)[None, :] & covariance_AB.isfinite()
    scale_AB = torch.outer(deviation_A, deviation_B)
    return torch.where(alive_AB, covariance_AB / scale_AB, 0.0)


def tells_apart(correlation_AB: Tensor) -> bool:
    """Whether the samples tell units from each other: not where all are dead, nor where all that live move along one line (two
    samples are enough for that), so that each is as like one as like any other."""
    alive = correlation_AB[correlation_AB != 0].abs()
    return len(alive) == 1 or bool((alive < 1 - STRAIGHT).any())


def open_pairs(similarity_NN: Tensor, found_N: Tensor) -> Tensor:
    """(N, N) bool: pairs that may replace those that were `found`. A pair of live units stays as it is; of the others, which no
    sample speaks for, each unit may have any partner, but no live one if it lives itself."""
    lives = similarity_NN != 0
    own_N, other_N = lives.any(dim=1), lives.any(dim=0)
    free_N = ~(own_N & other_N[found_N])
    free_other_N = torch.empty_like(free_N).index_put((found_N,), free_N)
    pairs_NN = free_N[:, None] & free_other_N[None] & ~(own_N[:, None] & other_N[None])
    pairs_NN[torch.arange(len(found_N)), found_N] = True
    return pairs_NN


def _deviation(squares_N: Tensor, mean_N: Tensor, num_samples: int) -> Tensor:
    """(N,) float64, 0 for a dead unit."""
    deviation_N = (squares_N / (num_samples - 1)).sqrt()
    moves = (deviation_N > STILL * mean_N.abs()) & (deviation_N > TINIEST)
    return torch.where(moves & deviation_N.isfinite(), deviation_N, 0.0)
