"""What an amendment changes, setting by setting: values, and the same as words for charts. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from backend.runs.schemas import ArmChanges, SettingChange
from backend.text.catalogue import find, say
from dimat.amending import concerns
from dimat.methods import CONTROL_METHOD
from dimat.plan import Amendment, ArmPlan, amended_plan
from dimat.spec import PilotSpec

Scalar = str | int | float | bool | None
# Where a value is a code, the section of the catalogue in which it has a name; pages/pilots/settingWords.ts does the same.
_NAMED = {
    "method": "methods.",
    "topology.kind": "ui.topology.kind_",
    "topology.mixing": "ui.topology.mixing_",
    "train.loss": "ui.new.loss_",
    "train.class_weights": "ui.new.class_weights_",
    "merge.wire.numbers": "ui.new.numbers_",
    "merge.over": "amendments.values.",
}


def by_arm(spec: PilotSpec, before: Sequence[Amendment], new: Amendment) -> list[ArmChanges]:
    """What `new` changes in its first round; arms in which it changes the same stand together, in the order of the spec.

    Args:
        before: the amendments made before it.
    """
    found: list[tuple[list[SettingChange], list[str]]] = []
    for arm in spec.arms:
        if not concerns(spec, arm.name, new):
            continue
        old, now = (amended_plan(spec, arm.name, known, new.from_round) for known in (before, [*before, new]))
        changed = _changed(spec, old, now)
        same = next((arms for known, arms in found if known == changed), None)
        if same is not None:
            same.append(arm.name)
        elif changed:
            found.append((changed, [arm.name]))
    return [ArmChanges(arms=arms, settings=settings) for settings, arms in found]


def words(lang: str, change: SettingChange) -> str:
    """`Merge every: 1 → 5`; only what it is about where the values are no single ones."""
    name = say(lang, f"amendments.fields.{change.field}")
    if change.old is None and change.new is None:
        return name
    if change.field.startswith("members."):
        return say(lang, "amendments.who", {"name": name, "sites": str(change.new)})
    values = {"old": _value(lang, change.field, change.old), "new": _value(lang, change.field, change.new)}
    return say(lang, "amendments.change", {"name": name, **values})


def _changed(spec: PilotSpec, old: ArmPlan, now: ArmPlan) -> list[SettingChange]:
    before, after = dict(_leaves(_counting(old))), dict(_leaves(_counting(now)))
    fields = [field for field in {**before, **after} if before.get(field) != after.get(field)]
    settings = [
        SettingChange(field=field, old=_scalar(before.get(field)), new=_scalar(after.get(field)))
        for field in fields
        if field != "members"
    ]
    joining = _moved(spec, "join", now.members, old.members)
    return [*joining, *_moved(spec, "leave", old.members, now.members), *settings]


def _moved(
    spec: PilotSpec, how: str, there: Collection[str], not_there: Collection[str]
) -> Iterator[SettingChange]:
    """Who joins or leaves, as people call them: of many sites those that stay say nothing."""
    moving = set(there) - set(not_there)
    shown = [site.display_name or site.name for site in spec.sites if site.name in moving]
    if shown:
        yield SettingChange(field=f"members.{how}", old=None, new=", ".join(shown))


def _counting(plan: ArmPlan) -> Mapping[str, Any]:
    """Of an arm that does not merge only how it trains, and where."""
    return plan.model_dump(
        mode="json", include={"method", "train", "members"} if plan.method == CONTROL_METHOD else None
    )


def _leaves(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{name}.")
        else:
            yield above + name, value


def _scalar(value: Any) -> Scalar:
    return None if isinstance(value, list | tuple) else value


def _value(lang: str, field: str, value: Scalar) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return say(lang, "ui.yes" if value else "ui.no")
    if isinstance(value, str):
        return find(lang, f"{_NAMED.get(field, '-')}{value}") or value
    return f"{value:g}"
