"""SQL of pilots, their arms and assumptions."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, and_, case, func, or_, select
from sqlalchemy.orm import Session

from backend.db.tables import AmendmentRow, ArmRow, AssumptionsRow, PilotRow, RunRow, StepRow
from dimat.methods import CONTROL_METHOD


def by_id(session: Session, id: str) -> PilotRow | None:
    return session.get(PilotRow, id)


def by_ids(session: Session, ids: Collection[str]) -> Sequence[PilotRow]:
    return session.scalars(select(PilotRow).where(PilotRow.id.in_(ids))).all()


def by_name(session: Session, name: str) -> PilotRow | None:
    return session.scalar(select(PilotRow).where(PilotRow.name == name))


def names_like(session: Session, start: str) -> set[str]:
    """Names of pilots that begin so."""
    found = select(PilotRow.name).where(PilotRow.name.startswith(start, autoescape=True))
    return set(session.scalars(found))


def followers(session: Session, ids: Sequence[str]) -> dict[str, list[PilotRow]]:
    """By pilot those that are its next stage, oldest first."""
    found: dict[str, list[PilotRow]] = {id: [] for id in ids}
    query = select(PilotRow).where(PilotRow.follows_pilot_id.in_(ids)).order_by(PilotRow.id)
    for row in session.scalars(query):
        found[row.follows_pilot_id or ""].append(row)
    return found


@dataclass(frozen=True, slots=True)
class PilotFilter:
    """None, False = any. `with_result`: those of which something can be read, as in `_with_result`. `paused`: those with a run that is.
    `site`: those launched in whose spec the site of this name is."""

    q: str | None = None
    state: str | None = None
    with_result: bool = False
    paused: bool = False
    site: str | None = None


def matching(session: Session, wanted: PilotFilter) -> Select[PilotRow]:
    query = select(PilotRow)
    if wanted.with_result:
        query = query.where(PilotRow.id.in_(_with_result()))
    if wanted.paused:
        query = query.where(PilotRow.id.in_(select(RunRow.pilot_id).where(RunRow.state == "paused")))
    if wanted.site is not None:
        query = query.where(PilotRow.id.in_(_with_site(session, wanted.site)))
    if wanted.q:
        text = wanted.q.lower()
        query = query.where(
            or_(
                func.lower(PilotRow.name).contains(text, autoescape=True),
                func.lower(PilotRow.title).contains(text, autoescape=True),
            )
        )
    return query if wanted.state is None else query.where(PilotRow.state == wanted.state)


def _with_site(session: Session, name: str) -> list[str]:
    """Read here, as databases differ in how they search a list within JSON."""
    rows = session.execute(select(PilotRow.id, PilotRow.spec["sites"]).where(PilotRow.state != "draft"))
    return [id for id, sites in rows if any(site["name"] == name for site in sites)]


def _with_result() -> Select[str]:
    """Ids of pilots in which with some seed all arms have finished a round that count, and one of them merges. An arm whose run has
    ended early holds nobody back, unless it is the one that the others are compared with: that counts as far as it came where it was
    cancelled and the whole pilot has ended, as that may have been cancelled."""
    is_control = RunRow.method == CONTROL_METHOD
    is_out = RunRow.state.in_(("failed", "cancelled"))
    is_over = or_(is_out, RunRow.state == "completed")
    reached = case(
        (and_(RunRow.state == "failed", is_control), 0),
        (and_(is_out, ~is_control), 1),
        else_=RunRow.rounds_done,
    )
    return (
        select(RunRow.pilot_id)
        .where(RunRow.replaced_by.is_(None))
        .group_by(RunRow.pilot_id, RunRow.seed)
        .having(
            func.min(reached) >= 1,
            func.max(case((is_control, 0), else_=RunRow.rounds_done)) >= 1,
            or_(
                func.max(case((and_(is_control, RunRow.state == "cancelled"), 1), else_=0)) == 0,
                and_(
                    func.max(case((~is_over, 1), else_=0)) == 0,
                    func.max(case((or_(is_control, RunRow.state == "failed"), 0), else_=RunRow.rounds_done))
                    >= 1,
                ),
            ),
        )
    )


def latest_assumptions(session: Session, ids: Sequence[str]) -> dict[str, AssumptionsRow]:
    """By pilot; pilots without assumptions are left out."""
    rows = session.scalars(
        select(AssumptionsRow).where(AssumptionsRow.pilot_id.in_(ids)).order_by(AssumptionsRow.version)
    )
    return {row.pilot_id: row for row in rows}


def amendments(session: Session, pilot_ids: Collection[str], *states: str) -> Sequence[AmendmentRow]:
    """In the order in which they were made; in any state where none is named."""
    query = select(AmendmentRow).where(AmendmentRow.pilot_id.in_(pilot_ids))
    if states:
        query = query.where(AmendmentRow.state.in_(states))
    return session.scalars(query.order_by(AmendmentRow.id)).all()


def asked_amendments(session: Session) -> Sequence[AmendmentRow]:
    """Of all pilots, in the order in which they were made."""
    asked = select(AmendmentRow).where(AmendmentRow.state == "asked").order_by(AmendmentRow.id)
    return session.scalars(asked.execution_options(populate_existing=True)).all()


def reached(session: Session, pilot_id: str) -> list[tuple[str, str, int]]:
    """Of each run that counts its id, its arm and the last round of which it has a step."""
    rows = session.execute(
        select(RunRow.id, RunRow.arm, func.max(StepRow.round))
        .join(StepRow, StepRow.run_id == RunRow.id)
        .where(RunRow.pilot_id == pilot_id, RunRow.replaced_by.is_(None))
        .group_by(RunRow.id, RunRow.arm)
    )
    return [(id, arm, int(last)) for id, arm, last in rows]


def run_states(session: Session, ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """Number of runs that count by pilot and state; those that a restarted run stands for are left out."""
    counts: dict[str, dict[str, int]] = {id: {} for id in ids}
    rows = session.execute(
        select(RunRow.pilot_id, RunRow.state, func.count())
        .where(RunRow.pilot_id.in_(ids), RunRow.replaced_by.is_(None))
        .group_by(RunRow.pilot_id, RunRow.state)
    )
    for pilot_id, state, count in rows:
        counts[pilot_id][state] = count
    return counts


def halted(session: Session, ids: Sequence[str]) -> dict[str, list[RunRow]]:
    """By pilot the runs that count and are paused, have failed or were cancelled, by arm and seed."""
    found: dict[str, list[RunRow]] = {id: [] for id in ids}
    halts = (RunRow.state.in_(("paused", "failed", "cancelled")), RunRow.replaced_by.is_(None))
    query = select(RunRow).join(ArmRow, ArmRow.id == RunRow.arm_id).where(RunRow.pilot_id.in_(ids), *halts)
    for row in session.scalars(query.order_by(ArmRow.position, RunRow.seed)):
        found[row.pilot_id].append(row)
    return found
