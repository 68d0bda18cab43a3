"""Whatever people ask, workers lose and reports repeat, in any order: legal states, no step done twice, the same bits."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select

from backend.db.tables import EventRow, MetricRow
from backend.errors import Conflict
from backend.runs.asks import CANCEL, PAUSE, RESUME, Ask
from backend.runs.states import RUN, RUN_ENDS, STEP_ENDS
from backend.text.catalogue import LANGUAGES, say
from dimat.schedule import Schedule
from tests.backend.coordinator.stage import Stage, spec
from worker.messages.steps import StepMessage

PILOT = spec(arms=("dimat", "common_basis"))
RUNS = ("p/dimat", "p/common_basis")
Begun = tuple[StepMessage, dict[str, Any]]
Bits = dict[tuple[int, str, int], str | None]


def bits(stage: Stage, run_id: str) -> Bits:
    return {(s.round, s.kind, s.site_index): s.artifact_sha256 for s in stage.steps(run_id)}


@pytest.fixture(scope="session")
def undisturbed(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bits]:
    stage = staged(sqlite_template, tmp_path_factory.mktemp("undisturbed"))
    stage.work_until_quiet()
    found = {run_id: bits(stage, run_id) for run_id in RUNS}
    stage.close()
    return found


def staged(template: Path, folder: Path) -> Stage:
    shutil.copy(template, folder / "awase.sqlite")
    stage = Stage(f"sqlite:///{folder / 'awase.sqlite'}", folder, max_attempts=100)
    stage.launch(PILOT)
    return stage


def test_in_any_order_of_asks_losses_and_reports_runs_end_rightly_and_in_the_same_bits(
    sqlite_template: Path, undisturbed: dict[str, Bits]
) -> None:
    class Steering(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.folder = tempfile.TemporaryDirectory()
            self.stage = staged(sqlite_template, Path(self.folder.name))
            self.has_lost = False
            self.begun: list[Begun] = []
            self.finished: list[Begun] = []
            self.states: dict[str, str] = dict.fromkeys(RUNS, "queued")

        @initialize(num_turns=st.integers(0, 4))
        def somebody_worked_before(self, num_turns: int) -> None:
            for _ in range(num_turns):
                self.stage.turn()
                for message in self.stage.waiting():
                    self.stage.finish(message, self.stage.begin(self.stage.take(message)))
            self.stage.turn()

        @rule(run_id=st.sampled_from(RUNS), ask=st.sampled_from((PAUSE, RESUME)), turns=st.integers(0, 2))
        def ask(self, run_id: str, ask: Ask, turns: int) -> None:
            self._ask(run_id, ask)
            for _ in range(turns):
                self.stage.turn()

        @rule(run_id=st.sampled_from(RUNS), sure=st.integers(0, 9))
        def cancel(self, run_id: str, sure: int) -> None:
            if sure == 9:
                self._ask(run_id, CANCEL)

        def _ask(self, run_id: str, ask: Ask) -> None:
            before = self.stage.run(run_id)
            try:
                self.stage.ask(run_id, ask)
            except Conflict:
                assert before.state in RUN_ENDS | {"cancelling"}

        @rule(seconds=st.sampled_from((0.3, 1.0, 3.0)))
        def turn(self, seconds: float) -> None:
            self.stage.turn(seconds)

        @precondition(lambda self: self.stage.waiting())
        @rule(data=st.data(), turns=st.booleans())
        def begin(self, data: st.DataObject, turns: bool) -> None:
            # Also what was taken back: a worker may begin it before it looks.
            message = self.stage.take(data.draw(st.sampled_from(self.stage.waiting())))
            self.begun.append((message, self.stage.begin(message)))
            if turns:
                self.stage.turn()

        @precondition(lambda self: self.begun)
        @rule(data=st.data())
        def finish(self, data: st.DataObject) -> None:
            done = self.begun.pop(data.draw(st.integers(0, len(self.begun) - 1)))
            self.stage.finish(*done)
            self.finished.append(done)

        @precondition(lambda self: self.finished)
        @rule(data=st.data())
        def finish_once_more(self, data: st.DataObject) -> None:
            self.stage.finish(*data.draw(st.sampled_from(self.finished)))

        @precondition(lambda self: self.begun)
        @rule()
        def lose_the_worker(self) -> None:
            self.begun.clear()
            self.stage.lose_worker()

        @precondition(lambda self: not self.has_lost)
        @rule()
        def lose_what_waits(self) -> None:
            """Once: until all is sent again half a minute passes, in which little else can be seen."""
            self.has_lost = True
            for queue in self.stage.post.queues.values():
                queue.clear()
            for _ in range(12):
                self.stage.beat("w", "a", "b", "c")
                self.stage.turn(3)

        @rule()
        def restart_the_coordinator(self) -> None:
            self.stage.restart()

        @invariant()
        def states_follow_the_table(self) -> None:
            for run_id, before in self.states.items():
                now = self.stage.run(run_id).state
                assert now in reachable(before), (before, now)
                self.states[run_id] = now
                if now in ("paused", *RUN_ENDS):
                    assert "running" not in {step.state for step in self.stage.steps(run_id)}

        def teardown(self) -> None:
            try:
                self._ends_rightly()
            finally:
                self.stage.close()
                self.folder.cleanup()

        def _ends_rightly(self) -> None:
            for _ in range(60):
                for run_id in RUNS:
                    if self.stage.run(run_id).state in ("pausing", "paused"):
                        self.stage.ask(run_id, RESUME)
                for done in self.begun:
                    self.stage.finish(*done)
                self.begun.clear()
                self.stage.turn(3)
                self.stage.beat("w", "a", "b", "c")
                for message in self.stage.waiting():
                    self.stage.finish(message, self.stage.begin(self.stage.take(message)))
                if all(self.stage.run(run_id).state in RUN_ENDS for run_id in RUNS):
                    break
            self.stage.pass_time(2)
            for run_id in RUNS:
                self._ended_rightly(run_id)

        def _ended_rightly(self, run_id: str) -> None:
            run, arm = self.stage.run(run_id), run_id.removeprefix("p/")
            assert run.state in ("completed", "cancelled")
            assert run.reason is not None
            for lang in LANGUAGES:
                said = say(lang, f"reasons.{run.reason['code']}", run.reason["params"])
                assert "{" not in said
                assert said != f"reasons.{run.reason['code']}"
            assert {step.state for step in self.stage.steps(run_id)} <= STEP_ENDS
            if run.state == "cancelled":
                return
            assert bits(self.stage, run_id) == undisturbed[run_id]
            schedule = Schedule.of(PILOT, arm)
            assert len(self.stage.steps(run_id)) == len(schedule.all_steps())
            measured = sum(step.kind in ("merge", "train", "evaluate") for step in schedule.all_steps())
            with self.stage.database.read() as session:
                rows = session.scalar(select(func.count()).where(MetricRow.run_id == run_id))
                assert rows == measured  # one of each step that was applied
                merged = select(func.count()).where(
                    EventRow.run_id == run_id, EventRow.code == "site_trained"
                )
                assert session.scalar(merged) == sum(s.kind == "train" for s in schedule.all_steps())

    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Steering,
        settings=settings(
            max_examples=20,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.reuse, Phase.generate),  # making an example smaller takes longer than a test may
        ),
    )


def reachable(state: str) -> set[str]:
    """The states that may follow by any number of moves of the table."""
    found, new = {state}, {state}
    while new:
        new = {after for one in new for after in RUN[one]} - found
        found |= new
    return found
