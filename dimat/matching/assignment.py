"""The best one-to-one pairing for given similarities."""

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from dimat.errors import ShapeMismatch


def best_assignment(similarity_NN: Tensor) -> Tensor:
    """The permutation p with the largest sum of similarity[i, p[i]]: (N,) int64.

    Args:
        similarity_NN: (N, N) finite float, higher is more alike; rows are own units.

    Raises:
        ShapeMismatch: not square.
    Reference: Crouse 2016, the solver behind `scipy.optimize.linear_sum_assignment`.
    """
    if similarity_NN.ndim != 2 or similarity_NN.shape[0] != similarity_NN.shape[1]:
        raise ShapeMismatch(name="similarity", actual=str(tuple(similarity_NN.shape)), expected="a square")
    return torch.from_numpy(
        linear_sum_assignment(similarity_NN.cpu().numpy(), maximize=True)[1].astype(np.int64)
    )
