"""What a step is told beside its inputs: how what it makes travels, and what its site left for it in earlier steps.

Pure functions over a `Schedule`. Whatever a message takes from its schedule is in `all_of`.
"""

from collections.abc import Callable
from typing import Any

from dimat.methods import MOMENTS_OF, Moments
from dimat.parts import Loss, WireSpec
from dimat.schedule import Schedule, StepKey

PLAIN = WireSpec()


def all_of(schedule: Schedule, step: StepKey) -> tuple[Any, ...]:
    """Everything that the message of `step` takes from its schedule."""
    about = (
        schedule.inputs(step), wire_of(schedule, step), residual_of(schedule, step), tells(schedule, step),
        momentum_of(schedule, step), last_loss(schedule, step), alone_of(schedule, step), sent_before(schedule, step),
        keeps_what_it_fetches(schedule, step),
    )  # fmt: skip
    if step.kind in ("prepare", "evaluate"):
        return about
    plan = schedule.plan_of(max(step.round, 1))
    if step.kind == "align":
        return (*about, plan.merge)
    if step.kind == "merge" and schedule.tree_of(step.round) is None:
        return (*about, plan, schedule.weights(step).tolist())
    return (*about, plan)


def wire_of(schedule: Schedule, step: StepKey) -> WireSpec:
    """How what `step` makes travels to those who read it: in the numbers of the merge that comes, for `align` before round 0 in
    those of the first round."""
    if step.kind in ("gather", "merge"):
        over_all = schedule.tree_of(step.round) is not None
        return schedule.plan_of(step.round).merge.wire if over_all else PLAIN
    if (merging := _merge_that_reads(schedule, step)) is not None:
        return schedule.plan_of(merging).merge.wire
    # Also where whoever would have read it has fallen silent: it was sent as it was.
    is_read = (
        step.kind == "align"
        and schedule.aligns_before(step.round)
        and schedule.planned_tree_of(step.round).children[step.site]
    )
    return schedule.plan_of(max(step.round, 1)).merge.wire if is_read else PLAIN


def residual_of(schedule: Schedule, step: StepKey) -> StepKey | None:
    """The step that left over what `step` adds to what it sends: the last one before it that sent in `int8`. None is older than
    the last alignment: what was left over before it belongs to units that stand elsewhere now."""
    if step.kind != "train" or wire_of(schedule, step).numbers != "int8":
        return None
    begun = _first_round(schedule, step.round, lambda wire: wire.numbers == "int8")
    for round in range(step.round, begun - 1, -1):
        earlier = schedule.model_before(round, step.site)
        if wire_of(schedule, earlier).numbers == "int8":
            return earlier
        if earlier.kind in ("align", "adopt") or schedule.joins(step.site, round):
            break
    return None


def sent_before(schedule: Schedule, step: StepKey) -> StepKey | None:
    """The step whose model, as it travelled, `step` sends the difference to: the one with which the site was last read in a merge over
    neighbours that knows of differences (`WireSpec.deltas`), if that was in the same numbers. None: it sends the whole alone."""
    wire = wire_of(schedule, step)
    if not wire.deltas or _merge_that_reads(schedule, step) is None:
        return None
    begun = _first_round(schedule, step.round, lambda wire: wire.deltas)
    for round in range(step.round, begun - 1, -1):
        if step.site not in schedule.members_of(round):
            continue
        earlier = schedule.model_before(round, step.site)
        is_another = earlier != step and earlier not in schedule.undone
        if (
            is_another
            and _merge_that_reads(schedule, earlier) is not None
            and wire_of(schedule, earlier).deltas
        ):
            return earlier if wire_of(schedule, earlier) == wire else None
    return None


def _first_round(schedule: Schedule, last: int, is_so: Callable[[WireSpec], bool]) -> int:
    """The first round up to `last` for whose merge models travel so, behind `last` if there is none: nothing was sent so before. After an
    amendment late in a long run it is late, too."""
    return next((round for round in range(1, last + 1) if is_so(schedule.wires[round - 1])), last + 1)


