"""What a site's targets are, classes or numbers, and all that depends on it: the one place where the two part.

Legend: S = rows, C = classes, K = outputs of a model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from dimat.cases import mean_over_sites
from dimat.errors import NumbersHaveNoClasses, TargetsAreClasses, TargetsAreNumbers
from dimat.parts import Loss, TrainSpec
from dimat.training.loss import CROSS_ENTROPY, SQUARED_ERROR, CrossEntropy, Objective
from dimat.training.scores import are_right, determination, reweighted

TINY = 1e-12
Sites = NDArray[np.int64]
LogLikelihood = Callable[[Tensor, Tensor], Tensor]
"""From a row's outputs (1, K) and its target to a scalar whose squared gradient is part of the Fisher information, so that its sign
plays no part."""


class Targets(Protocol):
    """What steps ask of a site's targets.

    Attributes:
        plain: the loss without anything of the site's own.
        sums_name: how the sums of a head's inputs times targets are named (`ridge_head`).
    """

    @property
    def num_outputs(self) -> int:
        """K."""
        ...

    @property
    def plain(self) -> Objective: ...

    @property
    def sums_name(self) -> str: ...

    def objective(self, train: TrainSpec, site: str) -> Objective:
        """The loss that `train` asks for at the site. Raises: DimatError: it is none for such targets."""
        ...

    def own_offset(self, loss: Loss) -> Tensor | None:
        """(K,) what is added to the outputs of a model trained by `loss` for the site's own cases; None: nothing."""
        ...

    def predicted(self, outputs_SK: Tensor) -> Tensor:
        """(S, K) float64: what models can be mixed by."""
        ...

    def surprise(self, predicted_SK: Tensor, y: Tensor) -> Tensor:
        """(S,) how far targets are from what was predicted, lower is better."""
        ...

    def score(self, outputs_SK: Tensor, y: Tensor, sites: Sites | None = None) -> float:
        """How good outputs (or predictions) are, at most 1; where rows are cases of different sites the mean over these."""
        ...

    def own_score(self, outputs_SK: Tensor, y: Tensor) -> float:
        """The same for the site's own cases."""
        ...

    def as_numbers(self, y: Tensor) -> Tensor:
        """(S, K) float64: what a regression answers."""
        ...

    def log_likelihoods(self) -> Sequence[LogLikelihood]:
        """Whose squared gradients add up to the Fisher information of a row, of classes to the empirical one."""
        ...


@dataclass(frozen=True, slots=True)
class Classes:
    """One of C classes each. A score is an accuracy.

    Attributes:
        mix_C: see `SiteRows.class_mix`. labels: (rows,) int64 of the training rows.
    """

    mix_C: NDArray[np.float64]
    labels: Tensor
    plain: Objective = CROSS_ENTROPY
    sums_name: str = "answers"

    @property
    def num_outputs(self) -> int:
        """C."""
        return len(self.mix_C)

    def objective(self, train: TrainSpec, site: str) -> Objective:
        """Cross-entropy. Raises: TargetsAreClasses."""
        if train.loss == "mse":
            raise TargetsAreClasses(data=site)
        return CrossEntropy(
            log_prior_C=self.own_offset(train.loss),
            weights_C=self.weights() if train.class_weights == "balanced" else None,
        )

    def own_offset(self, loss: Loss) -> Tensor | None:
        """A model trained by `balanced_softmax` knows nothing of the site's class mix: its log prior."""
        return self.log_prior() if loss == "balanced_softmax" else None

    def log_prior(self) -> Tensor:
        """(C,) float32: log((n_c + 1) / (n + C)) of the site's own training rows; a class without rows has a share, too."""
        counts_C = self._counts()
        return ((counts_C + 1) / (counts_C.sum() + self.num_outputs)).log().float()

    def weights(self) -> Tensor:
        """(C,) float32: n / (number of classes present * n_c) of the site's own training rows, so that all classes count the same
        and the mean row counts 1; 1 for a class without rows, which none of them asks for."""
        counts_C = self._counts()
        even = counts_C.sum() / (counts_C > 0).sum()
        return torch.where(counts_C > 0, even / counts_C.clamp(min=1), 1.0).float()

    def predicted(self, outputs_SK: Tensor) -> Tensor:
        """Probabilities."""
        return outputs_SK.double().softmax(dim=1)

    def surprise(self, predicted_SK: Tensor, y: Tensor) -> Tensor:
        """-log of the label's probability."""
        return -predicted_SK.gather(1, y[:, None]).squeeze(1).clamp_min(TINY).log()

    def score(self, outputs_SK: Tensor, y: Tensor, sites: Sites | None = None) -> float:
        """Accuracy, 0..1."""
        hits = are_right(outputs_SK, y)
        return float(hits.mean()) if sites is None else mean_over_sites(hits, sites)

    def own_score(self, outputs_SK: Tensor, y: Tensor) -> float:
        """Accuracy weighted to the site's class mix."""
        hits, labels = are_right(outputs_SK, y), y.cpu().numpy()
        correct_C = np.bincount(labels[hits], minlength=self.num_outputs)
        return reweighted(correct_C, np.bincount(labels, minlength=self.num_outputs), self.mix_C)

    def as_numbers(self, y: Tensor) -> Tensor:
        """0 or 1 for each class."""
        return functional.one_hot(y, self.num_outputs).double()

    def log_likelihoods(self) -> Sequence[LogLikelihood]:
        """That of the row's label: the empirical Fisher information."""
        return (label_loss,)

    def _counts(self) -> Tensor:
        return torch.bincount(self.labels.cpu(), minlength=self.num_outputs).double()


