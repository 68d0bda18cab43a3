"""How an arm runs under some of its amendments. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from backend.pilots.amendments import InForce
from backend.runs.settings_changed import fields_changed
from dimat.plan import ArmPlan, launched_plan, with_amendment
from dimat.spec import PilotSpec


@dataclass(eq=False, slots=True)
class Amended:
    """An arm under some amendments, in their order. What follows from one more is worked out once: rounds share it, and so do runs.

    `deciders`: by field whose value counts, that of the last made that set another one than was set before it. Whoever asks for what
    is set already decides nothing: it stays the change of who asked first.
    """

    spec: PilotSpec
    arm: str
    launched: ArmPlan
    plan: ArmPlan
    deciders: Mapping[str, InForce]
    _with: dict[str, Self] = field(default_factory=dict)
    """By id of the amendment that comes next."""

    @classmethod
    def by_none(cls, spec: PilotSpec, arm: str) -> Self:
        plan = launched_plan(spec, arm)
        return cls(spec, arm, plan, plan, {})

    def under(self, amendments: Iterable[InForce]) -> Self:
        """Raises: as `dimat.plan.amended_plan`."""
        found = self
        for one in amendments:
            found = found._with.get(one.id) or found._add(one)
        return found

    def in_round(self, amendments: Iterable[InForce], round: int) -> Self:
        """Under those that have begun by then."""
        return self.under(one for one in amendments if one.amendment.from_round <= round)

    def _add(self, one: InForce) -> Self:
        plan = with_amendment(self.spec, self.arm, self.plan, one.amendment)
        deciders = {**self.deciders, **dict.fromkeys(fields_changed(self.plan, plan), one)}
        made = self._with[one.id] = type(self)(self.spec, self.arm, self.launched, plan, deciders)
        return made

    def training_changes(self) -> dict[str, Any]:
        """As `dimat.amending.training_changes`."""
        return {name: value for name, value in self.plan.train if value != getattr(self.launched.train, name)}
