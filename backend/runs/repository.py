"""SQL of runs and steps, for reading, and the commands the API may give: queue, and ask for a state."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, and_, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from backend.db.paging import Order
from backend.db.tables import (
    ArmRow,
    ArtifactRow,
    BreakRow,
    EventRow,
    MetricRow,
    PilotRow,
    RoundRow,
    RoundTimerRow,
    RunRow,
    SiteRow,
    StepLogRow,
    StepRow,
)
from backend.runs.listening import Listening
from backend.runs.states import RUN_ENDS, STEP_UNDER_WAY
from backend.runs.turns import Ahead
from dimat.schedule import StepKey
from dimat.spec import PilotSpec

MOST_NAMES = 5_000
"""In one statement."""


@dataclass(frozen=True, slots=True)
class RunFilter:
    """None = any."""

    state: str | None = None
    pilot: str | None = None
    arm: str | None = None
    method: str | None = None
    q: str | None = None


_SORTS = {
    "created_at": RunRow.created_at, "arm": RunRow.arm, "method": RunRow.method, "state": RunRow.state,
    "bytes_exchanged": RunRow.bytes_exchanged,
}  # fmt: skip


def key_of(row: StepRow | Row[Any]) -> StepKey:
    return StepKey(row.round, row.kind, row.site_index)  # type: ignore[arg-type]  # a column holds plain text


def by_id(session: Session, id: str) -> RunRow | None:
    return session.get(RunRow, id)


def matching(wanted: RunFilter) -> Select[RunRow]:
    query = select(RunRow)
    if wanted.pilot is not None or wanted.q:
        query = query.join(PilotRow, PilotRow.id == RunRow.pilot_id)
    if wanted.pilot is not None:
        query = query.where(or_(RunRow.pilot_id == wanted.pilot, PilotRow.name == wanted.pilot))
    if wanted.q:
        text = wanted.q.lower()
        query = query.where(
            or_(
                *(
                    func.lower(column).contains(text, autoescape=True)
                    for column in (PilotRow.name, PilotRow.title, RunRow.arm)
                )
            )
        )
    for column, value in (
        (RunRow.state, wanted.state), (RunRow.arm, wanted.arm), (RunRow.method, wanted.method),
    ):  # fmt: skip
        if value is not None:
            query = query.where(column == value)
    return query


def sort_order(sort: str) -> list[Order]:
    """`-created_at` -> columns, the id last so that the order is total."""
    descending = sort.startswith("-")
    return [Order(_SORTS[sort.removeprefix("-")], descending), Order(RunRow.id, descending)]


def of_pilot(session: Session, pilot_id: str) -> list[RunRow]:
    """All runs of a pilot in the order in which they were queued: by arm, then seed."""
    return list(session.scalars(in_pilot(pilot_id).order_by(RunRow.id)))


def counting_in(session: Session, pilot_id: str) -> list[RunRow]:
    """Of each arm and seed the run that counts."""
    counts = in_pilot(pilot_id).where(RunRow.replaced_by.is_(None))
    # A restarted run is younger than all others and stands where its arm and seed do.
    rows = session.scalars(
        counts.join(ArmRow, ArmRow.id == RunRow.arm_id).order_by(ArmRow.position, RunRow.id)
    )
    return list(rows)


def counting(session: Session, arm_id: str, seed: int) -> RunRow:
    """The run of the arm and seed that counts."""
    counts = (RunRow.arm_id == arm_id, RunRow.seed == seed, RunRow.replaced_by.is_(None))
    return session.scalars(select(RunRow).where(*counts).execution_options(populate_existing=True)).one()


def counting_instead(session: Session, runs: Iterable[RunRow]) -> dict[str, str]:
    """By id of those of the runs that were restarted: the run of the same arm and seed that counts."""
    replaced = [run for run in runs if run.replaced_by is not None]
    if not replaced:
        return {}
    rows = session.execute(
        select(RunRow.arm_id, RunRow.seed, RunRow.id).where(
            RunRow.arm_id.in_({run.arm_id for run in replaced}), RunRow.replaced_by.is_(None)
        )
    )
    counts = {(arm_id, seed): str(id) for arm_id, seed, id in rows}
    return {run.id: counts[run.arm_id, run.seed] for run in replaced}


def restarted_with(session: Session, parent_id: str, key: str) -> RunRow | None:
    """The run that this key has made of the parent."""
    return session.scalar(select(RunRow).where(RunRow.parent_run_id == parent_id, RunRow.restart_key == key))


def in_pilot(pilot_id: str) -> Select[RunRow]:
    return select(RunRow).where(RunRow.pilot_id == pilot_id)


def last_steps(session: Session, run_ids: Collection[str]) -> dict[str, list[StepKey]]:
    """Of each run and kind the last step that is there, of one of the sites; none of rounds long done, as there are later ones."""
    found: dict[str, list[StepKey]] = {id: [] for id in run_ids}
    rows = session.execute(
        select(StepRow.run_id, StepRow.kind, func.max(StepRow.round))
        .join(RunRow, RunRow.id == StepRow.run_id)
        .where(StepRow.run_id.in_(run_ids), StepRow.round >= RunRow.rounds_done - 1)
        .group_by(StepRow.run_id, StepRow.kind)
    )
    for run_id, kind, round in rows:
        found[str(run_id)].append(StepKey(round, kind, 0))  # type: ignore[arg-type]  # a column holds plain text
    return found


def barred(session: Session, pilot_id: str, spec: PilotSpec, seed: int | None = None) -> set[str]:
    """Sites that can take no part in what is to come: revoked, or without the start model that the pilot's runs begin with (those of `seed`;
    None: any of them), as its preparation has failed."""
    revoked = select(SiteRow.name).where(SiteRow.name.in_(spec.site_names), SiteRow.state == "revoked")
    unprepared = select(StepRow.site_name).where(
        StepRow.pilot_id == pilot_id, StepRow.kind == "prepare", StepRow.state == "failed"
    )
    if seed is not None:
        unprepared = unprepared.where(StepRow.seed == seed)
    return {*session.scalars(revoked), *session.scalars(unprepared)}


def means(session: Session, run_ids: Collection[str]) -> dict[str, tuple[float, float | None, int]]:
    """By run the mean own-site and all-site accuracy after the last round that all sites finished which take part, and over how many."""
    rows = session.execute(
        select(MetricRow.run_id, func.avg(MetricRow.own_site), func.avg(MetricRow.all_site), func.count())
        .join(RunRow, and_(RunRow.id == MetricRow.run_id, RunRow.rounds_done == MetricRow.round))
        .where(MetricRow.run_id.in_(run_ids), MetricRow.phase == "after_train")
        .group_by(MetricRow.run_id)
    )
    return {id: (float(own), None if every is None else float(every), num) for id, own, every, num in rows}


def round_finished_at(session: Session, run_id: str, round: int) -> datetime | None:
    """When the last step of the round was done."""
    ends = (StepRow.run_id == run_id, StepRow.round == round, StepRow.state == "completed")
    return session.scalar(select(func.max(StepRow.finished_at)).where(*ends))


def others_finished_at(session: Session, run: RunRow, round: int) -> datetime | None:
    """When the runs of the pilot's other arms had done this round, as far as they have."""
    of_others = and_(RunRow.pilot_id == run.pilot_id, RunRow.arm_id != run.arm_id)
    done = and_(StepRow.round == round, StepRow.state == "completed")
    return session.scalar(
        select(func.max(StepRow.finished_at)).join(RunRow, RunRow.id == StepRow.run_id).where(of_others, done)
    )


