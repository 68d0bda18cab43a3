"""Reports doubled, swapped or from someone else: the rows end the same."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from backend.coordinator.changes import Changes
from backend.coordinator.ingest import Ingest
from backend.coordinator.memory import Plans
from backend.coordinator.runs_repository import add_to_run
from backend.db.session import Database
from backend.db.tables import ArmRow, EventRow, ExchangeRow, MetricRow, PilotRow, RunRow, StepRow
from backend.roi import repository as roi
from backend.roi.facts import Usage
from backend.runs.attempts import MISSING_ATTEMPTS, STORE_ATTEMPTS, pause_s
from dimat.packed import pack
from dimat.spec import PilotSpec, spec_sha256
from worker.messages.refs import ArtifactRef, CheckpointRef, EpochsDone
from worker.messages.reports import (
    Accuracies,
    ExchangeReport,
    FetchDue,
    MatchedReport,
    Report,
    StepBeat,
    StepCancelled,
    StepFailed,
    StepFinished,
    StepStarted,
    WorkerLost,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STEP = "step"


def spec() -> PilotSpec:
    data = {"kind": "sample", "dataset": "pendigits"}
    sites = [{"name": "a", "display_name": "Plant A", "data": data}, {"name": "b", "data": data}]
    return PilotSpec.model_validate(
        {"name": "p", "rounds": 1, "sites": sites, "arms": [{"name": "merged", "method": "dimat"}]}
    )


class Rows:
    """One run with one merge step that has been sent."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.ingest = Ingest(Plans(), max_attempts=3)
        with self.database.write() as session:
            for table in (ExchangeRow, MetricRow, StepRow, RunRow, ArmRow, PilotRow):
                session.query(table).delete()
            session.add(
                PilotRow(
                    id="pilot", name="p", spec=spec().model_dump(mode="json"), spec_sha256=spec_sha256(spec()),
                    created_by="t",
                )
            )  # fmt: skip
            session.flush()
            session.add(ArmRow(id="arm", pilot_id="pilot", position=0, name="merged", method="dimat"))
            session.flush()
            session.add(
                RunRow(
                    id="run", pilot_id="pilot", arm_id="arm", arm="merged", method="dimat", seed=1, rounds=1,
                    num_sites=2, state="running",
                )
            )  # fmt: skip
            session.flush()
            session.add(
                StepRow(
                    id=STEP, pilot_id="pilot", run_id="run", run_key="run", seed=1, round=1, kind="merge",
                    site_index=0, site_name="a", state="dispatched", dispatched_at=NOW,
                )
            )  # fmt: skip

    def take(self, *reports: Report, at_once: int = 1) -> None:
        """`at_once`: so many in each batch."""
        for first in range(0, len(reports), at_once):
            with self.database.write() as session:
                changes = self.ingest.take_all(session, reports[first : first + at_once], NOW)
                for run_id, amounts in changes.runs.items():
                    add_to_run(session, run_id, amounts)

    def step(self) -> StepRow:
        with self.database.read() as session:
            return session.get_one(StepRow, STEP)

    def state(self) -> dict[str, Any]:
        """All that counts; not when it became known."""
        with self.database.read() as session:
            step, run = session.get_one(StepRow, STEP), session.get_one(RunRow, "run")
            exchanges = session.scalars(select(ExchangeRow).order_by(ExchangeRow.id)).all()
            metrics = session.scalars(select(MetricRow)).all()
            return {
                "step": (step.state, step.attempt, step.execution_id, step.artifact_sha256, step.progress),
                "training": (step.checkpoint, step.resumed),
                "fetches": step.fetches,
                "run": (run.bytes_exchanged, run.bytes_uploaded, run.bytes_wasted, run.busy_s, run.cpu_s),
                "exchanges": [(e.id, e.result, e.num_bytes, e.attempt) for e in exchanges],
                "metrics": [(m.phase, m.round, m.own_site) for m in metrics],
            }


@pytest.fixture
def rows(database_url: str) -> Iterator[Rows]:
    made = Rows(database_url)
    yield made
    made.database.close()


def about(execution: str = "e1", attempt: int = 1, seq: int = 0) -> dict[str, Any]:
    return {"worker_id": "w", "step_id": STEP, "attempt": attempt, "execution_id": execution, "seq": seq}


def started(**who: Any) -> StepStarted:
    due = FetchDue(from_index=1, purpose="merge", num_bytes=100)
    return StepStarted(device="cpu", pid=1, fetches=(due,), **about(**who))


FETCHED = ExchangeReport(from_index=1, to_index=0, purpose="merge", num_bytes=100, seconds=0.1)


