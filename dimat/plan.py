"""How an arm runs in a round: the pilot's settings, the arm's own, and the amendments in force. Pure."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dimat.errors import MembersOfOneArm
from dimat.frozen import PLAIN, Frozen, Name, Whole
from dimat.members import in_order
from dimat.methods import ALIGNED_METHODS, CONTROL_METHOD, SUMMED_METHODS, WARM_METHODS, Method, Over
from dimat.parts import MergePatch, MergeSpec, TrainPatch, TrainSpec
from dimat.spec import PilotSpec
from dimat.topology_spec import TopologySpec
from dimat.validation import as_pydantic, at_most


class Patch(Frozen):
    """A change to how an arm runs; what is None stays as it is."""

    method: Method | None = None
    topology: TopologySpec | None = None
    train: TrainPatch | None = None
    merge: MergePatch | None = None
    members: Annotated[tuple[Name, ...], at_most(1_000)] | None = Field(None, min_length=2, max_length=1_000)
    """Exactly who takes part; for the whole pilot, control arm included."""


class ArmPlan(Frozen):
    """How one arm runs in one round, all overrides and amendments applied."""

    method: Method
    topology: TopologySpec
    train: TrainSpec
    merge: MergeSpec
    members: tuple[str, ...]
    """Names of the sites that take part, in the order of the spec."""

    def merges_in(self, round: int) -> bool:
        """Whether models are merged in `round` (>= 1)."""
        return self.method != CONTROL_METHOD and round % self.merge.merge_every == 0

    @property
    def in_common_basis(self) -> bool:
        """Whether a merge takes units with one index to mean the same at all sites, after they were brought into one order."""
        return self.method in ALIGNED_METHODS and self.merge.align

    @property
    def trains_alone(self) -> bool:
        """Whether sites train a model alone beside the one they share in; where none is shared, they have that already."""
        return self.train.own_model and self.method != CONTROL_METHOD

    @property
    def over(self) -> Over:
        """Whose models a merge takes in."""
        if self.method == "federated_average":
            return "star"
        return self.merge.over if self.method in SUMMED_METHODS else "neighbours"

    @property
    def remembers(self) -> Literal["slow_momentum", "permutations"] | None:
        """What a merge leaves at its site for the next one."""
        if self.method == "slowmo":
            return "slow_momentum"
        return "permutations" if self.merge.warm_start and self.method in WARM_METHODS else None


class RunKey(Frozen):
    """Which run of a pilot: that of an arm with a seed."""

    arm: Name
    seed: Whole


class Amendment(Frozen):
    """A change to a launched pilot from a round on; `arm` None means every arm. `left_out`: of a pilot that ran, the runs for which it
    came too late."""

    arm: Name | None = None
    from_round: Whole = Field(ge=1)
    patch: Patch
    by: str = Field(min_length=1, max_length=200, pattern=PLAIN)
    why: str = Field(min_length=1, max_length=2000, pattern=PLAIN)
    left_out: tuple[RunKey, ...] = ()

    @model_validator(mode="after")
    def _members_are_of_the_pilot(self) -> Self:
        check_members(self.arm, self.patch)
        return self


def check_members(arm: str | None, patch: Patch) -> None:
    """Within a validator. Who takes part is of all arms, or they could not be compared. Raises: PydanticCustomError (members_of_one_arm)."""
    if arm is not None and patch.members is not None:
        raise as_pydantic(MembersOfOneArm(arm=arm), "patch.members")


def amendments_of_run(amendments: Iterable[Amendment], arm: str, seed: int) -> tuple[Amendment, ...]:
    """Those that did not come too late for the run of `arm` with `seed`, in the order given; whether they are of its arm its plans ask."""
    run = RunKey(arm=arm, seed=seed)
    return tuple(one for one in amendments if run not in one.left_out)


def effective_spec(spec: PilotSpec, arm: str, amendments: Sequence[Amendment], round: int) -> ArmPlan:
    """How `arm` runs in `round`: the pilot's settings, then the arm's overrides, then the amendments
    with `from_round` <= `round`, in the order given. Without epochs in a last round that is to end with its merge, and in the last
    two where the second of them is for the head.
    A method for every arm is none for the control arm: it would be one no longer, and nothing could be compared.

    Raises:
        KeyError: no such arm. ValidationError: what was set excludes itself. UnknownMember, TooFewMembers.
    """
    plan = amended_plan(spec, arm, amendments, round)
    if plan.merge.ridge_head and plan.method != CONTROL_METHOD and round >= spec.rounds - 1:
        return _closing(plan, is_last=round == spec.rounds)
    if plan.merge.final_merge and round == spec.rounds and plan.merges_in(round):
        plan = _patched(plan, Patch(train=TrainPatch(epochs=0)))
    return plan


def amended_plan(spec: PilotSpec, arm: str, amendments: Sequence[Amendment], round: int) -> ArmPlan:
    """As `effective_spec`, before what the end of a run makes of its last rounds.

    Raises:
        KeyError: no such arm. ValidationError: what was set excludes itself. UnknownMember, TooFewMembers.
    """
    plan = launched_plan(spec, arm)
    for amendment in amendments:
        if amendment.from_round <= round:
            plan = with_amendment(spec, arm, plan, amendment)
    return plan


def launched_plan(spec: PilotSpec, arm: str) -> ArmPlan:
    """How `arm` runs where nothing was amended. Raises: as `amended_plan`."""
    own = spec.arm(arm)
    plan = ArmPlan(
        method=own.method,
        topology=spec.topology,
        train=spec.train,
        merge=spec.merge,
        members=spec.first_members,
    )
    return _patched(plan, Patch(topology=own.topology, train=own.train, merge=own.merge))


def with_amendment(spec: PilotSpec, arm: str, plan: ArmPlan, amendment: Amendment) -> ArmPlan:
    """`plan` of `arm` under one amendment more. Raises: as `amended_plan`."""
    if amendment.arm not in (None, arm):
        return plan
    patch = amendment.patch
    if patch.members is not None:
        patch = patch.model_copy(update={"members": in_order(spec.site_names, patch.members)})
    if amendment.arm is None and spec.arm(arm).method == CONTROL_METHOD:
        patch = patch.model_copy(update={"method": None})
    return _patched(plan, patch)


def _closing(plan: ArmPlan, is_last: bool) -> ArmPlan:
    """The last two rounds of an arm that ends with its head: a merge of the models, then one of the head. Neither trains."""
    # Where a server sums up models, the head goes the same way to all sites, each of which counts the same.
    over = "tree" if plan.over == "star" and is_last else None
    # Models that were averaged as they stand are in one order by now, if in any.
    align = False if plan.method in SUMMED_METHODS - ALIGNED_METHODS and is_last else None
    merge = MergePatch(merge_every=1, over=over, align=align)
    plan = _patched(plan, Patch(train=TrainPatch(epochs=0), merge=merge))
    return _patched(plan, Patch(method="ridge_head")) if is_last else plan


def _patched(plan: ArmPlan, patch: Patch) -> ArmPlan:
    """`plan` with what `patch` sets, validated anew."""
    changes = patch.model_dump(exclude_none=True)
    merged = plan.model_dump()
    for key, value in changes.items():
        # A topology is replaced whole: half of one and half of another means nothing.
        merged[key] = {**merged[key], **value} if key in ("train", "merge") else value
    return ArmPlan.model_validate(merged)