def sites_asked_at(session: Session, run: RunRow, round: int) -> datetime | None:
    """When the last of the sites that have come to the round was asked for its first step there."""
    wanted = (StepRow.run_id == run.id, StepRow.round == round)
    first = select(func.min(StepRow.created_at).label("at")).where(*wanted).group_by(StepRow.site_index)
    found: datetime | None = session.scalar(select(func.max(first.subquery().c.at)))
    return found


def round_open_since(session: Session, run: RunRow) -> datetime | None:
    """Since when the round after the last finished one may be worked at: since that is finished and its own time has come, and no sooner
    than the run began, or went on after a pause. None: it may not begin yet."""
    timer = session.get(RoundTimerRow, (run.pilot_id, run.rounds_done + 1))
    if timer is not None and timer.opened_at is None:
        return None
    opened_at = None if timer is None else timer.opened_at
    resumed = select(func.max(EventRow.at)).where(EventRow.run_id == run.id, EventRow.code == "run_resumed")
    known = (
        round_finished_at(session, run.id, run.rounds_done),
        opened_at,
        run.started_at,
        session.scalar(resumed),
    )
    return max((at for at in known if at is not None), default=None)


def steps_of_round(session: Session, run: RunRow, round: int) -> list[StepRow]:
    """The steps of one round in the order in which they were made; round 0 includes `prepare`."""
    return list(session.scalars(steps_of(run).where(StepRow.round == round).order_by(StepRow.id)))


def completed_in(session: Session, run: RunRow, rounds: Collection[int]) -> list[StepRow]:
    """The steps of these rounds that are done."""
    done = steps_of(run).where(StepRow.round.in_(sorted(rounds)), StepRow.state == "completed")
    return list(session.scalars(done))


def logged_attempts(session: Session, step_id: str) -> list[int]:
    """Attempts of the step that have told what they logged."""
    wanted = select(StepLogRow.attempt).where(StepLogRow.step_id == step_id).order_by(StepLogRow.attempt)
    return list(session.scalars(wanted))


def log_of(session: Session, step_id: str, attempt: int) -> dict[str, Any] | None:
    row = session.get(StepLogRow, (step_id, attempt))
    return None if row is None else row.body


def steps_since(session: Session, run: RunRow, round: int) -> list[StepRow]:
    return list(session.scalars(steps_of(run).where(StepRow.round >= round).order_by(StepRow.id)))


