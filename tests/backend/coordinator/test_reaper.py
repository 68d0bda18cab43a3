"""The reaper never starts what still runs, and starts what no longer does."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.backend.coordinator.stage import SITES, Stage, spec
from worker.messages.reports import StepBeat
from worker.messages.steps import StepMessage

LEASE_S, BEAT_S = 40, 4
EVENTS = st.one_of(
    st.tuples(st.just("goes on"), st.integers(1, 90)),
    st.tuples(st.just("says nothing"), st.integers(1, LEASE_S - 6)),  # its connection is lost, then back
    st.tuples(
        st.just("coordinator away"), st.integers(0, 400)
    ),  # and what is said meanwhile waits on the broker
    st.tuples(st.just("broker lost all"), st.integers(0, 60)),  # and the coordinator was away
    st.tuples(st.just("clock"), st.sampled_from((-7200, -30, 30, 7200))),
    st.tuples(st.just("stands still"), st.integers(1, 400)),
)


class Worker:
    """It has begun one step, and says every few seconds that it is at it."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        stage.beat("w", *SITES)
        stage.turn()
        stage.turn()
        self.message: StepMessage = stage.take(stage.waiting()[0])
        self.about: dict[str, Any] = stage.begin(self.message)
        stage.turn()

    def beat(self) -> None:
        self.about = {**self.about, "seq": self.about["seq"] + 1}
        self.stage.post.report(StepBeat(progress=0.5, **self.about))
        self.stage.beat("w", *SITES)

    def live(self, what: str, seconds: int) -> None:
        if what == "clock":
            self.stage.set_clock(seconds)
        for second in range(seconds if what not in ("clock", "broker lost all") else 0):
            if what != "says nothing" and second % BEAT_S == 0:
                self.beat()
            if what in ("goes on", "says nothing"):
                self.stage.turn()
            else:
                self.stage.let_pass(1)
        if what == "broker lost all":
            self.stage.let_pass(seconds)
            self.stage.post.lose_reports()
        if what in ("coordinator away", "broker lost all"):
            self.stage.restart()
        if what == "broker lost all":  # the worker is a while at finding it again
            self.stage.pass_time(LEASE_S // 2)
        self.beat()
        self.stage.turn()

    def is_at_it(self) -> bool:
        step = self.stage.step(self.message)
        is_its = (step.state, step.attempt, step.execution_id) == (
            "running", self.message.attempt, self.about["execution_id"]
        )  # fmt: skip
        return is_its and self.message.step_id not in {one.step_id for one in self.stage.waiting()}


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.reuse, Phase.generate),
)
@given(st.lists(EVENTS, max_size=8))
def test_a_step_keeps_its_attempt_as_long_as_somebody_says_that_it_runs_and_no_longer(
    sqlite_template: Path, events: list[tuple[str, int]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(sqlite_template, Path(folder) / "awase.sqlite")
        stage = Stage(f"sqlite:///{folder}/awase.sqlite", Path(folder), max_attempts=100)
        stage.launch(spec(rounds=1))
        try:
            worker = Worker(stage)
            for what, seconds in events:
                worker.live(what, seconds)
                assert worker.is_at_it(), (what, seconds)
            for _ in range(LEASE_S + 15):  # the worker is heard, and not the step
                stage.beat("w", *SITES)
                stage.turn()
            step = stage.step(worker.message)
            assert (step.state, step.attempt) == ("dispatched", worker.message.attempt + 1)
        finally:
            stage.close()
