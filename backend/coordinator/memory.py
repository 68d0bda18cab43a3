"""Parsed specs and schedules of live runs, remembered by id; safe, because a launched spec is frozen."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.coordinator.plans import RunPlan
from backend.db.tables import AmendmentRow, PilotRow, RunRow
from dimat.spec import Amendment, PilotSpec


class Plans:
    """Reads what is not yet known; `forget` what has ended."""

    def __init__(self) -> None:
        self._specs: dict[str, PilotSpec] = {}
        self._runs: dict[str, RunPlan] = {}

    def spec(self, session: Session, pilot_id: str) -> PilotSpec:
        if pilot_id not in self._specs:
            pilot = session.get_one(PilotRow, pilot_id)
            self._specs[pilot_id] = PilotSpec.model_validate(pilot.spec)
        return self._specs[pilot_id]

    def run(self, session: Session, run: RunRow) -> RunPlan:
        if run.id not in self._runs:
            rows = session.scalars(
                select(AmendmentRow).where(AmendmentRow.pilot_id == run.pilot_id).order_by(AmendmentRow.id)
            )
            amendments = [
                Amendment.model_validate(
                    {
                        "arm": row.arm,
                        "from_round": row.from_round,
                        "patch": row.patch,
                        "by": row.by,
                        "why": row.why,
                    }
                )
                for row in rows
            ]
            self._runs[run.id] = RunPlan(self.spec(session, run.pilot_id), run.arm, run.seed, amendments)
        return self._runs[run.id]

    def shown(self, session: Session, pilot_id: str, site: int) -> str:
        """The site's name as people read it."""
        spec = self.spec(session, pilot_id).sites[site]
        return spec.display_name or spec.name

    def forget(self, run_id: str) -> None:
        self._runs.pop(run_id, None)
