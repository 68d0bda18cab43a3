"""The coordinator's SQL. Runs and sites change by compare-and-set, because the API writes them, too; steps
have no other writer."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, and_, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from backend.db.tables import EventRow, HeartbeatRow, RunRow, SiteRow, StepRow
from backend.runs import states
from dimat.schedule import StepKey

PREPARE_KEY = ""


def move_run(session: Session, run_id: str, following: str, **values: Any) -> bool:
    """Compare-and-set of a run's state; whether it was this call that moved it."""
    done = session.execute(
        update(RunRow)
        .where(RunRow.id == run_id, RunRow.state.in_(states.sources("run", following)))
        .values(state=following, revision=RunRow.revision + 1, **values)
    )
    assert isinstance(done, CursorResult)
    if following in states.RUN_ENDS:
        forget_matched(session, run_id)
    return done.rowcount == 1


def num_merged(session: Session, run_id: str, round: int) -> int:
    """Merges of the round that are done."""
    done = (StepRow.kind == "merge", StepRow.state == "completed")
    return (
        session.scalar(select(func.count()).where(StepRow.run_id == run_id, StepRow.round == round, *done))
        or 0
    )


def take_matched(session: Session, run_id: str, round: int) -> list[tuple[int, str]]:
    """By site what its merge found, which is forgotten with this."""
    kept = (StepRow.run_id == run_id, StepRow.round == round, StepRow.matched.is_not(None))
    found = [
        (site, told)
        for site, told in session.execute(select(StepRow.site_index, StepRow.matched).where(*kept))
        if told
    ]
    _forget(session, *kept)
    return found


def forget_matched(session: Session, run_id: str) -> None:
    """Of rounds that will not be complete any more."""
    _forget(session, StepRow.run_id == run_id, StepRow.matched.is_not(None))


def _forget(session: Session, *kept: ColumnElement[bool]) -> None:
    session.execute(
        update(StepRow).where(*kept).values(matched=None).execution_options(synchronize_session=False)
    )


def add_to_run(session: Session, run_id: str, amounts: dict[str, float]) -> None:
    """Adds to the counters of a run; with no amounts it only says that the run changed."""
    values = {name: getattr(RunRow, name) + amount for name, amount in amounts.items()}
    session.execute(update(RunRow).where(RunRow.id == run_id).values(revision=RunRow.revision + 1, **values))


def runs_in(session: Session, wanted: Collection[str], at_most: int | None = None) -> Sequence[RunRow]:
    return session.scalars(
        select(RunRow)
        .where(RunRow.state.in_(wanted))
        .order_by(RunRow.id)
        .limit(at_most)
        .execution_options(populate_existing=True)
    ).all()


def runs_sharing(session: Session, pilot_id: str, seed: int) -> Sequence[RunRow]:
    """Live runs that start from the same prepared models."""
    return session.scalars(
        select(RunRow)
        .where(RunRow.pilot_id == pilot_id, RunRow.seed == seed, RunRow.state.in_(states.RUN_LIVE))
        .order_by(RunRow.id)
        .execution_options(populate_existing=True)
    ).all()


def num_runs(session: Session, pilot_id: str) -> int:
    return session.scalar(select(func.count()).where(RunRow.pilot_id == pilot_id)) or 0


def prepare_steps(session: Session, pilot_id: str, seed: int) -> Sequence[StepRow]:
    return session.scalars(
        select(StepRow).where(
            StepRow.pilot_id == pilot_id, StepRow.seed == seed, StepRow.run_key == PREPARE_KEY
        )
    ).all()


def has_steps(session: Session, run_id: str) -> bool:
    """Whether the run has steps of its own, beside those that prepare."""
    return session.scalar(select(StepRow.id).where(StepRow.run_id == run_id).limit(1)) is not None


def steps_from(session: Session, run_id: str, round: int) -> Sequence[StepRow]:
    """The run's steps of `round` and later."""
    return session.scalars(select(StepRow).where(StepRow.run_id == run_id, StepRow.round >= round)).all()


def step_states(session: Session, run_id: str) -> dict[StepKey, str]:
    """The state of every step of the run that has a row; as plain values, since a long run has many."""
    columns = (StepRow.round, StepRow.kind, StepRow.site_index, StepRow.state)
    rows = session.execute(select(*columns).where(StepRow.run_id == run_id))
    # A column holds plain text.
    return {StepKey(round, kind, site): state for round, kind, site, state in rows}  # type: ignore[arg-type]


def live_steps(session: Session, run_id: str) -> Sequence[StepRow]:
    return session.scalars(
        select(StepRow).where(StepRow.run_id == run_id, StepRow.state.in_(states.STEP_LIVE))
    ).all()


def bring_back_from_the_future(session: Session, now: datetime, longest_pause_s: float) -> None:
    """Times written by a clock that was ahead: nothing would be tried again, and no silence noticed, until it is then."""
    limit = now + timedelta(seconds=longest_pause_s)
    session.execute(update(StepRow).where(StepRow.next_try_at > limit).values(next_try_at=now))
    for time in (StepRow.heartbeat_at, StepRow.dispatched_at):
        session.execute(
            update(StepRow).where(time > now, StepRow.state.in_(states.STEP_LIVE)).values({time: now})
        )
    session.execute(update(SiteRow).where(SiteRow.last_seen_at > now).values(last_seen_at=now))


