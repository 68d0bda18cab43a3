"""For its own cases a site may ask two models: the one it shares in, and one that it trained alone.

Where sites see different things, the second knows the site's own better. Mixing both costs its training once more and sends nothing;
it is plain ensembling and no gain of merging.

Legend: S = rows, K = outputs of a model.
"""

from collections.abc import Callable

import torch
from torch import Tensor

SHARES = tuple(step / 20 for step in range(21))


def best_share(shared_SK: Tensor, alone_SK: Tensor, surprise: Callable[[Tensor], Tensor]) -> float:
    """The weight a, 0..1 in steps of 0.05, of the model trained alone with which the mixture is least surprised by the targets: for
    classes it has the least mean of -log((1 - a) p_shared + a p_alone), for numbers the least squared error. Among equals the least.

    Args:
        shared_SK, alone_SK: predictions of the site's own validation rows, float64 (`Targets.predicted`).
        surprise: (S,) of such predictions (`Targets.surprise`).

    Reference: Stone 1961, "The opinion pool"; Deng et al. 2020 (APFL) mix in training, too.
    """
    losses = [surprise(mixed(shared_SK, alone_SK, share)).mean() for share in SHARES]
    return SHARES[int(torch.stack(losses).argmin())]


def mixed(shared: Tensor, alone: Tensor, share: float) -> Tensor:
    """(1 - share) shared + share alone."""
    return (1 - share) * shared + share * alone
