"""How good a model is: for its own site, and for all sites' class mix.

Legend: C = classes.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dimat.cases import mean_over_sites
from dimat.parts import Loss
from dimat.rows import SiteRows

CHUNK_ROWS = 1024


@dataclass(frozen=True, slots=True)
class Metrics:
    """Accuracies of one model at one site, fractions 0..1.

    Attributes:
        own_site: on the test rows of its own, otherwise on the shared ones, weighted to the site's class mix (`SiteRows.class_mix`).
        all_site: on the shared test rows as they are, where they are cases of different sites the mean over these sites; None where
            the pilot has no shared rows to judge by.
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
    hits = _hits(model, rows.test_x, rows.test_y)
    own_x, own_y = rows.own_test
    own_hits = hits if own_x is rows.test_x and own_C is None else _hits(model, own_x, own_y, own_C)
    right_C, seen_C = correct_by_class(model, rows.validation_x, rows.validation_y, rows.num_classes, own_C)
    return Metrics(
        own_site=reweighted(*_by_class(own_hits, own_y, rows.num_classes), rows.class_mix),
        all_site=_over_all(hits, rows) if all_site else None,
        validation=float(right_C.sum() / seen_C.sum()),
    )


def correct_by_class(
    model: nn.Module, x: Tensor, y: Tensor, num_classes: int, offset_C: Tensor | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Per class the number of rows classified rightly, and of rows: two (C,) int64 arrays.

    Args:
        offset_C: added to the logits.
    """
    return _by_class(_hits(model, x, y, offset_C), y, num_classes)


def _hits(model: nn.Module, x: Tensor, y: Tensor, offset_C: Tensor | None = None) -> NDArray[np.bool_]:
    """(rows,) whether each is classified rightly."""
    model.eval()
    offset = 0.0 if offset_C is None else offset_C.to(x.device)
    with torch.no_grad():
        hits = torch.cat(
            [
                (model(x[start : start + CHUNK_ROWS]) + offset).argmax(dim=1) == y[start : start + CHUNK_ROWS]
                for start in range(0, len(x), CHUNK_ROWS)
            ]
        )
    found: NDArray[np.bool_] = hits.cpu().numpy()
    return found


def _by_class(
    hits: NDArray[np.bool_], y: Tensor, num_classes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    labels = y.cpu().numpy()
    return np.bincount(labels[hits], minlength=num_classes), np.bincount(labels, minlength=num_classes)


def _over_all(hits: NDArray[np.bool_], rows: SiteRows) -> float:
    return float(hits.mean()) if rows.test_sites is None else mean_over_sites(hits, rows.test_sites)


def reweighted(correct_C: NDArray[np.int64], count_C: NDArray[np.int64], mix_C: NDArray[np.float64]) -> float:
    """sum_c mix_c * accuracy_c over the classes that have rows; 0..1."""
    tested = count_C > 0
    share = mix_C[tested] / mix_C[tested].sum()
    accuracy = float((share * (correct_C[tested] / count_C[tested])).sum())
    return 1.0 if accuracy > 1.0 else accuracy  # shares in float64 may sum up to a little more; NaN stays NaN
