"""Checks that the groups found for a model are right: random permutations must not change its outputs."""

import copy

import torch
from torch import Tensor, nn

from dimat.permutation.apply import permute, random
from dimat.permutation.spec import PermutationSpec

TOLERANCE = 1e-6


def output_change(
    model: nn.Module, spec: PermutationSpec, x: Tensor, rng: torch.Generator
) -> dict[str, float]:
    """For each group the largest change of the outputs under a random permutation, relative to their size.

    Args:
        x: (rows, ...) inputs; outputs are computed in float64 in evaluation mode.

    Returns: at most about 1e-12 for a right group; above `TOLERANCE` the group is wrong.
    """
    double = copy.deepcopy(model).double().eval()
    state = {name: tensor.clone() for name, tensor in double.state_dict().items()}
    change = {}
    with torch.no_grad():
        before = double(x.double())
        scale = before.abs().max().clamp_min(torch.finfo(torch.float64).tiny)
        for name, permutation in random(spec, rng).items():
            double.load_state_dict(dict(permute(state, spec, {name: permutation})))
            change[name] = float((double(x.double()) - before).abs().max() / scale)
    return change
