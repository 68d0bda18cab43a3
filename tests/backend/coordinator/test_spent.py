"""What was spent is told alike by the pilot's ledger, a run's ledger, a run's counters and ROI, however often a run is restarted."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.db.tables import ExchangeRow, RunRow, StepRow
from backend.errors import Conflict, Invalid
from backend.exchanges import service as exchanges
from backend.roi import repository
from backend.roi import service as roi
from backend.runs import asks, results, service
from backend.runs.states import RUN_ENDS
from tests.backend.coordinator.stage import MODEL_BYTES, SITES, Stage, finished
from tests.backend.coordinator.test_restart import restarted
from tests.backend.coordinator.test_silence import LIMIT_S, lead, pilot
from worker.messages.reports import ExchangeReport, FetchDue, Report, StepBeat, StepFailed
from worker.messages.steps import MergeMessage, StepMessage

RUN = "p/dimat"
A_WHILE = int(LIMIT_S) + 25
Execution = tuple[StepMessage, dict[str, Any]]


def begin(stage: Stage, message: StepMessage) -> Execution:
    """Says beforehand what it will fetch."""
    due = tuple(
        FetchDue(from_index=index, purpose="merge", num_bytes=MODEL_BYTES) for index in _read_by(message)
    )
    return message, stage.begin(stage.take(message), fetches=due)


def _read_by(message: StepMessage) -> list[int]:
    return [one.index for one in message.neighbours] if isinstance(message, MergeMessage) else []


def fetched(message: StepMessage, most: int = 9) -> tuple[ExchangeReport, ...]:
    return tuple(
        ExchangeReport(
            from_index=index, to_index=message.context.index, purpose="merge", num_bytes=MODEL_BYTES, seconds=0.1
        )
        for index in _read_by(message)[:most]
    )  # fmt: skip


def fail(stage: Stage, of: Execution) -> None:
    """All was fetched, and for nothing."""
    message, about = of
    stage.post.report(
        StepFailed(
            code="store_unreachable", params={"error": "x"}, retryable=True, seconds=7.0, cpu_s=6.0,
            exchanges=fetched(message), **about,
        )
    )  # fmt: skip


def lead_but(stage: Stage, is_held: Callable[[StepMessage], bool], *online: str) -> list[StepMessage]:
    """A second in which the sites `online` do all but what is held, which is what comes back."""
    stage.beat("w", *online)
    stage.turn()
    held = []
    for message in stage.waiting():
        if message.context.site.name not in online:
            continue
        if is_held(message):
            held.append(message)
        else:
            stage.finish(message, stage.begin(stage.take(message)))
    return held


def merge_of_c_in_round_2(stage: Stage) -> StepMessage:
    stage.launch(pilot("skip"))
    held: list[StepMessage] = []
    while not held:
        held = lead_but(stage, lambda message: message.kind == "merge" and message.round == 2 and message.context.index == 2, *SITES)  # fmt: skip
    return held[0]


def work_through(stage: Stage, run_id: str, *online: str) -> None:
    while stage.run(run_id).state not in RUN_ENDS:
        lead(stage, 1, *online)


def check(stage: Stage) -> None:
    """That all agree."""
    with stage.database.read() as session:
        (facts,) = roi.pilot_facts(session, "p").runs
        ledger, usage = exchanges.of_pilot(session, "p"), list(facts.usage.values())
        wasted = next(one for one in ledger.by_purpose if one.purpose == "wasted")
        assert sum(one.num_bytes for one in usage) == ledger.total.num_bytes
        assert sum(one.wasted_bytes for one in usage) == wasted.num_bytes
        assert sum(one.cpu_s for one in usage) == pytest.approx(cpu_s_of_all(session))
        runs = {run.id: run for run in session.scalars(select(RunRow))}
        for run in runs.values():
            of_run = exchanges.of_run(session, run.id)
            in_vain = sum(one.num_bytes for one in of_run.by_purpose if one.purpose == "wasted")
            for told in (service.get(session, run.id), results.of_run(session, run.id)):
                assert (told.bytes_exchanged, told.bytes_wasted) == (
                    of_run.total.num_bytes - in_vain,
                    in_vain,
                )
            assert drawn_of(session, run.id) == (of_run.total.num_bytes - in_vain, in_vain)
            if run.parent_run_id is None or run.started_at is None:
                continue
            assert rows_of(session, run.id, run.from_round) == rows_of(
                session, run.parent_run_id, run.from_round
            )
            assert cpu_s_in(session, run.id, run.from_round) == cpu_s_in(
                session, run.parent_run_id, run.from_round
            )


def drawn_of(session: Session, run_id: str) -> tuple[int, int]:
    """What the figure of a run's communication shows as of use, and as wasted."""
    facts = repository.load(session, "p", only_run=run_id)
    assert facts is not None
    traffic = facts.runs[0].by_round.values()
    return sum(one.accepted_bytes for one in traffic), sum(one.wasted_bytes for one in traffic)


