"""SQL of retention: what somebody may still need, and the marks of what nobody does."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime

from sqlalchemy import CursorResult, delete, func, or_, select, update
from sqlalchemy.orm import Session

from backend.db.tables import ArtifactRow, EventRow, HeartbeatRow, PilotRow, RunRow, StepRow
from backend.runs.states import RUN_ENDS

ANNOUNCED = "pilot_launched"
"""The event by which a pilot is known to have been announced (`coordinator.advance`)."""
PART = "clean"
_AT_ONCE = 1000


def needed(session: Session, ended_before: datetime | None) -> set[str]:
    """Names of all artifacts that somebody may still read.

    Everything of a run that has not ended, that ended after `ended_before` (None: of every run), or of whose arm and seed another
    run is such; with it what its sites prepared. Of other runs the last models of each site. And where training may go on.
    """
    whole, finals = _runs(session, ended_before)
    prepared = {(run.pilot_id, run.seed) for run in whole}
    ids = {run.id for run in whole}
    found: set[str] = set()
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
            found.add(checkpoint["artifact"]["sha256"])
        if run_id in ids if run_id is not None else (pilot_id, seed) in prepared:
            found.update(_names(sha256, extras))
    for some in _parts(sorted(run.id for run in finals)):
        found.update(_last_models(session, some))
    return found


def _runs(session: Session, ended_before: datetime | None) -> tuple[list[RunRow], list[RunRow]]:
    """Runs of which everything is kept, and those of which the last models are."""
    runs = session.scalars(select(RunRow)).all()

    def is_kept(run: RunRow) -> bool:
        if ended_before is None or run.state not in RUN_ENDS:
            return True
        return run.finished_at is None or run.finished_at >= ended_before

    families = {(run.arm_id, run.seed) for run in runs if is_kept(run)}
    whole = [run for run in runs if (run.arm_id, run.seed) in families]
    return whole, [run for run in runs if (run.arm_id, run.seed) not in families]


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


def pilots_cleaned(session: Session, ended_before: datetime | None) -> list[str]:
    """Those with runs of which only the last models are kept."""
    return sorted({run.pilot_id for run in _runs(session, ended_before)[1]})


def lock(session: Session, pilot_ids: Sequence[str]) -> None:
    """Until the transaction ends nobody restarts a run of these pilots (`runs.restart`)."""
    for some in _parts(pilot_ids):
        chosen = select(PilotRow.id).where(PilotRow.id.in_(some)).order_by(PilotRow.id)
        session.execute(chosen.with_for_update(key_share=True)).all()


def kept(session: Session) -> set[str]:
    """Artifacts that were not removed."""
    return set(session.scalars(select(ArtifactRow.sha256).where(ArtifactRow.removed_at.is_(None))))


def removed(session: Session) -> set[str]:
    return set(session.scalars(select(ArtifactRow.sha256).where(ArtifactRow.removed_at.is_not(None))))


def mark(session: Session, names: Iterable[str], at: datetime | None) -> None:
    """That they were removed at that time; None: that they are needed after all."""
    for some in _parts(sorted(names)):
        session.execute(
            update(ArtifactRow)
            .where(ArtifactRow.sha256.in_(some))
            .values(removed_at=at)
            .execution_options(synchronize_session=False)
        )


def old_events(session: Session, before: datetime, forget: bool) -> int:
    """Of pilots of which every run has ended, and of none: how many events are older; `forget`: they are no more. The latest event of all
    stays, since numbers go on from it."""
    live = select(RunRow.pilot_id).where(RunRow.state.not_in(RUN_ENDS))
    last = session.scalar(select(func.max(EventRow.id))) or 0
    old = (
        EventRow.at < before,
        EventRow.id < last,
        EventRow.code != ANNOUNCED,
        or_(EventRow.pilot_id.is_(None), EventRow.pilot_id.not_in(live)),
    )
    if not forget:
        return session.scalar(select(func.count()).select_from(EventRow).where(*old)) or 0
    done = session.execute(delete(EventRow).where(*old).execution_options(synchronize_session=False))
    assert isinstance(done, CursorResult)
    return done.rowcount


def last_cleaned(session: Session) -> datetime | None:
    row = session.get(HeartbeatRow, PART)
    return None if row is None else row.at


def note_cleaned(session: Session, at: datetime) -> None:
    session.merge(HeartbeatRow(part=PART, at=at, params={}))


def _parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(names), _AT_ONCE):
        yield names[first : first + _AT_ONCE]
