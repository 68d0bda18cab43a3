"""Training as it stands between two epochs: all that somebody needs who goes on in the same bits.

What randomness is left is not part of it: a generator is derived anew and draws again what was drawn before.
"""

from dataclasses import dataclass

from dimat.params import Params
from dimat.training.stopping import Best


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One model after an epoch.

    Attributes:
        num_epochs: trained so far, >= 1. loss: the mean over the last of them, or over the one whose params were kept.
        params: the model's params and buffers, on the CPU.
        momentum: what the optimiser remembers, by parameter name, on the CPU; empty without momentum.
        best: the best epoch so far; None where none is looked for, and when training has ended.
    """

    num_epochs: int
    loss: float
    params: Params
    momentum: Params
    best: Best | None = None


@dataclass(frozen=True, slots=True)
class Underway:
    """A step that trains, after an epoch.

    Attributes:
        now: the model that is being trained.
        ended: the site's own model as training left it, while the one that it trains alone is being trained; None before.
    """

    now: Checkpoint
    ended: Checkpoint | None = None

    @property
    def num_epochs(self) -> int:
        """Trained so far, of both models."""
        return self.now.num_epochs + (self.ended.num_epochs if self.ended is not None else 0)
