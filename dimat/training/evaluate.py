"""How good a model is: for its own site, and for all sites' class mix.

Legend: S = rows, C = classes.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dimat.cases import mean_over_sites
from dimat.parts import Loss
from dimat.rows import SiteRows
from dimat.training.mixture import best_share, mixed

CHUNK_ROWS = 1024


@dataclass(frozen=True, slots=True)
class Metrics:
    """Accuracies of one model at one site, fractions 0..1.

    Attributes:
        own_site: on the test rows of its own, otherwise on the shared ones, weighted to the site's class mix (`SiteRows.class_mix`).
            Of the mixture with the model that the site trained alone, where there is one, which is after training and not just
            after a merge; so is `validation`, on whose rows the mixture was chosen.
        all_site: on the shared test rows as they are, where they are cases of different sites the mean over these sites; None where
            the pilot has no shared rows to judge by.
        validation: on the site's own validation rows; decisions inside a pilot use this one.
        alone_share: the weight of the model trained alone in that mixture, chosen on the validation rows; None without one.
    """

    own_site: float
    all_site: float | None
    validation: float
    alone_share: float | None = None


def measure(
    model: nn.Module,
    rows: SiteRows,
    all_site: bool,
    loss: Loss = "cross_entropy",
    alone: nn.Module | None = None,
    alone_loss: Loss = "cross_entropy",
) -> Metrics:
    """Accuracies of `model`, which is left in evaluation mode, as is `alone`.

    Args:
        loss, alone_loss: with which each was trained last. One trained by `balanced_softmax` knows nothing of the site's class mix;
            for the site's own cases its log prior is added to the logits.
        alone: the model that the site trained alone, asked beside the other for the site's own cases.
    """
    own_C = _own_prior(rows, loss)
    hits = _hits(model, rows.test_x, rows.test_y)
    own_x, own_y = rows.own_test
    share = None
    if alone is not None:
        known_x, known_y = rows.validation_x, rows.validation_y
        alone_C = _own_prior(rows, alone_loss)
        known, asked = (_probabilities(model, x, own_C) for x in (known_x, own_x))
        known_alone, asked_alone = (_probabilities(alone, x, alone_C) for x in (known_x, own_x))
        share = best_share(known, known_alone, known_y)
        own_hits = _are_right(mixed(asked, asked_alone, share), own_y)
        validation_hits = _are_right(mixed(known, known_alone, share), known_y)
    else:
        own_hits = hits if own_x is rows.test_x and own_C is None else _hits(model, own_x, own_y, own_C)
        validation_hits = _hits(model, rows.validation_x, rows.validation_y, own_C)
    return Metrics(
        own_site=reweighted(*_by_class(own_hits, own_y, rows.num_classes), rows.class_mix),
        all_site=_over_all(hits, rows) if all_site else None,
        validation=float(validation_hits.mean()),
        alone_share=share,
    )


def _own_prior(rows: SiteRows, loss: Loss) -> Tensor | None:
    return rows.log_prior() if loss == "balanced_softmax" else None


def _hits(model: nn.Module, x: Tensor, y: Tensor, offset_C: Tensor | None = None) -> NDArray[np.bool_]:
    """(S,) whether each row is classified rightly."""
    return _are_right(_logits(model, x, offset_C), y)


def _probabilities(model: nn.Module, x: Tensor, offset_C: Tensor | None) -> Tensor:
    """(S, C) float64."""
    return _logits(model, x, offset_C).double().softmax(dim=1)


def _logits(model: nn.Module, x: Tensor, offset_C: Tensor | None) -> Tensor:
    """(S, C); `offset_C` is added."""
    model.eval()
    offset = 0.0 if offset_C is None else offset_C.to(x.device)
    with torch.no_grad():
        starts = range(0, len(x), CHUNK_ROWS)
        return torch.cat([model(x[start : start + CHUNK_ROWS]) + offset for start in starts])


def _are_right(scores_SC: Tensor, y_S: Tensor) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (scores_SC.argmax(dim=1) == y_S).cpu().numpy()
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
