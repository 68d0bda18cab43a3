"""Why a step that is ready, or was sent, has not begun: others are on their way at its worker. Pure."""

from collections.abc import Collection
from typing import NamedTuple

from backend.text.schemas import Text


class Ahead(NamedTuple):
    """A step on its way to a worker, or several that are alike. `run_id` and `arm` None: it prepares what all runs of the pilot
    begin with. `pilot`: what people call it. `is_running`: the worker has begun it."""

    pilot_id: str
    pilot: str
    run_id: str | None
    arm: str | None
    is_running: bool


def turn_behind(pilot_id: str, run_id: str | None, is_sent: bool, ahead: Collection[Ahead]) -> Text | None:
    """`explain.wait.<code>` of the catalogue for a step of that run: another pilot that shares its worker, else another arm, else its own
    run. None: nobody is ahead of it, it is about to begin.

    What was sent goes on behind what runs; what is ready, behind what was sent, too.
    """
    those = [one for one in ahead if one.is_running or not is_sent]
    pilots = sorted({one.pilot_id: one.pilot for one in those if one.pilot_id != pilot_id}.values())
    if pilots:
        params = {"pilot": pilots[0], **({"more": len(pilots) - 1} if pilots[1:] else {})}
        return Text(code="turn_behind_pilots" if pilots[1:] else "turn_behind_pilot", params=params)
    if arms := sorted(one.arm for one in those if one.arm is not None and one.run_id != run_id):
        return Text(code="turn_behind_arm", params={"arm": arms[0]})
    if not those:
        return None
    is_own = run_id is not None and any(one.run_id == run_id for one in those)
    return Text(code="turn_behind_run" if is_own else "turn_behind_start", params={})
