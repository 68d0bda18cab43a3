"""Facts and ROI for other parts of the backend: reads once, then computes purely."""

from sqlalchemy.orm import Session

from backend.errors import NotFound
from backend.pilots.assumptions import ValueBasis
from backend.roi import report, repository
from backend.roi.facts import PilotFacts
from backend.roi.schemas import RoiReport


def pilot_facts(
    session: Session, pilot_id: str, only_run: str | None = None, with_run: str | None = None
) -> PilotFacts:
    """With `only_run`: of the pilot's runs this one alone; with `with_run`: this one in place of the one that counts of its
    arm and seed. Raises: NotFound."""
    facts = repository.load(session, pilot_id, only_run, with_run)
    if facts is None:
        raise NotFound("pilot", pilot_id)
    return facts


def pilot_revision(session: Session, pilot_id: str) -> int:
    """Grows with every change of what the pilot's figures show. Raises: NotFound."""
    revision = repository.revision(session, pilot_id)
    if revision is None:
        raise NotFound("pilot", pilot_id)
    return revision


def run_revision(session: Session, run_id: str) -> int:
    """Raises: NotFound."""
    revision = repository.run_revision(session, run_id)
    if revision is None:
        raise NotFound("run", run_id)
    return revision


def pilot_id_of_run(session: Session, run_id: str) -> str:
    """Raises: NotFound."""
    pilot_id = repository.pilot_of_run(session, run_id)
    if pilot_id is None:
        raise NotFound("run", run_id)
    return pilot_id


def pilot_roi(session: Session, pilot_id: str, value_basis: ValueBasis | None) -> RoiReport:
    return report.build(pilot_facts(session, pilot_id), value_basis)


def run_roi(session: Session, run_id: str, value_basis: ValueBasis | None) -> RoiReport:
    facts = pilot_facts(session, pilot_id_of_run(session, run_id), with_run=run_id)
    return report.build(facts, value_basis, facts.run(run_id))
