"""How two plans of an arm differ, setting by setting: values, and the same as words for charts. Pure."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from backend.runs.schemas import LimitedSite, SettingChange
from backend.text.catalogue import find, say
from dimat.methods import CONTROL_METHOD
from dimat.plan import ArmPlan
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


def fields_changed(old: ArmPlan, now: ArmPlan) -> list[str]:
    """Dotted places of what differs. Of an arm that does not merge, or does no more, only how it trains, and where."""
    merges = now.method != CONTROL_METHOD
    before, after = dict(_leaves(_counting(old, merges))), dict(_leaves(_counting(now, merges)))
    return [field for field in {**before, **after} if before.get(field) != after.get(field)]


def changed_settings(
    spec: PilotSpec, old: ArmPlan, now: ArmPlan, fields: Collection[str], without: ArmPlan
) -> list[SettingChange]:
    """`fields` from `old` to `now`; what stays as it is says what it would be `without`."""
    values = [dict(_leaves(_counting(plan, True))) for plan in (old, now, without)]
    shown: dict[Scalar, Scalar] = {site.name: site.display_name or site.name for site in spec.sites}
    settings = []
    for field in fields:
        before, after, otherwise = (_scalar(known.get(field)) for known in values)
        if field == "topology.hub":
            before, after, otherwise = (shown.get(name, name) for name in (before, after, otherwise))
        if field != "members":
            stays = values[0].get(field) == values[1].get(field)
            settings.append(
                SettingChange(
                    field=field,
                    old=before,
                    new=after,
                    stays=stays,
                    otherwise=otherwise if stays else None,
                    limited=_limited(spec, now) if field == "train.epochs" else [],
                )
            )
    return [*(_who(spec, old, now) if "members" in fields else ()), *settings]


def single_values(plan: ArmPlan) -> dict[str, Scalar]:
    """By its dotted place what a setting of the plan is, where it is a single value."""
    return {
        field: value
        for field, value in _leaves(_counting(plan, True))
        if field != "members" and not isinstance(value, list | tuple)
    }


def words(lang: str, change: SettingChange) -> str:
    """`Merge every: 1 → 5`; only what it is about where the values are no single ones."""
    name = say(lang, f"amendments.fields.{change.field}")
    if change.old is None and change.new is None:
        return name
    if change.field.startswith("members."):
        return say(lang, "amendments.set", {"name": name, "value": str(change.new)})
    values = {
        name: _value(lang, change.field, value)
        for name, value in (("old", change.old), ("new", change.new), ("otherwise", change.otherwise))
    }
    if change.stays:
        return say(lang, "amendments.stays", {"name": name, **values})
    return say(lang, "amendments.change", {"name": name, **values})


def _limited(spec: PilotSpec, now: ArmPlan) -> list[LimitedSite]:
    """Who trains fewer epochs than the plan asks for, of those that take part."""
    trained = ((site, site.trains(now.train).epochs) for site in spec.sites if site.name in now.members)
    return [
        LimitedSite(site=site.name, display_name=site.display_name or site.name, epochs=epochs)
        for site, epochs in trained
        if epochs < now.train.epochs
    ]


def _who(spec: PilotSpec, old: ArmPlan, now: ArmPlan) -> list[SettingChange]:
    joining = _moved(spec, "join", now.members, old.members)
    moved = [*joining, *_moved(spec, "leave", old.members, now.members)]
    return moved or [
        SettingChange(field="members.stay", old=None, new=None, stays=True, otherwise=None, limited=[])
    ]


def _moved(
    spec: PilotSpec, how: str, there: Collection[str], not_there: Collection[str]
) -> Iterator[SettingChange]:
    """Who joins or leaves, as people call them: of many sites those that stay say nothing."""
    moving = set(there) - set(not_there)
    shown = [site.display_name or site.name for site in spec.sites if site.name in moving]
    if shown:
        yield SettingChange(
            field=f"members.{how}", old=None, new=", ".join(shown), stays=False, otherwise=None, limited=[]
        )


def _counting(plan: ArmPlan, merges: bool) -> Mapping[str, Any]:
    found = plan.model_dump(mode="json", include=None if merges else {"method", "train", "members"})
    if merges:
        found["merge"]["wire"]["deltas"] = plan.merge.wire.deltas  # which is left out where it is off
    return found


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
