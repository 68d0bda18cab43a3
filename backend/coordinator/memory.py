"""Parsed specs and schedules of live runs, remembered by id; safe, because a launched spec is frozen, and because amendments come
into force here alone (`coordinator.amending`), which forgets the runs that they change."""

from collections.abc import Callable

from pydantic import ValidationError
from sqlalchemy.orm import Session

from backend.coordinator.plans import RunPlan
from backend.db.tables import PilotRow, RunRow
from backend.pilots.amendments import amendments_of
from backend.runs.absences import absences_of
from backend.text.schemas import Params
from dimat.spec import PilotSpec

MOST_SPECS = 256


class Plans:
    """Reads what is not yet known. Of specs the last used `MOST_SPECS` are kept; of runs those that live:
    `forget` what has ended or was amended. `store_id`: None while it is not known."""

    def __init__(self, store_id: Callable[[], str | None] = lambda: None) -> None:
        self._store_id = store_id
        self._specs: dict[str, PilotSpec] = {}
        self._runs: dict[str, RunPlan] = {}

    def spec(self, session: Session, pilot_id: str) -> PilotSpec:
        known = self._specs.pop(pilot_id, None)
        if known is None:
            known = PilotSpec.model_validate(session.get_one(PilotRow, pilot_id).spec)
        self._specs[pilot_id] = known  # at the end: the first is the one not used for longest
        if len(self._specs) > MOST_SPECS:
            del self._specs[next(iter(self._specs))]
        return known

    def readable(self, session: Session, pilot_id: str) -> PilotSpec | None:
        """As `spec`, for those who only look: None where it cannot be read. Whoever moves its runs on ends them, and says so."""
        try:
            return self.spec(session, pilot_id)
        except ValidationError:
            return None

    def run(self, session: Session, run: RunRow) -> RunPlan:
        if run.id not in self._runs:
            spec = self.spec(session, run.pilot_id)
            amendments = amendments_of(session, run.pilot_id, run.id)
            absences = absences_of(session, run, spec)
            self._runs[run.id] = RunPlan(spec, run.arm, run.seed, amendments, absences)
        plan = self._runs[run.id]
        plan.store_id = self._store_id()
        return plan

    def shown(self, session: Session, pilot_id: str, site: int) -> str:
        """The site's name as people read it."""
        spec = self.spec(session, pilot_id).sites[site]
        return spec.display_name or spec.name

    def shown_in(self, session: Session, pilot_id: str, params: Params) -> Params:
        """Params of a sentence in which a worker named a site: it knows the name, people read another."""
        shown = {site.name: site.display_name or site.name for site in self.spec(session, pilot_id).sites}
        return {
            key: shown.get(value, value) if key == "site" and isinstance(value, str) else value
            for key, value in params.items()
        }

    def forget(self, run_id: str) -> None:
        self._runs.pop(run_id, None)