def steps_to_send(session: Session, now: datetime, limit: int) -> Sequence[StepRow]:
    """Ready steps whose time has come and whose run is not paused; a `prepare` goes while one run of its seed does."""
    sharing = aliased(RunRow)
    needed = exists().where(
        sharing.pilot_id == StepRow.pilot_id, sharing.seed == StepRow.seed, sharing.state == "running"
    )
    return session.scalars(
        select(StepRow)
        .outerjoin(RunRow, RunRow.id == StepRow.run_id)
        .where(
            StepRow.state == "ready",
            or_(StepRow.next_try_at.is_(None), StepRow.next_try_at <= now),
            or_(RunRow.state == "running", and_(StepRow.run_id.is_(None), needed)),
        )
        .order_by(StepRow.id)
        .limit(limit)
    ).all()


def artifacts_of(session: Session, run_id: str, rounds: Iterable[int]) -> Sequence[StepRow]:
    return session.scalars(
        select(StepRow).where(
            StepRow.run_id == run_id,
            StepRow.round.in_(sorted(set(rounds))),
            StepRow.state == "completed",
            StepRow.artifact_sha256.is_not(None),
        )
    ).all()


def mark_dispatched(session: Session, sent: Collection[tuple[str, int]], now: datetime) -> None:
    for step_id, attempt in sent:
        session.execute(
            update(StepRow)
            .where(StepRow.id == step_id, StepRow.attempt == attempt, StepRow.state == "ready")
            .values(state="dispatched", dispatched_at=now)
        )


def running_before(session: Session, limit: datetime) -> Sequence[StepRow]:
    """Running steps whose last sign of life is older than `limit`."""
    return session.scalars(
        select(StepRow).where(StepRow.state == "running", StepRow.heartbeat_at < limit)
    ).all()


def running_on(session: Session, worker_id: str) -> Sequence[StepRow]:
    return session.scalars(
        select(StepRow).where(StepRow.state == "running", StepRow.worker_id == worker_id)
    ).all()


def dispatched_before(session: Session, limit: datetime) -> Sequence[StepRow]:
    """Steps sent before `limit` to sites that are online, and not begun."""
    return session.scalars(
        select(StepRow)
        .join(SiteRow, SiteRow.name == StepRow.site_name)
        .where(StepRow.state == "dispatched", StepRow.dispatched_at < limit, SiteRow.state == "online")
    ).all()


def steps_of_revoked_sites(session: Session) -> Sequence[StepRow]:
    """Steps that have not ended and that nobody will do any more."""
    return session.scalars(
        select(StepRow)
        .join(SiteRow, SiteRow.name == StepRow.site_name)
        .where(SiteRow.state == "revoked", StepRow.state.in_(states.STEP_LIVE))
    ).all()


def sites_named(session: Session, names: Collection[str]) -> Sequence[SiteRow]:
    return session.scalars(select(SiteRow).where(SiteRow.name.in_(names))).all()


def online_sites_before(session: Session, limit: datetime) -> Sequence[SiteRow]:
    return session.scalars(
        select(SiteRow).where(SiteRow.state == "online", SiteRow.last_seen_at < limit)
    ).all()


def local_site_names(session: Session) -> Sequence[str]:
    return session.scalars(
        select(SiteRow.name).where(SiteRow.placement == "local", SiteRow.state != "revoked")
    ).all()


def move_site(session: Session, site: SiteRow, following: str) -> bool:
    """Compare-and-set of a site's state; no new revision, as no person changed anything."""
    done = session.execute(
        update(SiteRow)
        .where(SiteRow.id == site.id, SiteRow.state.in_(states.sources("site", following)))
        .values(state=following)
    )
    assert isinstance(done, CursorResult)
    return done.rowcount == 1


def is_announced(session: Session, pilot_id: str) -> bool:
    """Whether the pilot has an event already."""
    return session.scalar(select(EventRow.id).where(EventRow.pilot_id == pilot_id).limit(1)) is not None


def beat(session: Session, part: str, now: datetime, params: dict[str, Any]) -> bool:
    """Notes that a part lives; whether it was unknown before."""
    row = session.get(HeartbeatRow, part)
    if row is None:
        session.add(HeartbeatRow(part=part, at=now, params=params))
        return True
    row.at, row.params = now, params
    return False


def drop_heartbeat(session: Session, part: str) -> bool:
    row = session.get(HeartbeatRow, part)
    if row is not None:
        session.delete(row)
    return row is not None


def drop_old_heartbeats(session: Session, limit: datetime) -> None:
    """Workers that nobody has heard of since `limit`: each start makes a new one."""
    session.execute(
        delete(HeartbeatRow).where(HeartbeatRow.part.startswith("worker:"), HeartbeatRow.at < limit)
    )
