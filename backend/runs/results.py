"""What a run measured, in the shape that `demo --json` and `simulate --json` write too."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy.orm import Session

from backend.db.tables import MetricRow, RunRow, utc_now
from backend.pilots import service as pilots
from backend.pilots.amendments import InForce, amendments_of, for_run, in_force
from backend.pilots.specs import stored_spec
from backend.runs import absences, repository, service
from backend.runs.schemas import (
    Accuracies,
    AccuracyOfSites,
    Result,
    ResultPilot,
    RoundResult,
    RunResult,
)
from backend.runs.standing import set_aside
from backend.text.schemas import Text
from dimat.absence import RunAbsence
from dimat.plan import Amendment, RunKey
from dimat.schedule import Schedule
from dimat.spec import PilotSpec


def of_pilot(session: Session, pilot_id: str) -> Result:
    """Of an arm and seed the run that counts: the last that was restarted. Raises: NotFound."""
    pilot = pilots.row_of(session, pilot_id)
    spec = stored_spec(pilot)
    runs = repository.counting_in(session, pilot_id)
    ids = [run.id for run in runs]
    metrics, apart = repository.metrics(session, ids), repository.cycle_inconsistencies(session, ids)
    amended, gone = in_force(session, pilot_id), absences.rows_of(session, ids)
    return Result(
        pilot=ResultPilot(
            name=pilot.name,
            spec_sha256=pilot.spec_sha256,
            sites=list(spec.site_names),
            rounds=spec.rounds,
            spec=spec,
            amendments=[_with_left_out(one, runs) for one in amended],
            absences=[
                RunAbsence(arm=run.arm, seed=run.seed, **dict(absences.value_of(row, spec)))
                for run in runs
                for row in gone[run.id]
            ],
        ),
        runs=[
            _result(session, run, spec, for_run(amended, run.id), metrics[run.id], apart[run.id])
            for run in runs
        ],
    )


def of_run(session: Session, run_id: str) -> RunResult:
    """Raises: NotFound."""
    run = service.row_of(session, run_id)
    spec, amendments = service.spec_of(session, run), amendments_of(session, run.pilot_id, run.id)
    metrics = repository.metrics(session, [run.id])[run.id]
    apart = repository.cycle_inconsistencies(session, [run.id])[run.id]
    return _result(session, run, spec, amendments, metrics, apart)


def rounds(
    run: RunRow,
    spec: PilotSpec,
    amendments: Sequence[Amendment],
    metrics: Iterable[MetricRow],
    apart: Mapping[int, float],
) -> list[RoundResult]:
    """One entry per round that all sites have finished, from the start state on: a mean over the sites that
    happen to be done first would be another number. `apart`: cycle inconsistency by round."""
    plan_of = Schedule.of(spec, run.arm, amendments).plan_of
    at: defaultdict[tuple[int, str], list[MetricRow]] = defaultdict(list)
    for metric in metrics:
        at[metric.round, metric.phase].append(metric)
    return [
        RoundResult(
            round=round,
            merged=round > 0 and plan_of(round).merges_in(round),
            after_merge=_accuracies(spec, at[round, "after_merge"]),
            after_train=_accuracies(spec, at[round, "after_train"]),
            cycle_inconsistency=apart.get(round),
        )
        for round in range(run.rounds_done + 1)
    ]


def _with_left_out(one: InForce, runs: Iterable[RunRow]) -> Amendment:
    late = tuple(RunKey(arm=run.arm, seed=run.seed) for run in runs if run.id in one.left_out)
    return one.amendment.model_copy(update={"left_out": late})


def _result(
    session: Session, run: RunRow, spec: PilotSpec, amendments: Sequence[Amendment],
    metrics: Sequence[MetricRow], apart: Mapping[int, float],
) -> RunResult:  # fmt: skip
    aside = set_aside(session, [run]).get(run.id, 0)
    return RunResult.model_validate(
        {
            "arm": run.arm, "method": run.method, "seed": run.seed, "state": run.state,
            "reason": None if run.reason is None else Text.model_validate(run.reason),
            "rounds": rounds(run, spec, amendments, metrics, apart),
            "bytes_exchanged": run.bytes_exchanged - aside, "bytes_uploaded": run.bytes_uploaded,
            "bytes_evaluation": run.bytes_evaluation, "bytes_wasted": run.bytes_wasted + aside,
            "busy_s": run.busy_s, "seconds": service.seconds(run, utc_now()),
            "final_artifacts": repository.final_artifacts(session, run),
        }
    )  # fmt: skip


def _accuracies(spec: PilotSpec, metrics: Sequence[MetricRow]) -> Accuracies | None:
    if not metrics:
        return None
    names = spec.site_names
    return Accuracies(
        all_site=_of_sites({names[m.site_index]: m.all_site for m in metrics}),
        own_site=_of_sites({names[m.site_index]: m.own_site for m in metrics}),
    )


def _of_sites(values: dict[str, float | None]) -> AccuracyOfSites | None:
    known = {name: value for name, value in values.items() if value is not None}
    if not known:
        return None
    # Summed in the order of the sites, as `simulate` does, so that equal runs give equal means.
    return AccuracyOfSites(mean=sum(known.values()) / len(known), by_site=known)