def keeps_what_it_fetches(schedule: Schedule, step: StepKey) -> bool:
    """Whether the site keeps the models that `step` fetches, since the next ones may come as differences to them."""
    if step.kind != "merge" or schedule.tree_of(step.round) is not None:
        return False
    return schedule.plan_of(step.round).merge.wire.deltas


def tells(schedule: Schedule, step: StepKey) -> Moments | None:
    """Which second moments neighbours need beside the model that `step` makes, as the merge that comes goes by them. Where all
    sites are added up, each makes its own when it is its turn."""
    merging = _merge_that_reads(schedule, step)
    return None if merging is None else MOMENTS_OF.get(schedule.plan_of(merging).method)


def _merge_that_reads(schedule: Schedule, step: StepKey) -> int | None:
    """The round whose merge over neighbours takes in the model that `step` makes; None if none does."""
    is_first = step.kind in ("align", "adopt") and step.round > 0
    begun = step.round if is_first else step.round + 1
    if begun > schedule.rounds or step.site not in schedule.members_of(begun):
        return None
    if step != schedule.model_before(begun, step.site):
        return None
    return begun if schedule.merges_in(begun) and schedule.tree_of(begun) is None else None


def last_loss(schedule: Schedule, step: StepKey) -> Loss:
    """The loss with which the model was trained that `step` makes or judges. The start state's is the pilot's, since
    all arms share it. A head in closed form that nobody trains on is blind to a site's class mix, as `balanced_softmax` makes it."""
    plan = schedule.plan_of(max(step.round, 1))
    is_as_merged = step.kind == "merge" or (step.kind == "train" and plan.train.epochs == 0)
    is_head = plan.method == "ridge_head" and plan.merges_in(step.round)
    if is_as_merged and is_head and schedule.start_loss != "mse":
        return "balanced_softmax"
    trained = step.round if step.kind == "train" else step.round - 1
    return schedule.plan_of(trained).train.loss if trained >= 1 else schedule.start_loss


def momentum_of(schedule: Schedule, step: StepKey) -> StepKey | None:
    """The step whose momentum goes on in `step`: that of the optimiser in a train step, and before it in an align step, which
    reorders it with the model; in a merge what the last one remembers (`ArmPlan.remembers`). None: it starts afresh."""
    if step.kind == "merge":
        return _remembered_in(schedule, step)
    if step.kind not in ("align", "train") or step.round < 2:
        return None
    if not schedule.plan_of(step.round).train.keep_momentum or schedule.joins(step.site, step.round):
        return None
    if step.kind == "train" and schedule.aligns_before(step.round):
        return StepKey(step.round, "align", step.site)
    return StepKey(step.round - 1, "train", step.site)


def alone_of(schedule: Schedule, step: StepKey) -> StepKey | None:
    """The step whose model the site trains on alone in the train step `step`: the one it trained alone there, otherwise the one
    it began that round with. None where it trains none alone."""
    if step.kind != "train" or not schedule.plan_of(step.round).trains_alone:
        return None
    return schedule.model_found(step.round, step.site)


def read_by(schedule: Schedule, step: StepKey) -> tuple[StepKey, ...]:
    """All steps of whose artifacts `step` reads something: its inputs, and what its site left for itself, in whatever round."""
    left = (
        momentum_of(schedule, step),
        residual_of(schedule, step),
        alone_of(schedule, step),
        sent_before(schedule, step),
    )
    return (*schedule.inputs(step), *(before for before in left if before is not None))


def _remembered_in(schedule: Schedule, step: StepKey) -> StepKey | None:
    kind = schedule.plan_of(step.round).remembers
    # After an alignment it starts afresh: how far strangers are apart is no movement.
    if kind is None or schedule.aligns_before(step.round):
        return None
    for before in range(step.round - 1, 0, -1):
        if schedule.joins(step.site, before + 1):
            return None
        if schedule.merges_in(before):
            goes_on = schedule.plan_of(before).remembers == kind
            return StepKey(before, "merge", step.site) if goes_on else None
    return None
