"""SQL of steps; nobody but the coordinator writes them."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from backend.coordinator.taking_turns import Ready
from backend.db.parts import in_parts
from backend.db.tables import HeartbeatRow, RunRow, SiteRow, StepRow
from backend.runs import states
from backend.runs.attempts import LONGEST_PAUSE_S, LONGEST_STORE_PAUSE_S, STORE_AWAY, TAKEN_BACK
from dimat.schedule import StepKey
from worker.messages.keys import cancel_key, recall_key
from worker.messages.steps import StepLimits

PREPARE_KEY = ""


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


def prepare_steps(session: Session, pilot_id: str, seed: int) -> Sequence[StepRow]:
    return session.scalars(
        select(StepRow).where(
            StepRow.pilot_id == pilot_id, StepRow.seed == seed, StepRow.run_key == PREPARE_KEY
        )
    ).all()


def remove_cancelled_prepare_steps(session: Session, pilot_id: str, seed: int) -> None:
    """So that they can be asked for again: a step that has ended never begins anew. They have made nothing, but a log maybe, which
    goes with them."""
    session.execute(
        delete(StepRow).where(
            StepRow.pilot_id == pilot_id, StepRow.seed == seed, StepRow.run_key == PREPARE_KEY,
            StepRow.state == "cancelled",
        )
    )  # fmt: skip


def prepared(session: Session, pilot_id: str, seed: int) -> set[StepKey]:
    """Sites that have their start model."""
    done = select(StepRow.round, StepRow.kind, StepRow.site_index).where(
        StepRow.pilot_id == pilot_id, StepRow.seed == seed, StepRow.run_key == PREPARE_KEY,
        StepRow.state == "completed",
    )  # fmt: skip
    return {StepKey(round, kind, site) for round, kind, site in session.execute(done)}  # type: ignore[arg-type]  # a column holds plain text


def states_from(session: Session, run_id: str, round: int) -> dict[StepKey, str]:
    """The states of the run's steps of `round` and later. Not the rows: there are thousands of them, asked for in every turn."""
    wanted = select(StepRow.state, StepRow.round, StepRow.kind, StepRow.site_index).where(
        StepRow.run_id == run_id, StepRow.round >= round
    )
    return {StepKey(at, kind, site): state for state, at, kind, site in session.execute(wanted)}  # type: ignore[arg-type]  # likewise


def completed(session: Session, run_id: str, steps: Collection[StepKey]) -> set[StepKey]:
    """Those of the run's `steps` that are completed."""
    found: set[StepKey] = set()
    for site_indexes in in_parts({step.site for step in steps}):
        wanted = select(StepRow.round, StepRow.kind, StepRow.site_index).where(
            StepRow.run_id == run_id, StepRow.round.in_({step.round for step in steps}),
            StepRow.site_index.in_(site_indexes), StepRow.state == "completed",
        )  # fmt: skip
        found |= {StepKey(round, kind, site) for round, kind, site in session.execute(wanted)}  # type: ignore[arg-type]  # likewise
    return found.intersection(steps)


def live_steps(session: Session, run_id: str) -> Sequence[StepRow]:
    return session.scalars(
        select(StepRow).where(StepRow.run_id == run_id, StepRow.state.in_(states.STEP_LIVE))
    ).all()


def flags_of_live(session: Session) -> set[str]:
    """The flags that would stop what goes on. None of them is up, unless the broker remembers a future that this database has not seen:
    it was restored, or has lost its last moments."""
    runs = session.scalars(select(RunRow.id).where(RunRow.state.in_(states.RUN_LIVE - {"cancelling"})))
    steps = session.execute(select(StepRow.id, StepRow.attempt).where(StepRow.state.in_(states.STEP_LIVE)))
    return {cancel_key(id) for id in runs} | {recall_key(id, attempt) for id, attempt in steps}


def bring_back_from_the_future(session: Session, now: datetime) -> None:
    """Times written by a clock that was ahead: nothing would be tried again, and no silence noticed, until it is then."""
    ahead = select(StepRow).where(StepRow.next_try_at > now + timedelta(seconds=LONGEST_PAUSE_S))
    for step in session.scalars(ahead):
        is_away = step.reason is not None and step.reason["code"] == STORE_AWAY
        if not is_away or step.next_try_at > now + timedelta(seconds=LONGEST_STORE_PAUSE_S):  # type: ignore[operator]  # chosen by it
            step.next_try_at = now
    session.flush()
    for time in (StepRow.created_at, StepRow.heartbeat_at, StepRow.dispatched_at):
        session.execute(
            update(StepRow).where(time > now, StepRow.state.in_(states.STEP_LIVE)).values({time: now})
        )
    session.execute(update(SiteRow).where(SiteRow.last_seen_at > now).values(last_seen_at=now))
    session.execute(update(RunRow).where(RunRow.resumed_at > now).values(resumed_at=now))
    session.execute(update(HeartbeatRow).where(HeartbeatRow.at > now).values(at=now))


def under_way(session: Session) -> dict[str, int]:
    """By site how many steps are sent or running."""
    counted = (
        select(StepRow.site_name, func.count())
        .where(StepRow.state.in_(states.STEP_UNDER_WAY))
        .group_by(StepRow.site_name)
    )
    return {site: int(number) for site, number in session.execute(counted)}


