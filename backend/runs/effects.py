"""What each amendment really changes once all of them are in their order: by arm and round, and which other one overrules it. Pure.

Amendments apply in the order in which they were made, whatever rounds they begin in. So one that is made later and begins sooner
leaves an earlier one nothing to change, and may itself do nothing but keep a setting as it is when the earlier one begins. What a
row, a chart or a marker says of one is read here from the plans that the runs follow, never from what was asked for.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from backend.pilots.amendments import InForce
from backend.runs.amended import Amended
from backend.runs.schemas import ArmChanges, Overruled, SettingChange
from backend.runs.settings_changed import changed_settings, fields_changed
from dimat.amending import concerns
from dimat.spec import PilotSpec


@dataclass(frozen=True, slots=True)
class Effect:
    """Of one amendment. `changes`: in the order of rounds, then of arms; arms in which the same changes stand together."""

    changes: list[ArmChanges] = field(default_factory=list)
    overruled: list[Overruled] = field(default_factory=list)


def of_all(
    spec: PilotSpec, known: Sequence[InForce], runs: Sequence[tuple[str, str]] = ()
) -> dict[str, Effect]:
    """By id of the amendment. Args: as `Effects`."""
    effects = Effects(spec, known, runs)
    return {one.id: effects.of(one) for one in known}


class Effects:
    """Of a pilot's amendments. `arms`: by name, not amended; how each runs from which round on is worked out once for all questions.

    Args:
        known: all that count, in the order in which they apply.
        runs: id and arm of those that are looked at; an amendment that came too late for all of an arm's is none of that arm.
    """

    def __init__(
        self, spec: PilotSpec, known: Sequence[InForce], runs: Sequence[tuple[str, str]] = ()
    ) -> None:
        self._spec = spec
        self.arms: Mapping[str, Amended] = {arm.name: Amended.by_none(spec, arm.name) for arm in spec.arms}
        self._known = {}
        for arm in spec.arms:
            ids = {id for id, of in runs if of == arm.name}
            self._known[arm.name] = [
                one for one in self._about(arm.name, known) if not (ids and ids <= one.left_out)
            ]

    def of(self, one: InForce) -> Effect:
        """Args: one: of those known."""
        effect = Effect()
        for arm, mine in self._known.items():
            place = next((place for place, other in enumerate(mine) if other is one), None)
            if place is None:
                continue
            for round, settings in _changes(self._spec, self.arms[arm], mine, place):
                _add_change(effect.changes, arm, round, settings)
            for overruled in _overruled(self.arms[arm], mine, place):
                _add_overruled(effect.overruled, overruled)
        effect.changes.sort(key=lambda change: change.round)
        return effect

    def alone(self, before: Sequence[InForce], new: InForce) -> list[ArmChanges]:
        """What `new` would change after those made `before`: of one that does not count."""
        changes: list[ArmChanges] = []
        try:
            for arm in self.arms:
                mine = self._about(arm, [*before, new])
                if mine and mine[-1] is new:
                    for round, settings in _changes(self._spec, self.arms[arm], mine, len(mine) - 1):
                        _add_change(changes, arm, round, settings)
        except ValidationError:  # that is why it was refused
            return []
        return sorted(changes, key=lambda change: change.round)

    def _about(self, arm: str, some: Sequence[InForce]) -> list[InForce]:
        made = [one.amendment for one in some]
        return [one for at, one in enumerate(some) if concerns(self._spec, arm, one.amendment, made[:at])]


def _changes(
    spec: PilotSpec, arm: Amended, mine: Sequence[InForce], place: int
) -> Iterator[tuple[int, list[SettingChange]]]:
    """By round: what turns in the first, and what stays as it is in rounds in which one that was made before would change it."""
    this = mine[place]
    first = this.amendment.from_round
    later = {one.amendment.from_round for one in mine[:place] if one.amendment.from_round > first}
    for round in (first, *sorted(later)):
        old, now = (arm.in_round(mine, at) for at in (round - 1, round))
        decided = {name for name, decider in now.deciders.items() if decider is this}
        if not decided:
            continue
        before, without = (_without(arm, mine, place, at) for at in (round - 1, round))
        turned, would_turn = fields_changed(old.plan, now.plan), fields_changed(before.plan, without.plan)
        stays = [
            name
            for name in fields_changed(without.plan, now.plan)
            if name in would_turn and name not in turned
        ]
        fields = [name for name in (*turned, *stays) if name in decided]
        settings = changed_settings(spec, old.plan, now.plan, fields, without.plan)
        if settings:
            yield round, settings


def _without(arm: Amended, mine: Sequence[InForce], place: int, round: int) -> Amended:
    """How the arm would run in `round` if there were no such amendment."""
    try:
        return arm.in_round([*mine[:place], *mine[place + 1 :]], round)
    except ValidationError:  # one that was made later can only be because of it
        return arm.in_round(mine[:place], round)


def _overruled(arm: Amended, mine: Sequence[InForce], place: int) -> Iterator[Overruled]:
    """By whom what the amendment would change in its first round is decided instead."""
    round = mine[place].amendment.from_round
    before, meant = (arm.in_round(mine[:end], round) for end in (place, place + 1))
    now = arm.in_round(mine, round)
    lost = set(fields_changed(meant.plan, now.plan))
    by: dict[str, list[str]] = {}
    for name in fields_changed(before.plan, meant.plan):
        if name in lost and (decider := now.deciders.get(name)) is not None:
            by.setdefault(decider.id, []).append(name)
    for other in mine:
        if other.id in by:
            yield Overruled(
                arms=[arm.arm],
                fields=by[other.id],
                amendment_id=other.id,
                from_round=other.amendment.from_round,
                by=other.amendment.by,
            )


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