def finished(device: str = "cpu", **who: Any) -> StepFinished:
    return StepFinished(
        artifact=ArtifactRef(sha256="a" * 64, num_bytes=90),
        accuracies=Accuracies(own_site=0.9, all_site=0.8, validation=0.7),
        exchanges=(FETCHED,), uploaded_bytes=90, seconds=2.0, cpu_s=1.5, device=device, num_epochs=3, **about(**who),
    )  # fmt: skip


LEFT = [
    CheckpointRef(
        artifact=ArtifactRef(sha256=f"{done:064x}", num_bytes=9), epochs=EpochsDone(done=done, asked=3)
    )
    for done in (1, 2)
]
ONCE: list[Report] = [
    started(),
    StepBeat(progress=0.1, exchanges=(FETCHED,), **about(seq=1)),
    *(StepBeat(progress=0.5, checkpoint=left, **about(seq=2 + at)) for at, left in enumerate(LEFT)),
    finished(seq=4),
]
UNFINISHED = ONCE[:-1]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from([ONCE, UNFINISHED]).flatmap(
        lambda once: st.tuples(
            st.just(once),
            st.lists(st.sampled_from(once), max_size=6).flatmap(lambda more: st.permutations([*once, *more])),
        )
    ),
    st.integers(1, 9),
)
def test_reports_doubled_and_reordered_end_in_the_same_state_in_whatever_batches_they_come(
    sqlite_template: Path, told: tuple[list[Report], list[Report]], at_once: int
) -> None:
    once, reports = told
    scratch = sqlite_template.with_name("ingest.sqlite")
    if not scratch.exists():
        scratch.write_bytes(sqlite_template.read_bytes())
    rows = Rows(f"sqlite:///{scratch}")
    try:
        rows.take(*once)
        expected = rows.state()
        rows.database.close()
        rows = Rows(f"sqlite:///{scratch}")
        rows.take(*reports, at_once=at_once)
        assert rows.state() == expected
        assert expected["step"][:2] == ("completed" if once is ONCE else "running", 1)
        left = None if once is ONCE else {"attempt": 1, "furthest": 2, **LEFT[-1].model_dump()}
        assert expected["training"] == (left, None)
        kept = {
            "due": [{"from_index": 1, "purpose": "merge", "num_bytes": 100}],
            "told": [FETCHED.model_dump()],
        }
        assert expected["fetches"] == (None if once is ONCE else kept)
    finally:
        rows.database.close()


@pytest.mark.parametrize(("from_index", "to_index"), [(2, 0), (999, 0), (0, 1), (0, 0)])
@pytest.mark.parametrize("execution", ["e1", "another"])
def test_a_report_of_an_exchange_that_cannot_have_been_changes_nothing(
    rows: Rows, from_index: int, to_index: int, execution: str
) -> None:
    """Booked, it would be read by the index of a site that does not exist: the run's list would fail for ever."""
    rows.take(started())
    before = rows.state()
    exchange = ExchangeReport(
        from_index=from_index, to_index=to_index, purpose="merge", num_bytes=100, seconds=0.1
    )
    impossible = finished(execution=execution).model_copy(update={"exchanges": (exchange,)})
    with pytest.raises(ValueError, match=f"from site {from_index} to site {to_index}"):
        rows.take(impossible)
    assert rows.state() == before
    rows.take(finished())
    assert rows.state()["step"][0] == "completed"


def test_an_exchange_that_is_told_twice_counts_for_nothing(rows: Rows) -> None:
    rows.take(started())
    before, once = rows.state(), finished().exchanges[0]
    with pytest.raises(ValueError, match="tells twice"):
        rows.take(finished().model_copy(update={"exchanges": (once, once)}))
    assert rows.state() == before


def test_a_second_execution_of_an_attempt_does_not_count_and_its_bytes_are_wasted(rows: Rows) -> None:
    rows.take(started(), started(execution="e2"), finished(execution="e2"), finished(execution="e2"))
    assert rows.step().state == "running"
    assert rows.step().execution_id == "e1"
    assert rows.state()["run"][:3] == (0, 0, 100)
    rows.take(finished())
    assert rows.state()["run"][:3] == (100, 90, 100)


@pytest.mark.parametrize(("device", "gpu_s"), [("cpu", 0.0), ("cuda:0", 2.0)])
def test_a_run_counts_processor_and_gpu_time_as_its_roi_does(rows: Rows, device: str, gpu_s: float) -> None:
    rows.take(started(), finished(device=device))
    with rows.database.read() as session:
        run, facts = session.get_one(RunRow, "run"), roi.load(session, "pilot")
    assert facts is not None
    (usage,) = facts.run("run").usage.values()
    assert (run.cpu_s, run.gpu_s) == (usage.cpu_s, usage.gpu_s) == (1.5, gpu_s)


