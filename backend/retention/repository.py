"""SQL of retention: what somebody may still need, and the marks of what nobody does."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, CursorResult, Delete, and_, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from backend.db.tables import ArtifactRow, EventRow, HeartbeatRow, PilotRow, RunRow, StepLogRow, StepRow
from backend.runs.states import RUN_ENDS, RUN_LIVE, STEP_UNDER_WAY

ANNOUNCED = "pilot_launched"
"""The event by which a pilot is known to have been announced (`coordinator.advance`)."""
PART = "clean"
_AT_ONCE = 1000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Standing:
    """What is kept of each run.

    Attributes:
        whole: ids of runs of which everything is. prepared: pilot and seed of each of them, whose sites' preparation is kept with it.
        finals: ids of the others, of which the last models are. pilots: those that have such.
    """

    whole: frozenset[str]
    prepared: frozenset[tuple[str, int]]
    finals: Sequence[str]
    pilots: Sequence[str]

    def keeps(self, run_id: str | None, pilot_id: str, seed: int) -> bool:
        """Whether it keeps everything of a step of that run; None: of one that prepares."""
        return run_id in self.whole if run_id is not None else (pilot_id, seed) in self.prepared


@dataclass(frozen=True, slots=True)
class Names:
    """Names of artifacts. `needed`: that somebody may still read; `known`: these, and all others that a step left."""

    needed: set[str]
    known: set[str]


def names_of_steps(session: Session, standing: Standing) -> Names:
    """Needed is everything of a run that is kept whole, and what its sites prepared; of other runs the last models of each site; and
    where training may go on."""
    needed: set[str] = set()
    known: set[str] = set()
    columns = (
        StepRow.run_id,
        StepRow.pilot_id,
        StepRow.seed,
        StepRow.artifact_sha256,
        StepRow.extras,
        StepRow.checkpoint,
    )
    for run_id, pilot_id, seed, sha256, extras, checkpoint in session.execute(
        select(*columns).execution_options(yield_per=_AT_ONCE)
    ):
        if checkpoint is not None:
            needed.add(checkpoint["artifact"]["sha256"])
        left = needed if standing.keeps(run_id, pilot_id, seed) else known
        left.update(_names(sha256, extras))
    for some in parts(standing.finals):
        needed.update(_last_models(session, some))
    return Names(needed, known | needed)


def how_runs_stand(session: Session, ended_before: datetime | None) -> Standing:
    """Whole is a run that has not ended, that ended after `ended_before` (None: every run), or of whose arm and seed another run is such."""
    runs = session.execute(
        select(RunRow.id, RunRow.pilot_id, RunRow.arm_id, RunRow.seed, RunRow.state, RunRow.finished_at)
    ).all()
    families = {
        (run.arm_id, run.seed)
        for run in runs
        if ended_before is None
        or run.state not in RUN_ENDS
        or run.finished_at is None
        or run.finished_at >= ended_before
    }
    whole = [run for run in runs if (run.arm_id, run.seed) in families]
    others = [run for run in runs if (run.arm_id, run.seed) not in families]
    return Standing(
        frozenset(run.id for run in whole),
        frozenset((run.pilot_id, run.seed) for run in whole),
        sorted(run.id for run in others),
        sorted({run.pilot_id for run in others}),
    )


def _last_models(session: Session, run_ids: Collection[str]) -> set[str]:
    """What each site's last training left as a model, the one that it trains alone included."""
    latest: dict[tuple[str, int], tuple[str | None, dict[str, dict[str, str]] | None]] = {}
    trained = (
        select(StepRow.run_id, StepRow.site_index, StepRow.artifact_sha256, StepRow.extras)
        .where(StepRow.run_id.in_(run_ids), StepRow.kind == "train", StepRow.state == "completed")
        .order_by(StepRow.round)
    )
    for run_id, site, sha256, extras in session.execute(trained):
        if run_id is not None:
            latest[run_id, site] = (sha256, extras)
    found: set[str] = set()
    for sha256, extras in latest.values():
        alone = (extras or {}).get("alone")
        found.update(_names(sha256, {"alone": alone} if alone else None))
    return found


def _names(sha256: str | None, extras: dict[str, dict[str, str]] | None) -> Iterator[str]:
    if sha256 is not None:
        yield sha256
    for ref in (extras or {}).values():
        yield ref["sha256"]


def lock(session: Session, pilot_ids: Sequence[str]) -> None:
    """Until the transaction ends nobody restarts a run of these pilots (`runs.restart`)."""
    for some in parts(pilot_ids):
        chosen = select(PilotRow.id).where(PilotRow.id.in_(some)).order_by(PilotRow.id)
        session.execute(chosen.with_for_update(key_share=True)).all()


