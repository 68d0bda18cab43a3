"""For its own cases a site may ask two models: the one it shares in, and one that it trained alone.

Where sites see different things, the second knows the site's own better. Mixing both costs its training once more and sends nothing;
it is plain ensembling and no gain of merging.

Legend: S = rows, C = classes.
"""

import torch
from torch import Tensor

SHARES = tuple(step / 20 for step in range(21))
TINY = 1e-12


def best_share(shared_SC: Tensor, alone_SC: Tensor, y_S: Tensor) -> float:
    """The weight, 0..1 in steps of 0.05, of the model trained alone with which the mixture is least surprised by the labels: it has
    the least mean of -log((1 - a) p_shared + a p_alone). Among equals the least.

    Args:
        shared_SC, alone_SC: probabilities of the site's own validation rows, float64. y_S: int64 labels.

    Reference: Stone 1961, "The opinion pool"; Deng et al. 2020 (APFL) mix in training, too.
    """
    shared_S = shared_SC.gather(1, y_S[:, None]).squeeze(1)
    alone_S = alone_SC.gather(1, y_S[:, None]).squeeze(1)
    losses = [-mixed(shared_S, alone_S, share).clamp_min(TINY).log().mean() for share in SHARES]
    return SHARES[int(torch.stack(losses).argmin())]


def mixed(shared: Tensor, alone: Tensor, share: float) -> Tensor:
    """(1 - share) shared + share alone."""
    return (1 - share) * shared + share * alone
