"""What the reports of a batch are about, read at once: a question to the database for each report costs more than all
that is then done with the answers."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from backend.coordinator import known_repository
from backend.db.tables import ExchangeRow, RunRow, SiteRow, StepRow
from worker.messages.refs import ArtifactRef
from worker.messages.reports import ExchangeReport, FetchDue, Report, StepFinished

MADE = ("artifact", "momentum", "moments", "mean", "shared", "residual", "delta", "alone", "alone_momentum")
"""Fields of a finished step that name what is in the store."""


@dataclass(frozen=True, slots=True)
class Known:
    """
    Attributes:
        steps: by id. runs: theirs, by id. sites: of steps that prepare, by name. All hold what there is of what is named.
        artifacts: digests that have their row, and whether it is kept: one that was removed may be made anew. exchanges: ids of those of steps that are done that have theirs. Whoever adds one adds it here, too.
    """

    steps: dict[str, StepRow]
    runs: dict[str, RunRow]
    sites: dict[str, SiteRow]
    artifacts: dict[str, bool]
    exchanges: set[str]


def read(session: Session, reports: Sequence[Report]) -> Known:
    ends = [report for report in reports if isinstance(report, StepFinished)]
    steps = known_repository.rows_of(
        session, StepRow.id, {step_id for r in reports if (step_id := getattr(r, "step_id", None))}
    )
    runs = known_repository.rows_of(
        session, RunRow.id, {step.run_id for step in steps if step.run_id is not None}
    )
    sites = known_repository.rows_of(
        session, SiteRow.name, {step.site_name for step in steps if step.run_id is None}
    )
    found = {step.id: step for step in steps}
    told = {made.sha256 for end in ends for made in made_by(end)}
    moved = {
        exchange_id(found[end.step_id], end.attempt, end.execution_id, exchange)
        for end in ends
        if end.step_id in found
        for exchange in end.exchanges
    }
    artifacts = known_repository.artifacts_known(session, told)
    return Known(
        steps=found,
        runs={run.id: run for run in runs},
        sites={site.name: site for site in sites},
        artifacts=artifacts,
        exchanges=known_repository.those_known(session, ExchangeRow.id, moved),
    )


def made_by(report: StepFinished) -> list[ArtifactRef]:
    """All that the step has put into the store."""
    return [made for name in MADE if (made := getattr(report, name)) is not None]


def exchange_id(
    step: StepRow, attempt: int, execution: str, exchange: ExchangeReport | FetchDue | ExchangeRow
) -> str:
    """It says what happened, so that a doubled report finds its row."""
    name = f"{step.id}/{attempt}/{execution}/{exchange.from_index}"
    if exchange.purpose in ("moments", "difference"):  # comes beside the model of the same site
        name += f"/{exchange.purpose}"
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))