_CPU_S = func.sum(func.coalesce(StepRow.cpu_s, 0.0) + StepRow.wasted_cpu_s)


def cpu_s_of_all(session: Session) -> float:
    """Of what each run did itself."""
    own = RunRow.from_round.is_(None) | (StepRow.round > RunRow.from_round)
    return session.scalar(select(_CPU_S).join(RunRow, RunRow.id == StepRow.run_id).where(own)) or 0.0


def cpu_s_in(session: Session, run_id: str, up_to: int | None) -> float:
    return session.scalar(select(_CPU_S).where(StepRow.run_id == run_id, StepRow.round <= up_to)) or 0.0


def rows_of(session: Session, run_id: str, up_to: int | None) -> list[tuple[Any, ...]]:
    row = ExchangeRow
    what = (row.round, row.from_index, row.to_index, row.attempt, row.result, row.num_bytes, row.unknown_bytes)  # fmt: skip
    chosen = select(*what).where(row.run_id == run_id, row.round <= up_to)
    return sorted(tuple(one) for one in session.execute(chosen))


def test_what_a_step_spent_that_a_run_went_on_without_is_paid_for_after_a_restart_too(stage: Stage) -> None:
    fail(stage, begin(stage, merge_of_c_in_round_2(stage)))
    work_through(stage, RUN, "a", "b")
    assert {step.state for step in stage.steps(RUN) if step.wasted_cpu_s} == {"skipped"}
    check(stage)
    child = restarted(stage, RUN, 3).run.id
    check(stage)  # before it has begun
    work_through(stage, child, "a", "b")
    check(stage)
    assert stage.run(child).bytes_wasted == MODEL_BYTES


def test_what_is_told_late_of_a_step_is_told_of_the_run_that_has_taken_it_over(stage: Stage) -> None:
    """Of one that has taken it over from that one, too."""
    message, about = begin(stage, merge_of_c_in_round_2(stage))
    stage.turn()
    stage.lose_worker()
    work_through(stage, RUN, "a", "b")
    child = restarted(stage, RUN, 3).run.id
    work_through(stage, child, "a", "b")
    grandchild = restarted(stage, child, 2, key="again").run.id
    work_through(stage, grandchild, "a", "b")
    with stage.database.read() as session:
        assert [row[4:] for row in rows_of(session, grandchild, 2) if row[2] == 2 and row[0] == 2] == [
            ("unconfirmed", 0, MODEL_BYTES)
        ]
    fail(stage, (message, about))
    stage.turn()
    check(stage)
    assert [stage.run(id).bytes_wasted for id in (RUN, child, grandchild)] == [MODEL_BYTES] * 3


@pytest.mark.parametrize("seed", range(2))
def test_whatever_happens_all_who_tell_what_was_spent_agree(stage: Stage, seed: int) -> None:
    dice = random.Random(seed)
    stage.launch(pilot("skip", rounds=5))
    online, silent_for, kept, keys = list(SITES), 0, list[Execution](), iter(range(1000))

    def act(message: StepMessage) -> None:
        of = begin(stage, message)
        what = dice.random() if message.run_id is not None else 1.0
        if what < 0.08:
            fail(stage, of)
        elif what < 0.2:  # it is told of later, if ever
            kept.append(of)
            stage.turn()
            stage.lose_worker()
            stage.beat("w", *online)
        else:
            stage.finish(*of)

    for turn in range(100):
        stage.beat("w", *online)
        stage.turn()
        silent_for = max(0, silent_for - 1)
        if silent_for == 0:
            online = list(SITES)
            if dice.random() < 0.05:
                online.remove(dice.choice(SITES))
                silent_for = A_WHILE - 10
        for message in stage.waiting():
            if message.context.site.name in online:
                act(message)
        if kept and dice.random() < 0.1:
            message, about = kept.pop(dice.randrange(len(kept)))
            late: list[Report] = [
                StepFailed(code="step_cancelled", params={}, retryable=True, seconds=3.0, cpu_s=2.0, exchanges=fetched(message, 1), **about),
                StepBeat(progress=0.5, exchanges=fetched(message, 1), **about),
                finished(message, about),
            ]  # fmt: skip
            stage.post.report(dice.choice(late))
            stage.turn()
        with stage.database.read() as session:
            runs = list(session.scalars(select(RunRow)))
        counting = next(run for run in runs if run.replaced_by is None)
        if counting.state in RUN_ENDS and dice.random() < 0.4:
            parent = dice.choice(runs)
            try:
                child = restarted(stage, parent.id, dice.randint(0, 5), key=f"k{next(keys)}").run.id
            except (Conflict, Invalid):
                continue
            if dice.random() < 0.2:
                stage.ask(child, asks.CANCEL)
        if turn % 20 == 19:
            check(stage)