def under_way_since(session: Session) -> datetime | None:
    """When the step was sent that was sent first of all that are under way; None: none is. What they have made nobody may have been told
    yet, if the coordinator is away."""
    sent_at = func.coalesce(StepRow.dispatched_at, StepRow.started_at)
    sent = select(func.min(sent_at)).where(StepRow.state.in_(STEP_UNDER_WAY))
    # Sent by a coordinator that died before it noted so. Of a run that waits, or is paused, nothing was sent that is not taken back.
    shares = and_(StepRow.run_id.is_(None), RunRow.pilot_id == StepRow.pilot_id, RunRow.seed == StepRow.seed)
    sending = exists().where(
        or_(RunRow.id == StepRow.run_id, shares), RunRow.state.in_(RUN_LIVE - {"queued", "paused"})
    )
    perhaps = select(func.min(func.coalesce(StepRow.next_try_at, StepRow.created_at))).where(
        StepRow.state == "ready", sending
    )
    return min((at for at in (session.scalar(sent), session.scalar(perhaps)) if at is not None), default=None)


def kept(session: Session) -> set[str]:
    """Artifacts that were not removed."""
    return set(session.scalars(select(ArtifactRow.sha256).where(ArtifactRow.removed_at.is_(None))))


def removed(session: Session) -> set[str]:
    return set(session.scalars(select(ArtifactRow.sha256).where(ArtifactRow.removed_at.is_not(None))))


def mark(session: Session, names: Collection[str], at: datetime | None) -> None:
    """That they were removed at that time; None: that they are needed after all."""
    session.execute(
        update(ArtifactRow)
        .where(ArtifactRow.sha256.in_(names))
        .values(removed_at=at)
        .execution_options(synchronize_session=False)
    )


def old_logs(session: Session, standing: Standing, among: Collection[str] | None = None) -> list[str]:
    """Steps that have logs and of which not everything is kept; None: among all."""
    logged = select(StepRow.id, StepRow.run_id, StepRow.pilot_id, StepRow.seed).order_by(StepRow.id)
    logged = logged.where(StepRow.id.in_(select(StepLogRow.step_id) if among is None else among))
    return [
        id
        for id, run_id, pilot_id, seed in session.execute(logged.execution_options(yield_per=_AT_ONCE))
        if not standing.keeps(run_id, pilot_id, seed)
    ]


def count_logs(session: Session, step_ids: Collection[str]) -> int:
    chosen = select(func.count()).select_from(StepLogRow).where(StepLogRow.step_id.in_(step_ids))
    return session.scalar(chosen) or 0


def forget_logs(session: Session, step_ids: Collection[str]) -> int:
    """How many went."""
    return _delete(session, delete(StepLogRow).where(StepLogRow.step_id.in_(step_ids)))


def old_events(session: Session, before: datetime) -> Sequence[int]:
    """Of pilots of which every run has ended, and of none: ids of events that are older. The latest event of all stays, since numbers go
    on from it."""
    last = session.scalar(select(func.max(EventRow.id))) or 0
    chosen = select(EventRow.id).where(
        EventRow.at < before, EventRow.id < last, EventRow.code != ANNOUNCED, _of_no_live_pilot()
    )
    return session.scalars(chosen.order_by(EventRow.id)).all()


def forget_events(session: Session, ids: Collection[int]) -> int:
    """How many went: those of a pilot that lives again stay."""
    return _delete(session, delete(EventRow).where(EventRow.id.in_(ids), _of_no_live_pilot()))


def _of_no_live_pilot() -> ColumnElement[bool]:
    live = select(RunRow.pilot_id).where(RunRow.state.not_in(RUN_ENDS))
    return or_(EventRow.pilot_id.is_(None), EventRow.pilot_id.not_in(live))


def _delete(session: Session, statement: Delete) -> int:
    done = session.execute(statement.execution_options(synchronize_session=False))
    assert isinstance(done, CursorResult)
    return done.rowcount


def last_cleaned(session: Session) -> datetime | None:
    row = session.get(HeartbeatRow, PART)
    return None if row is None else row.at


def note_cleaned(session: Session, at: datetime) -> None:
    session.merge(HeartbeatRow(part=PART, at=at, params={}))


def parts(all: Sequence[T]) -> Iterator[Sequence[T]]:
    """No more at once than a statement takes, and than others wait for."""
    for first in range(0, len(all), _AT_ONCE):
        yield all[first : first + _AT_ONCE]