def steps_of(run: RunRow) -> Select[StepRow]:
    """The run's own steps and the `prepare` steps it shares with the other arms of its seed."""
    shared = and_(StepRow.run_key == "", StepRow.pilot_id == run.pilot_id, StepRow.seed == run.seed)
    return select(StepRow).where(or_(StepRow.run_id == run.id, shared))


def under_way_where(session: Session, sites: Collection[str]) -> dict[str, list[Ahead]]:
    """By site what is on its way to its worker, which may serve other sites, too."""
    served = aliased(SiteRow)
    rows = session.execute(
        select(
            SiteRow.name,
            StepRow.state,
            StepRow.run_id,
            RunRow.arm,
            PilotRow.id,
            PilotRow.title,
            PilotRow.name,
        )
        .join(served, or_(served.id == SiteRow.id, served.worker_id == SiteRow.worker_id))
        .join(StepRow, StepRow.site_name == served.name)
        .join(PilotRow, PilotRow.id == StepRow.pilot_id)
        .outerjoin(RunRow, RunRow.id == StepRow.run_id)
        .where(SiteRow.name.in_(sorted(sites)), StepRow.state.in_(STEP_UNDER_WAY))
        .distinct()
    )
    found: dict[str, list[Ahead]] = {}
    for site, state, run, arm, pilot, title, name in rows:
        found.setdefault(site, []).append(Ahead(pilot, title or name, run, arm, state == "running"))
    return found


def open_steps(session: Session, runs: Sequence[RunRow]) -> dict[str, list[StepRow]]:
    """Steps of live runs from the last finished round on, by run."""
    found: dict[str, list[StepRow]] = {run.id: [] for run in runs if run.state not in RUN_ENDS}
    own = StepRow.run_id == RunRow.id
    shared = and_(StepRow.run_key == "", StepRow.pilot_id == RunRow.pilot_id, StepRow.seed == RunRow.seed)
    for of_run in (own, shared):  # at once they would find no index
        query = select(RunRow.id, StepRow).join(RunRow, of_run).order_by(StepRow.id)
        for run_id, step in session.execute(
            query.where(RunRow.id.in_(found), StepRow.round >= RunRow.rounds_done)
        ):
            found[run_id].append(step)
    return {id: sorted(steps, key=lambda step: step.id) for id, steps in found.items()}


def removed_of(session: Session, names: Collection[str]) -> list[str]:
    """Those of these artifacts that are not kept any more."""
    found: list[str] = []
    ordered = sorted(names)
    for first in range(0, len(ordered), MOST_NAMES):
        some = ordered[first : first + MOST_NAMES]
        gone = select(ArtifactRow.sha256).where(
            ArtifactRow.sha256.in_(some), ArtifactRow.removed_at.is_not(None)
        )
        found += session.scalars(gone)
    return found


def final_artifacts(session: Session, run: RunRow) -> dict[str, str]:
    """sha256 of each site's model after the last train step that completed, by site name."""
    rows = session.execute(
        select(StepRow.site_name, StepRow.artifact_sha256)
        .where(StepRow.run_id == run.id, StepRow.kind == "train", StepRow.state == "completed")
        .order_by(StepRow.round)
    )
    return {name: sha256 for name, sha256 in rows if sha256 is not None}


def metrics(session: Session, run_ids: Collection[str]) -> dict[str, list[MetricRow]]:
    found: dict[str, list[MetricRow]] = {id: [] for id in run_ids}
    query = (
        select(MetricRow).where(MetricRow.run_id.in_(run_ids)).order_by(MetricRow.round, MetricRow.site_index)
    )
    for row in session.scalars(query):
        found[row.run_id].append(row)
    return found


def cycle_inconsistencies(session: Session, run_ids: Collection[str]) -> dict[str, dict[int, float]]:
    """By run and round, where it is known."""
    found: dict[str, dict[int, float]] = {id: {} for id in run_ids}
    for row in session.scalars(select(RoundRow).where(RoundRow.run_id.in_(run_ids))):
        found[row.run_id][row.round] = row.cycle_inconsistency
    return found


def ask(
    session: Session, ids: Collection[str], sources: Collection[str], following: str, reason: dict[str, Any]
) -> int:
    """Compare-and-set of these runs to `following`; how many of them were in one of the states `sources`."""
    values: dict[str, Any] = {"state": following, "reason": reason, "revision": RunRow.revision + 1}
    changed = session.execute(
        update(RunRow)
        .where(RunRow.id.in_(ids), RunRow.state.in_(sources))
        .values(values)
        .returning(RunRow.id)
        .execution_options(synchronize_session=False)
    ).all()
    session.expire_all()
    return len(changed)


def listening(session: Session) -> Listening:
    """When somebody coordinated."""
    ended = select(BreakRow.began_at, BreakRow.ended_at).order_by(BreakRow.ended_at, BreakRow.id)
    return Listening(tuple((row.began_at, row.ended_at) for row in session.execute(ended)))