def ready_to_send(session: Session, now: datetime, full: Collection[str], most: int) -> list[Ready]:
    """Ready steps whose time has come and whose run is not paused; a `prepare` goes while one run of its seed does. Of each pilot at
    each site the first, at most `most`, and none of the sites that are `full`."""
    sharing = aliased(RunRow)
    needed = exists().where(
        sharing.pilot_id == StepRow.pilot_id, sharing.seed == StepRow.seed, sharing.state == "running"
    )
    in_turn = (StepRow.round, StepRow.id)
    place = func.row_number().over(partition_by=(StepRow.site_name, StepRow.pilot_id), order_by=in_turn)
    chosen = (
        select(StepRow.round, StepRow.id, StepRow.site_name, StepRow.pilot_id, place.label("place"))
        .outerjoin(RunRow, RunRow.id == StepRow.run_id)
        .where(
            StepRow.state == "ready",
            or_(StepRow.next_try_at.is_(None), StepRow.next_try_at <= now),
            or_(RunRow.state == "running", and_(StepRow.run_id.is_(None), needed)),
        )
    )
    if full:
        chosen = chosen.where(StepRow.site_name.not_in(sorted(full)))
    ranked = chosen.subquery()
    rows = session.execute(
        select(ranked.c.round, ranked.c.id, ranked.c.site_name, ranked.c.pilot_id).where(
            ranked.c.place <= most
        )
    )
    return [Ready(*row) for row in rows]


def last_sent(
    session: Session, sites: Collection[str], pilots: Collection[str]
) -> dict[tuple[str, str], datetime]:
    """By site and pilot when a step was last sent, as far as one was."""
    found: dict[tuple[str, str], datetime] = {}
    for some in in_parts(sites):
        latest = (
            select(StepRow.site_name, StepRow.pilot_id, func.max(StepRow.dispatched_at))
            .where(
                StepRow.pilot_id.in_(sorted(pilots)), StepRow.site_name.in_(some), StepRow.dispatched_at.is_not(None)
            )
            .group_by(StepRow.site_name, StepRow.pilot_id)
        )  # fmt: skip
        found |= {(site, pilot): at for site, pilot, at in session.execute(latest) if at is not None}
    return found


def limits_of(session: Session, sites: Collection[str]) -> dict[str, StepLimits]:
    """By site what a step may take there, of those that have limits."""
    limited = select(SiteRow.name, SiteRow.limits).where(SiteRow.limits.is_not(None))
    return {
        name: StepLimits(threads=limits.get("threads"), memory_mb=limits.get("memory_mb"))
        for name, limits in session.execute(limited)
        if name in sites and limits
    }


def ready_from(session: Session, run: RunRow, now: datetime) -> None:
    """Steps that waited while the run was paused: a site keeps them waiting only from now on. That they were taken back is forgotten:
    the next pause would take them for such as have not been sent since."""
    prepares = and_(
        StepRow.pilot_id == run.pilot_id, StepRow.seed == run.seed, StepRow.run_key == PREPARE_KEY
    )
    waited = select(StepRow).where(
        or_(StepRow.run_id == run.id, prepares),
        StepRow.state == "ready",
        or_(StepRow.next_try_at.is_(None), StepRow.next_try_at < now),
    )
    for step in session.scalars(waited):
        step.next_try_at = now
        if step.reason == TAKEN_BACK:
            step.reason = None


_MADE = (
    StepRow.round, StepRow.kind, StepRow.site_index, StepRow.artifact_sha256, StepRow.artifact_bytes, StepRow.extras,
    StepRow.fingerprint,
)  # fmt: skip


def prepared_by(session: Session, pilot_id: str, seed: int, sites: Collection[int]) -> Sequence[Row[Any]]:
    """What these sites have prepared, as far as they have: key, artifacts and fingerprint of each step."""
    return session.execute(
        select(*_MADE).where(
            StepRow.pilot_id == pilot_id, StepRow.seed == seed, StepRow.run_key == PREPARE_KEY,
            StepRow.site_index.in_(sorted(sites)),
        )
    ).all()  # fmt: skip


def made_in(
    session: Session, run_id: str, rounds: Collection[int], sites: Collection[int]
) -> Sequence[Row[Any]]:
    """What these sites have made in these rounds of the run: as `prepared_by`."""
    return session.execute(
        select(*_MADE).where(
            StepRow.run_id == run_id, StepRow.round.in_(sorted(rounds)), StepRow.site_index.in_(sorted(sites)),
            StepRow.state == "completed", StepRow.artifact_sha256.is_not(None),
        )
    ).all()  # fmt: skip


def mark_dispatched(session: Session, sent: Collection[tuple[str, int]], now: datetime) -> None:
    for attempt in sorted({attempt for _, attempt in sent}):
        ids = [step_id for step_id, tried in sent if tried == attempt]
        for some in in_parts(ids):
            session.execute(
                update(StepRow)
                .where(StepRow.id.in_(some), StepRow.attempt == attempt, StepRow.state == "ready")
                .values(state="dispatched", dispatched_at=now)
                .execution_options(synchronize_session=False)
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


def dispatched_to(session: Session, site_names: Collection[str]) -> Sequence[StepRow]:
    """Steps sent to these sites, and not begun."""
    sent = (StepRow.state == "dispatched", StepRow.site_name.in_(site_names))
    return session.scalars(select(StepRow).where(*sent)).all()


def steps_of_revoked_sites(session: Session) -> Sequence[StepRow]:
    """Steps that have not ended and that nobody will do any more."""
    return session.scalars(
        select(StepRow)
        .join(SiteRow, SiteRow.name == StepRow.site_name)
        .where(SiteRow.state == "revoked", StepRow.state.in_(states.STEP_LIVE))
    ).all()
