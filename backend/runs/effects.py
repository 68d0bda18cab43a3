"""What each amendment really changes once all of them are in their order: by arm and round, and which other one overrules it. Pure.

Amendments apply in the order in which they were made, whatever rounds they begin in. So one that is made later and begins sooner
leaves an earlier one nothing to change, and may itself do nothing but keep a setting as it is when the earlier one begins. What a
row, a chart or a marker says of one is read here from the plans that the runs follow, never from what was asked for.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial

from pydantic import ValidationError

from backend.pilots.amendments import InForce
from backend.runs.schemas import ArmChanges, Overruled, SettingChange
from backend.runs.settings_changed import changed_settings, fields_changed
from dimat.amending import concerns
from dimat.plan import Amendment, ArmPlan, amended_plan
from dimat.spec import PilotSpec

DecidersAt = Callable[[int], Mapping[str, InForce]]
"""See `_deciders`; of a round they are worked out once."""


@dataclass(frozen=True, slots=True)
class Effect:
    """Of one amendment. `changes`: in the order of rounds, then of arms; arms in which the same changes stand together."""

    changes: list[ArmChanges] = field(default_factory=list)
    overruled: list[Overruled] = field(default_factory=list)


def of_all(
    spec: PilotSpec, known: Sequence[InForce], runs: Sequence[tuple[str, str]] = ()
) -> dict[str, Effect]:
    """By id of the amendment.

    Args:
        known: all that count, in the order in which they apply.
        runs: id and arm of those that are looked at; an amendment that came too late for all of an arm's is none of that arm.
    """
    found = {one.id: Effect() for one in known}
    amendments = [one.amendment for one in known]
    for arm in spec.arms:
        ids = {id for id, of in runs if of == arm.name}
        mine = [
            one
            for place, one in enumerate(known)
            if concerns(spec, arm.name, one.amendment, amendments[:place])
            and not (ids and ids <= one.left_out)
        ]
        deciders = cache(partial(_deciders, spec, arm.name, mine))
        for place, one in enumerate(mine):
            effect = found[one.id]
            for round, settings in _changes(spec, arm.name, mine, place, deciders):
                _add_change(effect.changes, arm.name, round, settings)
            for overruled in _overruled(spec, arm.name, mine, place, deciders):
                _add_overruled(effect.overruled, overruled)
    for effect in found.values():
        effect.changes.sort(key=lambda change: change.round)
    return found


def alone(spec: PilotSpec, before: Sequence[Amendment], new: Amendment) -> list[ArmChanges]:
    """What `new` would change after those made `before`: of one that does not count."""
    known = [InForce(str(place), one, frozenset()) for place, one in enumerate([*before, new])]
    try:
        return of_all(spec, known)[known[-1].id].changes
    except ValidationError:  # that is why it was refused
        return []


def _changes(
    spec: PilotSpec, arm: str, mine: Sequence[InForce], place: int, deciders: DecidersAt
) -> Iterator[tuple[int, list[SettingChange]]]:
    """By round: what turns in the first, and what stays as it is in rounds in which one that was made before would change it."""
    amendments = [one.amendment for one in mine]
    first = amendments[place].from_round
    later = {one.from_round for one in amendments[:place] if one.from_round > first}
    for round in (first, *sorted(later)):
        old, now = (amended_plan(spec, arm, amendments, at) for at in (round - 1, round))
        before, without = (_without(spec, arm, amendments, place, at) for at in (round - 1, round))
        turned, would_turn = fields_changed(old, now), fields_changed(before, without)
        stays = [name for name in fields_changed(without, now) if name in would_turn and name not in turned]
        fields = [name for name in (*turned, *stays) if deciders(round).get(name) is mine[place]]
        settings = changed_settings(spec, old, now, fields, without)
        if settings:
            yield round, settings


def _without(spec: PilotSpec, arm: str, amendments: Sequence[Amendment], place: int, round: int) -> ArmPlan:
    """How the arm would run in `round` if there were no such amendment."""
    try:
        return amended_plan(spec, arm, [*amendments[:place], *amendments[place + 1 :]], round)
    except ValidationError:  # one that was made later can only be because of it
        return amended_plan(spec, arm, amendments[:place], round)


def _overruled(
    spec: PilotSpec, arm: str, mine: Sequence[InForce], place: int, deciders: DecidersAt
) -> Iterator[Overruled]:
    """By whom what the amendment would change in its first round is decided instead."""
    amendments = [one.amendment for one in mine]
    round = amendments[place].from_round
    before, meant = (amended_plan(spec, arm, amendments[:end], round) for end in (place, place + 1))
    lost = set(fields_changed(meant, amended_plan(spec, arm, amendments, round)))
    by: dict[str, list[str]] = {}
    for name in fields_changed(before, meant):
        if name in lost and (decider := deciders(round).get(name)) is not None:
            by.setdefault(decider.id, []).append(name)
    for other in mine:
        if other.id in by:
            yield Overruled(
                arms=[arm],
                fields=by[other.id],
                amendment_id=other.id,
                from_round=other.amendment.from_round,
                by=other.amendment.by,
            )


def _deciders(spec: PilotSpec, arm: str, mine: Sequence[InForce], round: int) -> dict[str, InForce]:
    """By field whose value counts in `round`: that of the last made that set another one than was set before it. Whoever asks for what
    is set already decides nothing: it stays the change of who asked first."""
    begun = [one for one in mine if one.amendment.from_round <= round]
    amendments = [one.amendment for one in begun]
    found: dict[str, InForce] = {}
    plan = amended_plan(spec, arm, (), round)
    for end, one in enumerate(begun, start=1):
        before, plan = plan, amended_plan(spec, arm, amendments[:end], round)
        found |= dict.fromkeys(fields_changed(before, plan), one)
    return found


def _add_change(changes: list[ArmChanges], arm: str, round: int, settings: list[SettingChange]) -> None:
    same = next((one for one in changes if (one.round, one.settings) == (round, settings)), None)
    if same is None:
        changes.append(ArmChanges(round=round, arms=[arm], settings=settings))
    else:
        same.arms.append(arm)


def _add_overruled(known: list[Overruled], new: Overruled) -> None:
    same = next(
        (one for one in known if (one.amendment_id, one.fields) == (new.amendment_id, new.fields)), None
    )
    if same is None:
        known.append(new)
    else:
        same.arms.extend(new.arms)
