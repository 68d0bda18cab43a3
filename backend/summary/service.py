"""The summary for other parts of the backend: reads once, then decides purely."""

from sqlalchemy.orm import Session

from backend.roi import service as roi
from backend.runs import service as runs
from backend.summary import wording
from backend.summary.outcome import summarise
from backend.summary.schemas import PilotSummary


def pilot_summary(session: Session, pilot_id: str) -> PilotSummary:
    """Raises: NotFound."""
    facts = roi.pilot_facts(session, pilot_id)
    found = summarise(facts)
    if found.sentence.code == "preparing":
        # What a run waits for is no fact of results; there are few steps to look at as long as no round is done.
        open_ = {run.id for run in facts.runs if not run.ended}
        live = [run.progress for run in runs.all_of_pilot(session, pilot_id) if run.id in open_]
        return found.model_copy(update={"sentence": wording.preparing(found.sentence, live)})
    return found
