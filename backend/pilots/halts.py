"""Why runs of a pilot stand still or ended early, each reason said once. Pure: rows in, values out."""

from collections.abc import Sequence

from backend.db.tables import RunRow
from backend.pilots.schemas import Halt
from backend.text.catalogue import DEFAULT_LANGUAGE, say


def halts_of(rows: Sequence[RunRow]) -> list[Halt]:
    """Of runs that are paused, have failed or were cancelled, in the order in which they come."""
    together: dict[tuple[str, str], list[RunRow]] = {}
    for row in rows:
        if row.reason is not None:
            # Runs that one silent site ended did not wait for it for the same time to the second.
            params = {**row.reason["params"], "seconds": ""}
            words = say(DEFAULT_LANGUAGE, f"reasons.{row.reason['code']}", params)
            together.setdefault((row.state, words), []).append(row)
    return [
        Halt.model_validate(
            {
                "state": runs[0].state, "reason": runs[0].reason,
                "arms": list(dict.fromkeys(run.arm for run in runs)), "num_runs": len(runs),
                "ended_at": min((run.finished_at for run in runs if run.finished_at is not None), default=None),
            }
        )
        for runs in together.values()
    ]  # fmt: skip
