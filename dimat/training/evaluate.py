"""How good a model is: for its own site, and for all sites' class mix.

Legend: C = classes.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dimat.parts import Loss
from dimat.rows import SiteRows

CHUNK_ROWS = 1024


@dataclass(frozen=True, slots=True)
class Metrics:
    """Accuracies of one model at one site, fractions 0..1.

    Attributes:
        own_site: on the shared test rows, weighted to the site's class mix.
        all_site: on the shared test rows as they are; None where the pilot has no shared rows to judge by.
        validation: on the site's own validation rows; decisions inside a pilot use this one.
    """

    own_site: float
    all_site: float | None
    validation: float


def measure(model: nn.Module, rows: SiteRows, all_site: bool, loss: Loss = "cross_entropy") -> Metrics:
    """Accuracies of `model`, which is left in evaluation mode.

    Args:
        loss: with which it was trained last. One trained by `balanced_softmax` knows nothing of the site's class mix;
            for the site's own cases its log prior is added to the logits.
    """
    own_C = rows.log_prior() if loss == "balanced_softmax" else None
    test = (rows.test_x, rows.test_y, rows.num_classes)
    correct_C, count_C = correct_by_class(model, *test)
    own_correct_C = correct_C if own_C is None else correct_by_class(model, *test, own_C)[0]
    right_C, seen_C = correct_by_class(model, rows.validation_x, rows.validation_y, rows.num_classes, own_C)
    return Metrics(
        own_site=reweighted(own_correct_C, count_C, rows.class_mix),
        all_site=float(correct_C.sum() / count_C.sum()) if all_site else None,
        validation=float(right_C.sum() / seen_C.sum()),
    )


def correct_by_class(
    model: nn.Module, x: Tensor, y: Tensor, num_classes: int, offset_C: Tensor | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Per class the number of rows classified rightly, and of rows: two (C,) int64 arrays.

    Args:
        offset_C: added to the logits.
    """
    model.eval()
    offset = 0.0 if offset_C is None else offset_C.to(x.device)
    with torch.no_grad():
        hits = torch.cat(
            [
                (model(x[start : start + CHUNK_ROWS]) + offset).argmax(dim=1) == y[start : start + CHUNK_ROWS]
                for start in range(0, len(x), CHUNK_ROWS)
            ]
        )
    labels = y.cpu().numpy()
    return (
        np.bincount(labels[hits.cpu().numpy()], minlength=num_classes),
        np.bincount(labels, minlength=num_classes),
    )


def reweighted(correct_C: NDArray[np.int64], count_C: NDArray[np.int64], mix_C: NDArray[np.float64]) -> float:
    """sum_c mix_c * accuracy_c over the classes that have rows; 0..1."""
    tested = count_C > 0
    share = mix_C[tested] / mix_C[tested].sum()
    accuracy = float((share * (correct_C[tested] / count_C[tested])).sum())
    return 1.0 if accuracy > 1.0 else accuracy  # shares in float64 may sum up to a little more; NaN stays NaN
