"""Normalisation statistics of a merged model, estimated anew on the site's own rows.

The mean of running statistics does not describe the merged network: without this a merge looks far
worse than it is, for plain averaging as well.
"""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from dimat.checked import check_rows, inputs_taken

CHUNK_ROWS = 128


def reset_statistics(model: nn.Module, x: Tensor) -> bool:
    """Re-estimates running mean and variance of all layers that keep them (BatchNorm, InstanceNorm) in place; False if there are none.

    Statistics are a cumulative mean over chunks of 128 rows (a shorter last chunk is left out unless it
    is the only one). The layers' momentum is restored, and the model is left in evaluation mode, whatever happens.

    Args:
        x: (rows, ...) own rows in random order: rows sorted by class would bias the estimate.

    Raises:
        NoRows, NonFiniteInput: of `x`. InputsNotTaken: whatever the model raises, as torch does of one row of a BatchNorm1d; its statistics
            are then those it had.
    """
    check_rows("x", x)
    layers = [
        module for module in model.modules() if isinstance(module, _NormBase) and module.track_running_stats
    ]
    if not layers:
        return False
    momenta = [layer.momentum for layer in layers]
    before = [{name: value.clone() for name, value in layer.named_buffers()} for layer in layers]
    model.eval()
    for layer in layers:
        layer.reset_running_stats()
        layer.train()
    num_rows = max(len(x) // CHUNK_ROWS * CHUNK_ROWS, min(len(x), CHUNK_ROWS))
    try:
        with torch.no_grad():
            for number, start in enumerate(range(0, num_rows, CHUNK_ROWS), start=1):
                for layer in layers:
                    layer.momentum = (
                        1.0 / number
                    )  # cumulative; InstanceNorm takes torch's way to say so (None) for none
                with inputs_taken():
                    model(x[start : start + CHUNK_ROWS])
    except BaseException:
        for layer, kept in zip(layers, before, strict=True):
            for name, value in layer.named_buffers():
                value.copy_(kept[name])
        raise
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        model.eval()
    return True
