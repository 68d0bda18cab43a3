"""How amendments changed the way in which an arm merges, up to a round: an arm's name is often that of the method it was launched
with, and a result must not be credited to one that was left on the way. Pure."""

from backend.roi.facts import PilotFacts
from backend.runs.schemas import ArmChanges, SettingChange

_OF_MERGING = ("method", "topology.", "merge.")
"""Training is changed for all arms alike, or the comparison has ended before."""


def of_arm(facts: PilotFacts, arm: str, last: int | None) -> list[ArmChanges]:
    """One for each round, in their order; none of what only stayed as it was."""
    found: dict[int, list[SettingChange]] = {}
    for mark in facts.amendments:
        for change in mark.changes:
            settings = [one for one in change.settings if one.field.startswith(_OF_MERGING) and not one.stays]
            if arm in change.arms and last is not None and change.round <= last and settings:
                found.setdefault(change.round, []).extend(settings)
    return [ArmChanges(round=round, arms=[arm], settings=found[round]) for round in sorted(found)]
