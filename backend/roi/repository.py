"""SQL behind ROI, figures and summary: reads a pilot's measured facts, sums done by the database."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, cast

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from backend.db.tables import AssumptionsRow, ExchangeRow, MetricRow, PilotRow, RunRow, StepRow
from backend.pilots.amendments import InForce, for_run, in_force
from backend.pilots.assumptions import Assumptions
from backend.pilots.specs import stored_spec
from backend.roi.facts import ArmLabel, Mark, Phase, PilotFacts, Point, RunFacts, Traffic, Usage, site_labels
from backend.roi.restarts import spent_by_all
from backend.runs import absences, effects
from backend.runs.away import AwayAt, away_in
from backend.runs.comparison import ends_of_comparison
from backend.runs.standing import Lineage, standing, was_in_vain
from dimat.absence import Absence
from dimat.plan import launched_plan
from dimat.spec import PilotSpec

_PHASE_ORDER = {"after_merge": 0, "after_train": 1}


@dataclass(frozen=True, slots=True)
class _Measured:
    """What the grouped queries found, by run id."""

    points: dict[str, dict[tuple[int, str], dict[int, tuple[float, float | None]]]]
    usage: dict[str, dict[tuple[int, int], Usage]]
    by_round: dict[str, dict[tuple[int, str], Traffic]]
    by_link: dict[str, dict[tuple[int, int], Traffic]]


def pilot_of_run(session: Session, run_id: str) -> str | None:
    """The pilot's id, or None when there is no such run."""
    return session.scalar(select(RunRow.pilot_id).where(RunRow.id == run_id))


def revision(session: Session, pilot_id: str) -> int | None:
    """A number that grows with every change of the pilot, its runs or its assumptions; None: no such pilot."""
    own = session.scalar(select(PilotRow.revision).where(PilotRow.id == pilot_id))
    if own is None:
        return None
    runs = session.scalar(select(func.sum(RunRow.revision)).where(RunRow.pilot_id == pilot_id))
    return int(own) + int(runs or 0) + (_assumptions(session, pilot_id)[1] or 0)


def run_revision(session: Session, run_id: str) -> int | None:
    """None: no such run."""
    return session.scalar(select(RunRow.revision).where(RunRow.id == run_id))


def load(
    session: Session, pilot_id: str, only_run: str | None = None, with_run: str | None = None
) -> PilotFacts | None:
    """The pilot's facts, or None when there is no such pilot: of each arm and seed the run that counts. With `only_run`: this
    one alone; with `with_run`: this one in place of the one that counts."""
    row = session.get(PilotRow, pilot_id)
    number = revision(session, pilot_id)
    if row is None or number is None:
        return None
    spec = stored_spec(row)
    every = session.scalars(
        select(RunRow).where(RunRow.pilot_id == pilot_id).order_by(RunRow.created_at, RunRow.id)
    ).all()
    runs = _shown(every, only_run, with_run)
    found = _measured(session, [run.id for run in runs], standing(session, runs))
    if only_run is None:
        _add_spent_before(session, runs, every, found)
    assumptions, version = _assumptions(session, pilot_id)
    control = spec.control_arm
    known = in_force(session, pilot_id)
    rows = absences.rows_of(session, [run.id for run in runs])
    gone = {id: tuple(absences.value_of(one, spec) for one in ones) for id, ones in rows.items()}
    away = {run.id: away_in(spec, run.arm, for_run(known, run.id), gone[run.id]) for run in runs}
    ends = ends_of_comparison(spec, known, [(run.id, run.arm, run.seed) for run in runs])
    return PilotFacts(
        id=pilot_id,
        revision=number,
        rounds=spec.rounds,
        sites=site_labels(row.spec["sites"]),
        arms=tuple(_arm_labels(spec)),
        control_arm=control.name if control else None,
        all_site_measured=spec.evaluation.all_site != "none",
        simulated=spec.evaluation.all_site == "shared_set",
        runs=tuple(_run(run, found, spec, away[run.id], gone[run.id], ends.get(run.id)) for run in runs),
        assumptions=assumptions,
        assumptions_version=version,
        amendments=tuple(_marks(spec, known, runs)),
    )


