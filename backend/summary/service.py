"""The summary for other parts of the backend: reads once, then decides purely."""

from sqlalchemy.orm import Session

from backend.roi import service as roi
from backend.summary.outcome import summarise
from backend.summary.schemas import PilotSummary


def pilot_summary(session: Session, pilot_id: str) -> PilotSummary:
    """Raises: NotFound."""
    return summarise(roi.pilot_facts(session, pilot_id))
