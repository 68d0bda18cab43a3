"""What training makes smaller, and what it is judged by before its end: one loss for both.

Legend: B = rows, C = classes.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from dimat.parts import TrainSpec
from dimat.rows import SiteRows


@dataclass(frozen=True, slots=True)
class Objective:
    """Cross-entropy, with what a site puts into it of its own class counts; neither ever leaves the site.

    Attributes:
        log_prior_C: float32, added to the logits (balanced softmax); None: nothing is.
        weights_C: float32, how much a row of each class counts; None: all the same.
    """

    log_prior_C: Tensor | None = None
    weights_C: Tensor | None = None

    @classmethod
    def of(cls, train: TrainSpec, rows: SiteRows) -> Self:
        """The loss that `train` asks for at the site that holds `rows`."""
        return cls(
            log_prior_C=rows.log_prior() if train.loss == "balanced_softmax" else None,
            weights_C=rows.class_weights() if train.class_weights == "balanced" else None,
        )

    def on(self, device: torch.device) -> Self:
        """The same on a device."""
        moved = (t if t is None else t.to(device) for t in (self.log_prior_C, self.weights_C))
        return type(self)(*moved)

    def mean(self, logits_BC: Tensor, y_B: Tensor) -> Tensor:
        """Scalar: the mean over the rows; with weights sum_b w_b loss_b / sum_b w_b."""
        return functional.cross_entropy(self._shifted(logits_BC), y_B, self.weights_C)

    def total(self, logits_BC: Tensor, y_B: Tensor) -> tuple[float, float]:
        """(sum_b w_b loss_b, sum_b w_b): what is added up over parts of the rows before the one is divided by the other."""
        loss = functional.cross_entropy(self._shifted(logits_BC), y_B, self.weights_C, reduction="sum")
        return float(loss), float(len(y_B) if self.weights_C is None else self.weights_C[y_B].sum())

    def _shifted(self, logits_BC: Tensor) -> Tensor:
        return logits_BC if self.log_prior_C is None else logits_BC + self.log_prior_C


CROSS_ENTROPY = Objective()