@dataclass(frozen=True, slots=True)
class Numbers:
    """K numbers each, on a scale common to all sites. A score is the coefficient of determination R^2."""

    num_outputs: int
    plain: Objective = SQUARED_ERROR
    sums_name: str = "numbers"

    def objective(self, train: TrainSpec, site: str) -> Objective:
        """Squared error. Raises: TargetsAreNumbers, NumbersHaveNoClasses."""
        if train.loss != "mse":
            raise TargetsAreNumbers(data=site, loss=train.loss)
        if train.class_weights != "none":
            raise NumbersHaveNoClasses(class_weights=train.class_weights)
        return SQUARED_ERROR

    def own_offset(self, loss: Loss) -> Tensor | None:
        """None: there is no class mix."""
        return None

    def predicted(self, outputs_SK: Tensor) -> Tensor:
        """The outputs."""
        return outputs_SK.double()

    def surprise(self, predicted_SK: Tensor, y: Tensor) -> Tensor:
        """The squared error, mean over the outputs."""
        return (predicted_SK - y.double()).square().mean(dim=1)

    def score(self, outputs_SK: Tensor, y: Tensor, sites: Sites | None = None) -> float:
        """R^2; where rows are cases of different sites the mean over sites of the R^2 of each on its rows."""
        if sites is None:
            return determination(outputs_SK, y)
        masks = (torch.from_numpy(sites == site).to(y.device) for site in np.unique(sites))
        return float(np.mean([determination(outputs_SK[mask], y[mask]) for mask in masks]))

    def own_score(self, outputs_SK: Tensor, y: Tensor) -> float:
        """R^2: no row counts more than another."""
        return determination(outputs_SK, y)

    def as_numbers(self, y: Tensor) -> Tensor:
        """Themselves."""
        return y.double()

    def log_likelihoods(self) -> Sequence[LogLikelihood]:
        """For a normal distribution of deviation 1 around the outputs the (true) information is J^T J of their Jacobian J: the squared
        gradients of all outputs, whatever the targets.

        Reference: Matena, Raffel 2022; Martens 2020, "New Insights and Perspectives on the Natural Gradient Method".
        """
        return tuple(_output(number) for number in range(self.num_outputs))


def label_loss(logits: Tensor, label: Tensor) -> Tensor:
    """Of one row."""
    return functional.cross_entropy(logits, label[None])


def _output(number: int) -> LogLikelihood:
    return lambda outputs, _: outputs[0, number]
