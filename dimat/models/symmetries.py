"""The permutation groups of a pilot's model, found once for each architecture in a process."""

from functools import lru_cache

from dimat.model_spec import ModelSpec
from dimat.models.registry import empty_model, initial_params
from dimat.permutation.discover import discover
from dimat.permutation.spec import PermutationSpec
from dimat.training.seeding import torch_rng


@lru_cache(maxsize=64)
def symmetries(spec: ModelSpec, shape: tuple[int, ...], num_outputs: int) -> PermutationSpec:
    """What `discover` says of the architecture. Every step asks; a search may take seconds.

    Args:
        shape: of one row.

    Raises:
        ModelMismatch: the family cannot take rows of this shape.
    """
    model = empty_model(spec, shape, num_outputs)
    initial_params(model, torch_rng(0, "symmetries"))
    return discover(model, shape)
