"""The methods that followed in a run on the one with which its arm was launched. Pure. Whatever shows a run says them beside that one."""

from collections.abc import Sequence

from backend.runs.schemas import MethodFrom
from dimat.plan import Amendment, amended_plan
from dimat.spec import PilotSpec


def methods_since(spec: PilotSpec, arm: str, amendments: Sequence[Amendment]) -> list[MethodFrom]:
    """In the order of rounds."""
    found: list[MethodFrom] = []
    method = spec.arm(arm).method
    for round in sorted({one.from_round for one in amendments}):
        now = amended_plan(spec, arm, amendments, round).method
        if now != method:
            found.append(MethodFrom(round=round, method=now))
        method = now
    return found