def spent(rows: Rows) -> tuple[Usage, RunRow]:
    with rows.database.read() as session:
        run, facts = session.get_one(RunRow, "run"), roi.load(session, "pilot")
        assert facts is not None
        (usage,) = facts.run("run").usage.values()
        return usage, run


@pytest.mark.parametrize("retryable", [True, False])
def test_a_failed_attempt_costs_the_time_it_said_once(rows: Rows, retryable: bool) -> None:
    failed = StepFailed(
        code="store_unreachable", params={}, retryable=retryable, seconds=4, cpu_s=3, **about()
    )
    rows.take(started(), failed, failed)
    usage, run = spent(rows)
    assert (usage.cpu_s, usage.wasted_cpu_s, usage.gpu_s, usage.unmeasured) == (3.0, 3.0, 0.0, 0)
    assert (run.cpu_s, run.busy_s) == (3.0, 4.0)


def test_a_cancelled_attempt_on_a_gpu_costs_its_time(rows: Rows) -> None:
    rows.take(StepStarted(device="cuda:0", pid=1, **about()), StepCancelled(seconds=4, cpu_s=3, **about()))
    usage, run = spent(rows)
    assert (usage.cpu_s, usage.gpu_s, usage.unmeasured) == (run.cpu_s, run.gpu_s, 0) == (3.0, 4.0, 0)


def test_of_a_lost_attempt_the_time_up_to_its_last_sign_of_life_counts(rows: Rows) -> None:
    rows.take(started())
    with rows.database.write() as session:
        changes = rows.ingest.take_all(
            session, [StepBeat(progress=0.5, **about(seq=1))], NOW + timedelta(seconds=8)
        )
        changes.join(rows.ingest.take_all(session, [WorkerLost(worker_id="w")], NOW + timedelta(seconds=30)))
        for run_id, amounts in changes.runs.items():
            add_to_run(session, run_id, amounts)
    rows.take(started(execution="e2", attempt=2), finished(execution="e2", attempt=2))
    usage, run = spent(rows)
    assert (usage.cpu_s, usage.wasted_cpu_s, usage.unmeasured) == (8 + 1.5, 8.0, 1)
    assert (run.cpu_s, run.busy_s) == (8 + 1.5, 8 + 2.0)


def test_a_killed_process_is_not_taken_to_have_run_no_time_at_all(rows: Rows) -> None:
    """The parent speaks for it, and knows of no time."""
    rows.take(started())
    killed = StepFailed(code="worker_lost", params={}, retryable=True, seconds=0.0, **about())
    with rows.database.write() as session:
        rows.ingest.take_all(session, [StepBeat(progress=0.5, **about(seq=1))], NOW + timedelta(seconds=8))
        rows.ingest.take_all(session, [killed], NOW + timedelta(seconds=9))
    usage, _ = spent(rows)
    assert (usage.wasted_cpu_s, usage.unmeasured) == (8.0, 1)


def test_a_message_that_got_lost_cost_nothing(rows: Rows) -> None:
    with rows.database.write() as session:
        rows.ingest.lose(
            session, session.get_one(StepRow, STEP), {"code": "message_lost", "params": {}}, NOW, Changes()
        )
    assert rows.step().state == "ready"
    usage, _ = spent(rows)
    assert usage == Usage()


def test_a_lost_worker_leads_to_the_next_attempt_and_the_old_one_no_longer_counts(rows: Rows) -> None:
    rows.take(started(), WorkerLost(worker_id="w"))
    assert (rows.step().state, rows.step().attempt) == ("ready", 2)
    rows.take(finished())
    assert (rows.step().state, rows.step().attempt) == ("ready", 2)
    assert rows.state()["run"][2] == 100


def test_the_last_attempt_that_is_lost_fails_the_step_with_its_reason(rows: Rows) -> None:
    for attempt in (1, 2, 3):
        rows.take(started(execution=f"e{attempt}", attempt=attempt), WorkerLost(worker_id="w"))
    step = rows.step()
    assert step.state == "failed"
    assert step.reason == {
        "code": "attempts_used_up",
        "params": {"kind": "merge", "site": "Plant A", "round": 1, "attempts": 3, "cause": "worker_lost"},
    }


def test_each_attempt_that_is_lost_is_told_with_its_cause_and_the_next_one_only_where_it_comes(
    rows: Rows,
) -> None:
    for attempt in (1, 2, 3):
        rows.take(started(execution=f"e{attempt}", attempt=attempt), WorkerLost(worker_id="w"))
    with rows.database.read() as session:
        told = [(row.code, row.params["attempt"], row.params.get("cause")) for row in session.scalars(
            select(EventRow).where(EventRow.code.in_(("attempt_lost", "step_retried"))).order_by(EventRow.id)
        )]  # fmt: skip
    lost = [("attempt_lost", attempt, "worker_lost") for attempt in (1, 2, 3)]
    assert told == [lost[0], ("step_retried", 2, None), lost[1], ("step_retried", 3, None), lost[2]]


