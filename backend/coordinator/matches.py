"""Whether a round's matches agree all around the graph: a number, once every site that takes part has said what it found.

What sites found is kept with their steps until then, so that a restart in between loses nothing, and no longer.
"""

from sqlalchemy.orm import Session

from backend.coordinator import repository
from backend.coordinator.memory import Plans
from backend.db.tables import RoundRow, RunRow, StepRow
from backend.runs.states import RUN_LIVE
from dimat.cycles import Units, inconsistency
from dimat.methods import MATCHED_METHODS
from dimat.packed import unpack
from dimat.schedule import Schedule
from dimat.topology import Link
from worker.messages.reports import MatchedReport, StepFinished


def units_of(told: MatchedReport) -> dict[int, Units]:
    """By neighbour. Raises: ValueError."""
    return dict(zip(told.neighbours, unpack(told.data, len(told.neighbours), told.num_units), strict=True))


def take(session: Session, plans: Plans, run: RunRow | None, step: StepRow, report: StepFinished) -> None:
    """Of a step of `run` (None: it prepares). Keeps what the merge found.

    Raises: ValueError, on which the report is dropped.
    """
    if run is None or step.kind != "merge":
        if report.matched is not None:
            raise ValueError(f"step {step.id} is no merge and tells of matches")
        return
    if report.matched is None or run.state not in RUN_LIVE:
        return
    schedule = plans.run(session, run).schedule
    if schedule.plan_of(step.round).method not in MATCHED_METHODS:
        return
    neighbours = schedule.topology_of(step.round).neighbours(step.site_index)
    if not set(neighbours).issuperset(report.matched.neighbours):
        raise ValueError(f"step {step.id} tells of matches with sites {report.matched.neighbours}")
    units_of(report.matched)
    step.matched = report.matched.model_dump_json()


def settle(session: Session, run: RunRow, schedule: Schedule, round: int) -> None:
    """Of a round that is finished: its number comes in the place of what its merges found. Not with the last merge: which that is
    turns out later where a site falls silent."""
    if schedule.plan_of(round).method not in MATCHED_METHODS or not schedule.merges(round):
        return
    found: dict[Link, Units] = {}
    for site, told in repository.take_matched(session, run.id, round):
        units = units_of(MatchedReport.model_validate_json(told))
        found |= {(site, neighbour): units[neighbour] for neighbour in units}
    share = inconsistency(schedule.topology_of(round), found)
    if share is not None:
        session.add(RoundRow(run_id=run.id, round=round, cycle_inconsistency=share))