def _arm_labels(spec: PilotSpec) -> Iterator[ArmLabel]:
    control = spec.control_arm
    usual = None if control is None else launched_plan(spec, control.name).train
    for arm in spec.arms:
        differs = usual is not None and launched_plan(spec, arm.name).train != usual
        yield ArmLabel(arm.name, arm.method, differs)


def _marks(spec: PilotSpec, known: Sequence[InForce], runs: Sequence[RunRow]) -> Iterator[Mark]:
    """A mark in each round in which an amendment takes hold; none of one that changes nothing."""
    found = effects.of_all(spec, known, [(run.id, run.arm) for run in runs])
    for one in known:
        for round, changes in groupby(found[one.id].changes, key=lambda change: change.round):
            by, why = one.amendment.by, one.amendment.why
            yield Mark(round, tuple(changes), by, why, one.left_out, one.at)


def _shown(every: Sequence[RunRow], only_run: str | None, with_run: str | None) -> list[RunRow]:
    if only_run is not None:
        return [run for run in every if run.id == only_run]
    instead = {(run.arm_id, run.seed): run for run in every if run.id == with_run}
    return [instead.get((run.arm_id, run.seed), run) for run in every if run.replaced_by is None]


def _add_spent_before(
    session: Session, runs: Sequence[RunRow], every: Sequence[RunRow], found: _Measured
) -> None:
    """With the runs that count what those spent that were restarted."""
    replaced = [run for run in every if run.replaced_by is not None]
    if not replaced:
        return
    theirs = _Measured({}, defaultdict(dict), {}, {})
    _add_usage(session, [run.id for run in replaced], theirs)
    for run in runs:
        others = [one for one in replaced if (one.arm_id, one.seed) == (run.arm_id, run.seed)]
        if run.replaced_by is None and others:
            family = [Lineage(one.id, one.parent_run_id, one.from_round) for one in (run, *others)]
            spent = {run.id: found.usage[run.id], **{one.id: theirs.usage[one.id] for one in others}}
            found.usage[run.id] = dict(spent_by_all(run.id, family, spent))


def _assumptions(session: Session, pilot_id: str) -> tuple[Assumptions | None, int | None]:
    row = session.scalar(
        select(AssumptionsRow)
        .where(AssumptionsRow.pilot_id == pilot_id)
        .order_by(AssumptionsRow.version.desc())
        .limit(1)
    )
    return (Assumptions.model_validate(row.body), row.version) if row else (None, None)


def _run(
    row: RunRow, found: _Measured, spec: PilotSpec, away: AwayAt, gone: tuple[Absence, ...],
    comparison_ends: int | None,
) -> RunFacts:  # fmt: skip
    points = found.points.get(row.id, {})
    return RunFacts(
        id=row.id,
        arm=row.arm,
        method=row.method,
        seed=row.seed,
        state=row.state,
        rounds=row.rounds,
        rounds_done=row.rounds_done,
        revision=row.revision,
        bytes_exchanged=row.bytes_exchanged,
        busy_s=row.busy_s,
        points=tuple(
            _point(at, points[at], len(spec.sites), away)
            for at in sorted(points, key=lambda at: (at[0], _PHASE_ORDER[at[1]]))
        ),
        usage=found.usage.get(row.id, {}),
        by_round=found.by_round.get(row.id, {}),
        by_link=found.by_link.get(row.id, {}),
        comparison_ends=comparison_ends,
        absences=gone,
        stopped_by=str(((row.reason or {}).get("params") or {}).get("at", "")),
    )


def _point(
    at: tuple[int, str], values: dict[int, tuple[float, float | None]], num_sites: int, away: AwayAt
) -> Point:
    both = [values.get(site, (None, None)) for site in range(num_sites)]
    round, phase = at[0], cast(Phase, at[1])
    own, rest = tuple(own for own, _ in both), tuple(rest for _, rest in both)
    return Point(round, phase, own, rest, away(round, phase))


