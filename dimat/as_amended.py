"""A pilot as it ran at last: the spec of one that is launched where the amendments of another have led. Pure."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from dimat.frozen import Frozen
from dimat.methods import CONTROL_METHOD
from dimat.parts import MergePatch, TrainPatch
from dimat.plan import Amendment, amended_plan
from dimat.spec import ArmSpec, PilotSpec

Settings = TypeVar("Settings", bound=Frozen)
Patch = TypeVar("Patch", bound=Frozen)


def as_amended(spec: PilotSpec, amendments: Sequence[Amendment]) -> PilotSpec:
    """What was amended for every arm becomes the pilot's, the rest the arms' own. Who takes part stays as it is in `spec`; an arm that
    has the name of its method gets that of the method by which it merges now. Whether so many sites and rounds allow it is not asked.

    Raises: as `amended_plan`.
    """
    of_all = [one.patch for one in amendments if one.arm is None]
    topologies = [patch.topology for patch in of_all if patch.topology is not None]
    base = spec.model_copy(
        update={
            "topology": topologies[-1] if topologies else spec.topology,
            "train": _patched(spec.train, (patch.train for patch in of_all)),
            "merge": _patched(spec.merge, (patch.merge for patch in of_all)),
        }
    )
    arms: list[ArmSpec] = []
    for launched in spec.arms:
        taken = {arm.name for arm in (*spec.arms, *arms)}
        arms.append(_arm(spec, base, launched, amendments, taken))
    return base.model_copy(update={"arms": tuple(arms)})


def _arm(
    spec: PilotSpec, base: PilotSpec, launched: ArmSpec, amendments: Sequence[Amendment], taken: set[str]
) -> ArmSpec:
    plan = amended_plan(spec, launched.name, amendments, spec.rounds)
    is_named_so = launched.name == launched.method and plan.method not in taken
    arm = ArmSpec(
        name=plan.method if is_named_so else launched.name,
        method=plan.method,
        train=_difference(TrainPatch, base.train, plan.train),
    )
    if plan.method == CONTROL_METHOD:
        return arm
    own = None if plan.topology == base.topology else plan.topology
    return arm.model_copy(update={"topology": own, "merge": _difference(MergePatch, base.merge, plan.merge)})


def _patched(settings: Settings, patches: Iterable[Frozen | None]) -> Settings:
    values = settings.model_dump()
    for patch in patches:
        values |= patch.model_dump(exclude_none=True) if patch is not None else {}
    return type(settings).model_validate(values)


def _difference(of: type[Patch], base: Frozen, other: Frozen) -> Patch | None:
    names = [name for name in of.model_fields if getattr(base, name) != getattr(other, name)]
    return of(**{name: getattr(other, name) for name in names}) if names else None
