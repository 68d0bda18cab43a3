"""How good a model is: for its own site, and for all sites' class mix.

Legend: S = rows, K = outputs of a model.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dimat.parts import Loss
from dimat.rows import SiteRows
from dimat.training.mixture import best_share, mixed

CHUNK_ROWS = 1024


@dataclass(frozen=True, slots=True)
class Metrics:
    """Accuracies of one model at one site, fractions 0..1; or R^2 for targets that are numbers, at most 1 and negative where the mean of
    the targets would do better (`scores.determination`).

    Attributes:
        own_site: on the test rows of its own, otherwise on the shared ones, weighted to the site's class mix (`SiteRows.class_mix`), if any.
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
    """Accuracies (or R^2) of `model`, which is left in evaluation mode, as is `alone`.

    Args:
        loss, alone_loss: with which each was trained last. One trained by `balanced_softmax` knows nothing of the site's class mix;
            for the site's own cases its log prior is added to the logits.
        alone: the model that the site trained alone, asked beside the other for the site's own cases.
    """
    targets = rows.targets
    own_K = targets.own_offset(loss)
    shared = _outputs(model, rows.test_x)
    own_x, own_y = rows.own_test
    known_x, known_y = rows.validation_x, rows.validation_y
    share = None
    if alone is not None:
        alone_K = targets.own_offset(alone_loss)
        known, asked = (targets.predicted(_outputs(model, x, own_K)) for x in (known_x, own_x))
        known_alone, asked_alone = (targets.predicted(_outputs(alone, x, alone_K)) for x in (known_x, own_x))
        share = best_share(known, known_alone, lambda predicted: targets.surprise(predicted, known_y))
        own, validation = mixed(asked, asked_alone, share), mixed(known, known_alone, share)
    else:
        own = shared if own_x is rows.test_x and own_K is None else _outputs(model, own_x, own_K)
        validation = _outputs(model, known_x, own_K)
    return Metrics(
        own_site=targets.own_score(own, own_y),
        all_site=targets.score(shared, rows.test_y, rows.test_sites) if all_site else None,
        validation=targets.score(validation, known_y),
        alone_share=share,
    )


def _outputs(model: nn.Module, x: Tensor, offset_K: Tensor | None = None) -> Tensor:
    """(S, K); `offset_K` is added."""
    model.eval()
    offset = 0.0 if offset_K is None else offset_K.to(x.device)
    with torch.no_grad():
        starts = range(0, len(x), CHUNK_ROWS)
        return torch.cat([model(x[start : start + CHUNK_ROWS]) + offset for start in starts])
