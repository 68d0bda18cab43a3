"""What training makes smaller, and what it is judged by before its end: one loss for both.

Legend: B = rows, C = classes, K = outputs.
"""

from dataclasses import dataclass
from typing import Protocol, Self

import torch
from torch import Tensor
from torch.nn import functional


class Objective(Protocol):
    """A loss: what a model's outputs for some rows are away from the rows' targets."""

    def on(self, device: torch.device) -> Self:
        """The same on a device."""
        ...

    def mean(self, outputs_BK: Tensor, y: Tensor) -> Tensor:
        """Scalar: the weighted mean over the rows."""
        ...

    def total(self, outputs_BK: Tensor, y: Tensor) -> tuple[float, float]:
        """(sum_b w_b loss_b, sum_b w_b): what is added up over parts of the rows before the one is divided by the other."""
        ...


@dataclass(frozen=True, slots=True)
class CrossEntropy:
    """Cross-entropy, with what a site puts into it of its own class counts; neither ever leaves the site.

    Attributes:
        log_prior_C: float32, added to the logits (balanced softmax); None: nothing is.
        weights_C: float32, how much a row of each class counts; None: all the same.
    """

    log_prior_C: Tensor | None = None
    weights_C: Tensor | None = None

    def on(self, device: torch.device) -> Self:
        """The same on a device."""
        moved = (t if t is None else t.to(device) for t in (self.log_prior_C, self.weights_C))
        return type(self)(*moved)

    def mean(self, outputs_BK: Tensor, y: Tensor) -> Tensor:
        """Scalar: the mean over the rows; with weights sum_b w_b loss_b / sum_b w_b."""
        return functional.cross_entropy(self._shifted(outputs_BK), y, self.weights_C)

    def total(self, outputs_BK: Tensor, y: Tensor) -> tuple[float, float]:
        """(sum_b w_b loss_b, sum_b w_b)."""
        loss = functional.cross_entropy(self._shifted(outputs_BK), y, self.weights_C, reduction="sum")
        return float(loss), float(len(y) if self.weights_C is None else self.weights_C[y].sum())

    def _shifted(self, logits_BC: Tensor) -> Tensor:
        return logits_BC if self.log_prior_C is None else logits_BC + self.log_prior_C


@dataclass(frozen=True, slots=True)
class SquaredError:
    """The mean over the outputs of the squared distance from the target, (B, K) float32."""

    def on(self, device: torch.device) -> Self:
        """Itself: it holds nothing."""
        return self

    def mean(self, outputs_BK: Tensor, y: Tensor) -> Tensor:
        """Scalar: the mean over the rows."""
        return functional.mse_loss(outputs_BK, y)

    def total(self, outputs_BK: Tensor, y: Tensor) -> tuple[float, float]:
        """(sum over the rows, rows)."""
        return float((outputs_BK - y).square().mean(dim=1).sum()), float(len(y))


CROSS_ENTROPY, SQUARED_ERROR = CrossEntropy(), SquaredError()
