"""Changes to launched pilots, as values: what is in force, and for which runs. Who may ask for one, and who decides, is a matter of
`backend.runs`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from backend.db.tables import AmendmentRow
from backend.pilots import repository
from dimat.amending import concerns
from dimat.plan import Amendment, amended_plan
from dimat.spec import PilotSpec


@dataclass(frozen=True, slots=True)
class InForce:
    """An amendment that counts, and the runs that it came too late for."""

    id: str
    amendment: Amendment
    left_out: frozenset[str]
    at: datetime | None = None
    """When it was asked for; None: only thought of."""


def in_force(session: Session, pilot_id: str) -> list[InForce]:
    """In the order in which they were made, which is the order in which they apply."""
    return in_force_of_each(session, [pilot_id])[pilot_id]


def in_force_of_each(session: Session, pilot_ids: Collection[str]) -> dict[str, list[InForce]]:
    """By pilot, as `in_force`."""
    found: dict[str, list[InForce]] = {id: [] for id in pilot_ids}
    for row in repository.amendments(session, pilot_ids, "in_force"):
        one = InForce(row.id, value_of(row, row.from_round or 1), frozenset(row.left_out), row.at)
        found[row.pilot_id].append(one)
    return found


def begun(session: Session, pilot_id: str, spec: PilotSpec) -> list[Amendment]:
    """Those in force to whose first round one of the runs has come: of a pilot that has ended the others will never have changed anything."""
    reached = repository.reached(session, pilot_id)
    found: list[Amendment] = []
    for one in in_force(session, pilot_id):
        if any(
            last_round >= one.amendment.from_round
            for id, arm, last_round in reached
            if id not in one.left_out and concerns(spec, arm, one.amendment, found)
        ):
            found.append(one.amendment)
    return found


def rows_of(session: Session, pilot_id: str) -> Sequence[AmendmentRow]:
    """All that were asked for, in the order in which they were made."""
    return repository.amendments(session, [pilot_id])


def asked(session: Session) -> Sequence[AmendmentRow]:
    """Those of all pilots that nobody has decided yet, in the order in which they were made."""
    return repository.asked_amendments(session)


def for_run(known: Sequence[InForce], run_id: str) -> list[Amendment]:
    """Those under which the run went on; whether they are of its arm `dimat` asks."""
    return [one.amendment for one in known if run_id not in one.left_out]


def amendments_of(session: Session, pilot_id: str, run_id: str) -> list[Amendment]:
    """As `for_run`, of a run of the pilot."""
    return for_run(in_force(session, pilot_id), run_id)


def leave_out_too(session: Session, pilot_id: str, like: str, run_id: str) -> None:
    """A new run goes on under the amendments of the run `like`: what came too late for that one is not of its rounds."""
    for row in rows_of(session, pilot_id):
        if like in row.left_out:
            row.left_out = [*row.left_out, run_id]


def left_after(spec: PilotSpec, amendments: Sequence[Amendment], site: str) -> int | None:
    """The last round in which a site takes part that an amendment takes out; None: that of the pilot, or it takes part in none."""
    until = spec.rounds
    for first in sorted({1, *(one.from_round for one in amendments)}, reverse=True):
        if first > until:
            continue
        if site in amended_plan(spec, spec.arms[0].name, amendments, first).members:
            return until if until < spec.rounds else None
        until = first - 1
    return None


def value_of(row: AmendmentRow, from_round: int) -> Amendment:
    return Amendment.model_validate(
        {"arm": row.arm, "from_round": from_round, "patch": row.patch, "by": row.by, "why": row.why}
    )
