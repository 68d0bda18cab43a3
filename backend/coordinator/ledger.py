"""The byte ledger: every fetch over a link has its row, whatever became of the attempt that made it.

What a step fetched is told with its end. An attempt that dies tells no end: what it was to fetch is known from its beginning, and what it
had fetched from its beats, kept with the step until then (`StepRow.fetches`). What it never told of may have been served or not: its
row holds no bytes but how many there may have been (`unconfirmed`), until the execution is heard of after all.
Rows are found by who fetched what, so that nothing is booked twice however often it is told.
"""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.coordinator.changes import Changes
from backend.coordinator.known import Known, exchange_id
from backend.db.tables import ExchangeRow, StepRow
from worker.messages.reports import (
    ExchangeReport,
    FetchDue,
    StepBeat,
    StepCancelled,
    StepFailed,
    StepFinished,
    StepStarted,
)

Told = StepBeat | StepFinished | StepFailed | StepCancelled
"""Reports that name exchanges: all of their execution so far."""
UNCONFIRMED = "unconfirmed"


def check(step: StepRow, report: StepStarted | Told, num_sites: int | None) -> None:
    """What is booked is read by site: an index that the pilot does not have would spoil the run's list for ever, and what is
    told twice would count twice.

    Args:
        num_sites: of the pilot; None: its spec cannot be read, and its runs end.

    Raises: ValueError, on which the report is dropped.
    """
    told = set()
    for exchange in report.fetches if isinstance(report, StepStarted) else report.exchanges:
        to_index = exchange.to_index if isinstance(exchange, ExchangeReport) else step.site_index
        is_ours = to_index == step.site_index != exchange.from_index
        if not is_ours or (num_sites is not None and exchange.from_index >= num_sites):
            raise ValueError(
                f"an exchange from site {exchange.from_index} to site {to_index}, told of step {step.id} of site "
                f"{step.site_index} in a pilot of {num_sites} sites"
            )
        if (exchange.from_index, exchange.purpose) in told:
            raise ValueError(f"step {step.id} tells twice of one exchange from site {exchange.from_index}")
        told.add((exchange.from_index, exchange.purpose))


def note(step: StepRow, report: StepStarted | StepBeat) -> None:
    """Keeps what the attempt that counts will fetch, and has fetched, for the case that it tells no more. Of beats the one that tells most
    is the latest."""
    kept = step.fetches or {"due": [], "told": []}
    if isinstance(report, StepStarted):
        found = kept | {"due": [due.model_dump() for due in report.fetches]}
    elif len(report.exchanges) > len(kept["told"]):
        found = kept | {"told": [exchange.model_dump() for exchange in report.exchanges]}
    else:
        return
    if found["due"] or found["told"]:
        step.fetches = found


def book_used(session: Session, step: StepRow, report: StepFinished, known: Known) -> None:
    """Of a step that is done: accepted, or refused by it. A difference that was of no use did not end it."""
    for exchange in report.exchanges:
        id = exchange_id(step, report.attempt, report.execution_id, exchange)
        if step.run_id is None or id in known.exchanges:
            continue
        known.exchanges.add(id)
        result = "failed" if exchange.failed else "rejected" if exchange.rejected else "accepted"
        session.add(_row(step, id, report.attempt, exchange, result))


def book_wasted(session: Session, step: StepRow, report: Told, changes: Changes) -> None:
    """What an attempt fetched in vain crossed its links all the same. An end says all that it fetched: nothing is unconfirmed any more."""
    if step.run_id is None or (step.state == "completed" and step.execution_id == report.execution_id):
        return  # the latter: the same report once more
    attempt, execution = report.attempt, report.execution_id
    for exchange in report.exchanges:
        _waste(session, step, attempt, execution, exchange, changes)
    if isinstance(report, StepBeat) or _speaks_for_another(report):
        return
    told = {(exchange.from_index, exchange.purpose) for exchange in report.exchanges}
    open = select(ExchangeRow).where(
        ExchangeRow.step_id == step.id, ExchangeRow.attempt == attempt, ExchangeRow.result == UNCONFIRMED
    )
    for row in session.scalars(open):
        is_its_own = row.id == exchange_id(step, attempt, execution, row)
        if is_its_own and (row.from_index, row.purpose) not in told:
            session.delete(row)


def book_unheard(session: Session, step: StepRow, changes: Changes) -> None:
    """Of an attempt that told no end: what it told before, and what it may have fetched besides."""
    fetches, step.fetches = step.fetches, None
    if fetches is None or step.run_id is None or step.execution_id is None:
        return
    told = [ExchangeReport.model_validate(one) for one in fetches["told"]]
    for exchange in told:
        _waste(session, step, step.attempt, step.execution_id, exchange, changes)
    known = {(exchange.from_index, exchange.purpose) for exchange in told}
    for due in (FetchDue.model_validate(one) for one in fetches["due"]):
        if (due.from_index, due.purpose) in known:
            continue
        id = exchange_id(step, step.attempt, step.execution_id, due)
        if session.get(ExchangeRow, id) is None:
            unknown = ExchangeReport(
                from_index=due.from_index, to_index=step.site_index, purpose=due.purpose, num_bytes=0,
                unknown_bytes=due.num_bytes, seconds=0.0,
            )  # fmt: skip
            session.add(_row(step, id, step.attempt, unknown, UNCONFIRMED))


def _speaks_for_another(report: Told) -> bool:
    """A worker says that the process that executed the step is dead: of what that had fetched it knows nothing."""
    return isinstance(report, StepFailed) and report.code == "worker_lost"


def _waste(
    session: Session, step: StepRow, attempt: int, execution: str, exchange: ExchangeReport, changes: Changes
) -> None:
    id = exchange_id(step, attempt, execution, exchange)
    row = session.get(ExchangeRow, id)
    if row is not None and row.result != UNCONFIRMED:
        return
    if row is not None:
        session.delete(row)
        session.flush()
    session.add(_row(step, id, attempt, exchange, "failed" if exchange.failed else "wasted"))
    changes.touch(step.run_id, bytes_wasted=exchange.num_bytes)


def _row(step: StepRow, id: str, attempt: int, exchange: ExchangeReport, result: str) -> ExchangeRow:
    values: dict[str, Any] = exchange.model_dump(exclude={"failed"})
    values["rejected"] = exchange.rejected or exchange.failed
    return ExchangeRow(
        id=id, run_id=step.run_id, step_id=step.id, attempt=attempt, round=step.round, result=result, **values
    )
