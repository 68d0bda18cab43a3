"""Changes to launched pilots, as values. The database keeps them; who may make one, no route says yet."""

from sqlalchemy.orm import Session

from backend.pilots import repository
from dimat.plan import Amendment


def amendments_of(session: Session, pilot_id: str) -> list[Amendment]:
    """In the order in which they were made, which is the order in which they apply."""
    return [
        Amendment.model_validate(
            {"arm": row.arm, "from_round": row.from_round, "patch": row.patch, "by": row.by, "why": row.why}
        )
        for row in repository.amendments(session, pilot_id)
    ]
