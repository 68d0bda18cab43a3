"""Where a step runs, what it made, and what every step asks on its way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dimat import second_moments
from dimat.errors import NonFiniteParams
from dimat.matching.found import GroupMatch
from dimat.methods import Moments
from dimat.model_spec import ModelSpec
from dimat.params import Params, first_non_finite
from dimat.parts import EvaluationSpec, Loss
from dimat.rows import SiteRows
from dimat.training import local
from dimat.training.checkpoint import Underway
from dimat.training.evaluate import Metrics
from dimat.training.local import Cancelled


@dataclass(frozen=True, slots=True)
class StepContext:
    """Where and when a step runs.

    Attributes:
        seed: of the run. round: 0 for prepare, and for align before round 0. rounds: of the pilot.
        site_index: place of the site in the pilot's list; all randomness and order come from it.
        site_name: used in messages only. num_sites: of the pilot.
        model, evaluation: parts of the pilot's spec. last_loss: see `Schedule.last_loss`.
        device: torch device of the computation; params always come back on the CPU.
        should_stop: asked often; when true the step ends with `Cancelled`.
        on_progress: told the share of the step that is done, 0..1.
        on_epoch: see `local.train`.
    """

    seed: int
    round: int
    rounds: int
    site_index: int
    site_name: str
    num_sites: int
    model: ModelSpec
    evaluation: EvaluationSpec
    last_loss: Loss = "cross_entropy"
    device: str = "cpu"
    should_stop: Callable[[], bool] = local.never
    on_progress: Callable[[float], None] = local.ignore
    on_epoch: Callable[[Callable[[], Underway]], None] = local.pass_on


@dataclass(frozen=True, slots=True)
class NeighbourMatch:
    """How well the units of one neighbour were matched (for `align`: the own units to the parent's).

    Attributes:
        units_U: for each own unit the neighbour's that took its place, all groups one behind the other (see `cycles`); None for `align`.
    """

    site_index: int
    groups: tuple[GroupMatch, ...]
    units_U: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class Alone:
    """The model that a site trains alone beside the one it shares in, and what its optimiser remembers (None: it starts afresh)."""

    params: Params
    momentum: Params | None = None


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step made.

    Attributes:
        params: the site's model after the step; the sums of its branch for `gather` (`sums.for_the_way`); None for `evaluate`, which changes nothing.
        metrics: accuracies of this model; None for `prepare` and `align` (an `evaluate` step follows).
        matches: by neighbour, ascending; empty where nothing was matched.
        rejected: by the index of a neighbour why its model was left out of this merge: the code of an error.
        train_loss: mean over the epoch whose params were kept; None where nothing was trained.
        num_epochs: epochs trained in this step, those after the best one included; None for a step that does not train.
        momentum: what the optimiser, or a merge (`ArmPlan.remembers`), remembers; None unless a later step goes on with it.
        moments: see `second_moments`; None unless the next merge needs them. For `gather` the sums of them.
        mean: what all sites' models come to, for the site's children in the tree; None but for `merge_all`.
        alone: what the site trained alone in this step; None unless it does.
    """

    params: Params | None = None
    metrics: Metrics | None = None
    matches: tuple[NeighbourMatch, ...] = ()
    rejected: Mapping[int, str] = field(default_factory=dict)
    train_loss: float | None = None
    num_epochs: int | None = None
    momentum: Params | None = None
    moments: Params | None = None
    mean: Params | None = None
    alone: Alone | None = None


def moments_of(context: StepContext, rows: SiteRows, params: Params, wanted: Moments | None) -> Params | None:
    """The second moments that are wanted of the site's model, if any."""
    if wanted is None:
        return None
    return second_moments.made(wanted, context.model, rows, params, context.device)


def finite(context: StepContext, params: Params) -> Params:
    """`params` again. Raises: NonFiniteParams."""
    if name := first_non_finite(params):
        raise NonFiniteParams(site=context.site_name, tensor=name)
    return params


def stop_if_asked(context: StepContext) -> None:
    """Raises: Cancelled."""
    if context.should_stop():
        raise Cancelled


def has_all_site(context: StepContext) -> bool:
    """Whether accuracy on all sites' rows is measured."""
    return context.evaluation.all_site == "shared_set"