def _measured(session: Session, run_ids: Sequence[str], stands: Mapping[str, int]) -> _Measured:
    """`stands`: see `runs.standing`. What is shown of the traffic of a restarted run goes by it; what it spent is all told."""
    found = _Measured(
        defaultdict(lambda: defaultdict(dict)), defaultdict(dict), defaultdict(dict), defaultdict(dict)
    )
    metrics = select(
        MetricRow.run_id, MetricRow.round, MetricRow.phase, MetricRow.site_index,
        MetricRow.own_site, MetricRow.all_site,
    ).where(MetricRow.run_id.in_(run_ids))  # fmt: skip
    for run, round, phase, site, own, rest in session.execute(metrics):
        found.points[run][round, phase][site] = (own, rest)
    for run, round, purpose, accepted, wasted in session.execute(
        _traffic(run_ids, stands, ExchangeRow.round, ExchangeRow.purpose)
    ):
        found.by_round[run][round, purpose] = Traffic(int(accepted), int(wasted))
    for run, a, b, accepted, wasted in session.execute(
        _traffic(run_ids, stands, ExchangeRow.from_index, ExchangeRow.to_index)
    ):
        found.by_link[run][a, b] = Traffic(int(accepted), int(wasted))
    _add_usage(session, run_ids, found)
    return found


def _traffic(run_ids: Sequence[str], stands: Mapping[str, int], *by: Any) -> Select[Any]:
    in_vain = was_in_vain(stands)
    accepted = case((in_vain, 0), else_=ExchangeRow.num_bytes)
    wasted = case((in_vain, ExchangeRow.num_bytes), else_=0)
    return (
        select(ExchangeRow.run_id, *by, func.sum(accepted), func.sum(wasted))
        .where(ExchangeRow.run_id.in_(run_ids))
        .group_by(ExchangeRow.run_id, *by)
    )


def _add_usage(session: Session, run_ids: Sequence[str], found: _Measured) -> None:
    """All that was spent, whether or not it led to anything: a transfer that was refused and an attempt that broke off were
    paid for like the others."""
    at = (StepRow.run_id, StepRow.round, StepRow.site_index)
    of_use = StepRow.state == "completed"
    steps = (
        select(
            *at,
            func.sum(case((of_use, func.coalesce(StepRow.cpu_s, 0.0)), else_=0.0)),
            func.sum(case((of_use, func.coalesce(StepRow.gpu_s, 0.0)), else_=0.0)),
            func.sum(StepRow.wasted_cpu_s),
            func.sum(StepRow.wasted_gpu_s),
            func.sum(StepRow.unmeasured_attempts),
        )
        .where(StepRow.run_id.in_(run_ids))
        .group_by(*at)
    )
    fetched = {
        (run, round, site): Traffic(int(accepted), int(wasted))
        for run, round, site, accepted, wasted in session.execute(
            _traffic(run_ids, {}, ExchangeRow.round, ExchangeRow.to_index)
        )
    }
    spent = {
        (run, round, site): (float(cpu), float(gpu), float(cpu_lost), float(gpu_lost), int(unmeasured))
        for run, round, site, cpu, gpu, cpu_lost, gpu_lost, unmeasured in session.execute(steps)
    }
    for run, round, site in fetched.keys() | spent.keys():
        cpu, gpu, cpu_lost, gpu_lost, unmeasured = spent.get((run, round, site), (0.0, 0.0, 0.0, 0.0, 0))
        traffic = fetched.get((run, round, site), Traffic(0, 0))
        found.usage[run][round, site] = Usage(
            cpu_s=cpu + cpu_lost,
            gpu_s=gpu + gpu_lost,
            num_bytes=traffic.accepted_bytes + traffic.wasted_bytes,
            wasted_cpu_s=cpu_lost,
            wasted_gpu_s=gpu_lost,
            wasted_bytes=traffic.wasted_bytes,
            unmeasured=unmeasured,
        )
