"""A pilot as it ran at last: the spec of one that is launched where the amendments of another have led. Pure."""

import re
from collections.abc import Collection, Iterable, Sequence
from itertools import count
from typing import TypeVar

from dimat.frozen import Frozen
from dimat.members import among
from dimat.methods import CONTROL_METHOD
from dimat.parts import MergePatch, MergeSpec, TrainPatch, WireSpec
from dimat.plan import Amendment, ArmPlan, amended_plan
from dimat.spec import ArmSpec, PilotSpec
from dimat.topology_spec import TopologySpec

Settings = TypeVar("Settings", bound=Frozen)
Patch = TypeVar("Patch", bound=Frozen)


def as_amended(spec: PilotSpec, amendments: Sequence[Amendment]) -> PilotSpec:
    """What was amended for every arm becomes the pilot's, the rest the arms' own. Its sites are those that take part at last; an arm that
    has the name of its method gets that of the method by which it merges now, with a number where that is taken; one that was turned to
    train alone comes last, or it might be taken for the control arm. What an amendment may ask for and a launch may not, as it would have
    no effect, is left out. Whether a graph goes with the sites that take part is not asked.

    Raises: as `amended_plan`.
    """
    plans = [amended_plan(spec, arm.name, amendments, spec.rounds) for arm in spec.arms]
    of_all = [one.patch for one in amendments if one.arm is None]
    topologies = [patch.topology for patch in of_all if patch.topology is not None]
    base = spec.model_copy(
        update={
            "topology": topologies[-1] if topologies else spec.topology,
            "train": _patched(spec.train, (patch.train for patch in of_all)),
            "merge": _in_time(_patched(spec.merge, (patch.merge for patch in of_all)), spec.rounds),
        }
    )
    if base.merge.wire.deltas and not any(_sends_differences(plan, base.merge) for plan in plans):
        whole = base.merge.model_copy(update={"wire": _without_deltas(base.merge.wire)})
        base = base.model_copy(update={"merge": whole})
    names = _names(spec.arms, [plan.method for plan in plans])
    arms = [_arm(base, name, plan) for name, plan in zip(names, plans, strict=True)]
    turned = [
        arm.method == CONTROL_METHOD != launched.method for launched, arm in zip(spec.arms, arms, strict=True)
    ]
    order = sorted(range(len(arms)), key=lambda place: turned[place])
    after = base.model_copy(update={"arms": tuple(arms[place] for place in order)})
    return _among(after, plans[0].members)


def _names(arms: Sequence[ArmSpec], methods: Sequence[str]) -> list[str]:
    """Of the arms, which now merge by these `methods`."""
    renamed = {
        arm.name
        for arm, method in zip(arms, methods, strict=True)
        if method not in (arm.method, CONTROL_METHOD) and re.fullmatch(rf"{arm.method}(-\d+)?", arm.name)
    }
    taken = {arm.name for arm in arms} - renamed
    names: list[str] = []
    for arm, method in zip(arms, methods, strict=True):
        names.append(_free(method, (*taken, *names)) if arm.name in renamed else arm.name)
    return names


def _free(name: str, taken: Collection[str]) -> str:
    numbered = (f"{name}-{number}" for number in count(2))
    return name if name not in taken else next(one for one in numbered if one not in taken)


def _among(spec: PilotSpec, members: Sequence[str]) -> PilotSpec:
    """Of these sites alone."""
    chosen = set(members)

    def here(topology: TopologySpec | None) -> TopologySpec | None:
        if topology is None:
            return None
        # Its hub may be gone: that of a graph by which no arm is linked any more.
        if topology.hub is not None and topology.hub not in chosen:
            topology = topology.model_copy(update={"hub": None})
        return among(topology, spec.site_names, members)

    arms = tuple(arm.model_copy(update={"topology": here(arm.topology)}) for arm in spec.arms)
    sites = tuple(site for site in spec.sites if site.name in chosen)
    return spec.model_copy(
        update={"sites": sites, "waiting": (), "arms": arms, "topology": here(spec.topology)}
    )


def _arm(base: PilotSpec, name: str, plan: ArmPlan) -> ArmSpec:
    arm = ArmSpec(
        name=name,
        method=plan.method,
        train=_difference(TrainPatch, base.train, plan.train),
    )
    if plan.method == CONTROL_METHOD:
        return arm
    merge = _in_time(plan.merge, base.rounds).model_copy(update={"wire": _wire(plan, base.merge.wire)})
    own = None if plan.topology == base.topology else plan.topology
    return arm.model_copy(update={"topology": own, "merge": _difference(MergePatch, base.merge, merge)})


def _sends_differences(plan: ArmPlan, base: MergeSpec) -> bool:
    """Whether it is an arm of which the pilot's `wire` asks for differences, and that can send them."""
    return plan.method != CONTROL_METHOD and plan.over == "neighbours" and plan.merge.wire == base.wire


def _wire(plan: ArmPlan, base: WireSpec) -> WireSpec:
    """As the plan has it, but that whoever takes in all sites asks for no differences itself."""
    whole = _without_deltas(plan.merge.wire)
    if plan.over == "neighbours":
        return plan.merge.wire
    return base if whole == _without_deltas(base) else whole


def _without_deltas(wire: WireSpec) -> WireSpec:
    return wire.model_copy(update={"deltas": False})


def _in_time(merge: MergeSpec, rounds: int) -> MergeSpec:
    """With a merge in the last round at the latest: an amendment may put the next one off beyond it."""
    return merge.model_copy(update={"merge_every": min(merge.merge_every, rounds)})


def _patched(settings: Settings, patches: Iterable[Frozen | None]) -> Settings:
    values = settings.model_dump()
    for patch in patches:
        values |= patch.model_dump(exclude_none=True) if patch is not None else {}
    return type(settings).model_validate(values)


def _difference(of: type[Patch], base: Frozen, other: Frozen) -> Patch | None:
    names = [name for name in of.model_fields if getattr(base, name) != getattr(other, name)]
    return of(**{name: getattr(other, name) for name in names}) if names else None
