"""Sites that a run went on without, as values. The coordinator writes them (`coordinator.silence`)."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.tables import AbsenceRow, RunRow
from dimat.absence import Absence
from dimat.spec import PilotSpec


def rows_of(session: Session, run_ids: Collection[str]) -> dict[str, list[AbsenceRow]]:
    """By run, in the order in which they were noticed."""
    found: dict[str, list[AbsenceRow]] = {id: [] for id in run_ids}
    query = select(AbsenceRow).where(AbsenceRow.run_id.in_(run_ids)).order_by(AbsenceRow.id)
    for row in session.scalars(query):
        found[row.run_id].append(row)
    return found


def of_run(run: RunRow, rows: Mapping[str, Sequence[AbsenceRow]]) -> Sequence[AbsenceRow]:
    """Those of a run, and of one that is to go on after a round of another, and has not begun, those that it will take over.

    Args:
        rows: of the run, and of the one after whose round it goes on.
    """
    if run.from_round is None or run.started_at is not None:
        return rows[run.id]
    theirs = rows[run.parent_run_id or ""]
    return [AbsenceRow(run_id=run.id, **one) for one in as_after(theirs, run.from_round, run.rounds)]


def absences_of(session: Session, run: RunRow, spec: PilotSpec) -> list[Absence]:
    rows = rows_of(session, [run.id, run.parent_run_id or ""])
    return [value_of(row, spec) for row in of_run(run, rows)]


def value_of(row: AbsenceRow, spec: PilotSpec) -> Absence:
    return Absence.model_validate(
        {
            "site": spec.site_names[row.site_index],
            "from_round": row.from_round,
            "until_round": row.until_round,
            "undone": row.undone,
        }
    )


def as_after(rows: Iterable[AbsenceRow], round: int, rounds: int) -> Iterator[dict[str, Any]]:
    """Those that a run of `rounds` has which goes on after `round`, as values of rows: what had begun by then, open again if it had not
    ended, as the site may be back sooner this time. Of several of one site only the last: one that is open beside it would keep the site
    out. Of one that began later only what it owes of rounds that stand: how its start was judged."""
    known = list(rows)
    last = {row.site_index: row for row in known if row.from_round <= round + 1}
    for row in known:
        has_begun = row.from_round <= round + 1
        owed = [[at, kind] for at, kind in row.undone if at <= round]
        if not has_begun and not owed:
            continue
        is_over = (
            has_begun
            and row.until_round is not None
            and (row.until_round <= round or row is not last[row.site_index])
        )
        yield {
            "site_index": row.site_index,
            "site_name": row.site_name,
            "from_round": row.from_round if has_begun else rounds + 1,
            "until_round": row.until_round if is_over else None,
            "undone": owed,
            "at": row.at,
            "back_at": row.back_at if is_over else None,
        }
