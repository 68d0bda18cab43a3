"""SQL with which a run that goes on after a round of another one takes over what was done up to then.

Rows are copied, under new ids: steps with their artifacts, metrics, exchanges, numbers of rounds and absences of sites. So whoever reads a run
needs to know no other one, its curves and bytes are whole, and nothing of it is computed again. Steps that the run went on without are
copied, too: they may have spent something. What is not copied: steps of later rounds, and the log.
"""

from typing import Any

from sqlalchemy import Table, delete, insert, select
from sqlalchemy.orm import Session

from backend.coordinator.changes import Changes
from backend.db.tables import AbsenceRow, ExchangeRow, MetricRow, RoundRow, RunRow, StepRow, new_id
from backend.db.tables.runs import gpu_seconds
from backend.runs.absences import as_after, rows_of
from backend.runs.states import STEP_ENDS

Row = dict[str, Any]


def take_over(session: Session, run: RunRow) -> None:
    """Gives the run the rounds 0..`from_round` of its parent, and counts them."""
    assert run.from_round is not None
    assert run.parent_run_id is not None
    steps = [row for row in _rows(session, StepRow, run) if row["state"] in STEP_ENDS]
    steps.sort(
        key=lambda row: row["id"]
    )  # new ids are in the order of the old ones, which is that of the work
    ids = {row["id"]: new_id() for row in steps}
    exchanges = [row for row in _rows(session, ExchangeRow, run) if row["step_id"] in ids]
    _add(session, StepRow, [
        row | {"id": ids[row["id"]], "run_id": run.id, "run_key": run.id, "matched": None} for row in steps
    ])  # fmt: skip
    _add(session, ExchangeRow, [
        row | {"id": new_id(), "run_id": run.id, "step_id": ids[row["step_id"]]} for row in exchanges
    ])  # fmt: skip
    for table in (MetricRow, RoundRow):
        _add(session, table, [row | {"run_id": run.id} for row in _rows(session, table, run)])
    gone = rows_of(session, [run.parent_run_id])[run.parent_run_id]
    for values in as_after(gone, run.from_round, run.rounds):
        session.add(AbsenceRow(run_id=run.id, **values))
    for name, amount in _amounts(steps, exchanges).items():
        setattr(run, name, amount)
    run.rounds_done = run.from_round
    session.flush()


def correct(session: Session, step: StepRow, changes: Changes) -> None:
    """Of a step of which something was told late: the exchanges of its copies become those that it has now."""
    session.flush()
    copies = select(StepRow).join(RunRow, RunRow.id == StepRow.run_id).where(
        RunRow.parent_run_id == step.run_id, RunRow.from_round >= step.round, StepRow.round == step.round,
        StepRow.kind == step.kind, StepRow.site_index == step.site_index,
    )  # fmt: skip
    for copy in session.scalars(copies).all():
        theirs, ours = _exchanges(session, copy.id), _exchanges(session, step.id)
        session.execute(delete(ExchangeRow).where(ExchangeRow.step_id == copy.id))
        _add(session, ExchangeRow, [
            row | {"id": new_id(), "run_id": copy.run_id, "step_id": copy.id} for row in ours
        ])  # fmt: skip
        changes.touch(copy.run_id, bytes_wasted=_in_vain(ours) - _in_vain(theirs))
        correct(session, copy, changes)


def _exchanges(session: Session, step_id: str) -> list[Row]:
    table: Table = ExchangeRow.__table__  # type: ignore[assignment]  # it is one
    chosen = select(table).where(table.c.step_id == step_id).order_by(table.c.id)
    return [dict(row) for row in session.execute(chosen).mappings()]


def _in_vain(exchanges: list[Row]) -> int:
    return sum(row["num_bytes"] for row in exchanges if row["result"] != "accepted")


def _rows(session: Session, of: type[Any], run: RunRow) -> list[Row]:
    table: Table = of.__table__
    chosen = select(table).where(table.c.run_id == run.parent_run_id, table.c.round <= run.from_round)
    return [dict(row) for row in session.execute(chosen).mappings()]


def _add(session: Session, to: type[Any], rows: list[Row]) -> None:
    if rows:
        session.execute(insert(to.__table__), rows)


def _amounts(steps: list[Row], exchanges: list[Row]) -> dict[str, float]:
    """The counters of a run, from its rows. Of attempts in vain the row keeps processor time, not time by the clock; a step
    computes in one thread, so the one stands for the other."""
    uploaded = sum(
        (row["artifact_bytes"] or 0) + sum(ref["num_bytes"] for ref in (row["extras"] or {}).values())
        for row in steps
    )
    wasted = _in_vain(exchanges)
    gpu_s = sum(gpu_seconds(row["device"], row["seconds"]) + row["wasted_gpu_s"] for row in steps)
    return {
        "bytes_exchanged": sum(row["num_bytes"] for row in exchanges) - wasted,
        "bytes_wasted": wasted,
        "bytes_uploaded": uploaded,
        "busy_s": sum((row["seconds"] or 0.0) + row["wasted_cpu_s"] for row in steps),
        "cpu_s": sum((row["cpu_s"] or 0.0) + row["wasted_cpu_s"] for row in steps),
        "gpu_s": gpu_s,
    }
