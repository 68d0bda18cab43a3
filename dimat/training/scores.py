"""What outputs are worth on rows whose targets are known: accuracy of classes, coefficient of determination of numbers.

Legend: S = rows, C = classes, K = outputs of a model.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def determination(outputs_SK: Tensor, y_SK: Tensor) -> float:
    """R^2 = 1 - SSE / SST, SST around the mean of these targets: 1 is perfect, 0 as good as that mean, and worse is negative. The
    mean of it over the outputs. Of targets that are all the same: 1 where they are met exactly, otherwise 0.

    Args:
        outputs_SK, y_SK: S >= 1.
    """
    y = y_SK.double()
    error_K = (outputs_SK.double() - y).square().sum(dim=0)
    spread_K = (y - y.mean(dim=0)).square().sum(dim=0)
    constant_K = (y == y[0]).all(dim=0)
    found_K = 1 - error_K / torch.where(constant_K, 1.0, spread_K)
    return float(torch.where(constant_K, (error_K == 0).double(), found_K).mean())


def reweighted(correct_C: NDArray[np.int64], count_C: NDArray[np.int64], mix_C: NDArray[np.float64]) -> float:
    """sum_c mix_c * accuracy_c over the classes that have rows; 0..1."""
    tested = count_C > 0
    share = mix_C[tested] / mix_C[tested].sum()
    accuracy = float((share * (correct_C[tested] / count_C[tested])).sum())
    return 1.0 if accuracy > 1.0 else accuracy  # shares in float64 may sum up to a little more; NaN stays NaN


def are_right(scores_SC: Tensor, y_S: Tensor) -> NDArray[np.bool_]:
    """(S,) whether each row is classified rightly."""
    found: NDArray[np.bool_] = (scores_SC.argmax(dim=1) == y_S).cpu().numpy()
    return found