def test_a_model_that_stays_damaged_ends_the_step_by_its_name_not_by_a_count(rows: Rows) -> None:
    reason = {"sha256": "a" * 64, "problem": "p"}
    for attempt in (1, 2, 3):
        assert rows.step().state != "failed"
        who: dict[str, Any] = {"execution": f"e{attempt}", "attempt": attempt}
        unread = StepFailed(code="artifact_invalid", params=reason, retryable=True, seconds=1, **about(**who))
        rows.take(started(**who), unread)
    assert (rows.step().state, rows.step().reason) == (
        "failed",
        {"code": "artifact_invalid", "params": reason},
    )


def test_a_model_that_is_not_there_yet_is_waited_for_some_minutes(rows: Rows) -> None:
    """Caches of shared directories know of a new file after a minute or two."""
    params = {"sha256": "a" * 64}
    for attempt in range(1, MISSING_ATTEMPTS + 1):
        assert rows.step().state != "failed"
        who: dict[str, Any] = {"execution": f"e{attempt}", "attempt": attempt}
        missing = StepFailed(
            code="artifact_missing", params=params, retryable=True, seconds=1, **about(**who)
        )
        rows.take(started(**who), missing)
    assert (rows.step().state, rows.step().reason) == (
        "failed",
        {"code": "artifact_missing", "params": params},
    )
    assert 5 * 60 < sum(pause_s(attempt) for attempt in range(2, MISSING_ATTEMPTS + 1)) < 10 * 60


def test_a_store_that_is_away_costs_a_step_no_attempt_of_those_that_count(rows: Rows) -> None:
    """More attempts than a worker may lose, then as many of these in a row as if nothing had been; about three days in all."""

    def away(attempt: int) -> tuple[Report, Report]:
        execution = f"e{attempt}"
        failed = StepFailed(
            code="store_unreachable", params={"error": "No space left on device"}, retryable=True, seconds=1,
            **about(execution=execution, attempt=attempt),
        )  # fmt: skip
        return started(execution=execution, attempt=attempt), failed

    for attempt in range(1, 8):
        rows.take(*away(attempt))
    assert (rows.step().state, rows.step().attempt, rows.step().strikes) == ("ready", 8, 0)
    for attempt in (8, 9):
        rows.take(started(execution=f"e{attempt}", attempt=attempt), WorkerLost(worker_id="w"))
    assert (rows.step().state, rows.step().strikes) == ("ready", 2)
    last = 9 + STORE_ATTEMPTS
    for attempt in range(10, last + 1):
        assert rows.step().state == "ready"
        rows.take(*away(attempt))
    assert rows.step().state == "failed"
    assert rows.step().reason == {
        "code": "store_away_too_long",
        "params": {
            "kind": "merge", "site": "Plant A", "round": 1, "attempt": last, "attempts": last,
            "error": "No space left on device",
        },
    }  # fmt: skip
    pauses = (pause_s(attempt, "store_unreachable") for attempt in range(2, STORE_ATTEMPTS + 1))
    assert 64 * 3600 < sum(pauses) < 80 * 3600


def test_a_failure_that_may_pass_is_tried_again_and_one_that_may_not_is_not(rows: Rows) -> None:
    passing = StepFailed(code="store_unreachable", params={}, retryable=True, seconds=1, **about())
    rows.take(started(), passing, passing)
    assert (rows.step().state, rows.step().attempt) == ("ready", 2)
    final = StepFailed(
        code="non_finite_params", params={"site": "a", "tensor": "x"}, retryable=False, seconds=1,
        **about(execution="e2", attempt=2),
    )  # fmt: skip
    rows.take(started(execution="e2", attempt=2), final)
    assert rows.step().state == "failed"
    assert rows.step().reason == {
        "code": "non_finite_params", "params": {"site": "Plant A", "tensor": "x"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("neighbours", "data"),
    [((0,), pack([np.arange(4)])), ((7,), pack([np.arange(4)])), ((1,), pack([np.arange(4)] * 2))],
    ids=["the site itself", "no such site", "not as many as neighbours"],
)
def test_matches_that_cannot_be_are_refused_and_leave_nothing(
    rows: Rows, neighbours: tuple[int, ...], data: str
) -> None:
    told = MatchedReport(num_units=4, neighbours=neighbours, data=data)
    rows.take(started())
    before = rows.state()
    with pytest.raises(ValueError, match=r"matches with|packed permutations"):
        rows.take(finished().model_copy(update={"matched": told}))
    assert rows.state() == before
