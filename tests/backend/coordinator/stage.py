"""The coordinator on a real database with time, queues and worker in the test's hands.

`Post` is both ports in memory; it passes the same conformance suite as the broker's (`test_ports.py`).
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from backend.auth.principal import Principal
from backend.coordinator.ports import Execution
from backend.coordinator.turn import Coordinator
from backend.coordinator.workers import Remembered
from backend.db.session import Database
from backend.db.tables import AmendmentRow, ArmRow, EventRow, PilotRow, RunRow, SiteRow, StepRow
from backend.runs import asks
from backend.settings import Settings
from dimat.spec import PilotSpec, spec_sha256
from worker.messages.keys import site_queue
from worker.messages.refs import ArtifactRef, DeltaRef
from worker.messages.reports import (
    Accuracies,
    ExchangeReport,
    FetchDue,
    Report,
    StepFailed,
    StepFinished,
    StepStarted,
    WorkerBeat,
    WorkerLost,
)
from worker.messages.steps import AlignMessage, MergeAllMessage, MergeMessage, StepMessage, TrainMessage

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
SITES = ("a", "b", "c")
MODEL_BYTES = 90
BOSS = Principal("token", "u", "a manager", (), frozenset())


def spec(name: str = "p", rounds: int = 2, arms: Sequence[str] = ("dimat",), **changes: Any) -> PilotSpec:
    sites = [{"name": site, "data": {"kind": "sample", "dataset": "pendigits"}} for site in SITES]
    named = [{"name": method, "method": method} for method in arms]
    return PilotSpec.model_validate(
        {
            "name": name,
            "rounds": rounds,
            "sites": sites,
            "arms": named,
            "topology": {"kind": "line"},
            **changes,
        }
    )


class Post:
    """The way down and the way up, without a way: lists."""

    def __init__(self) -> None:
        self.queues: dict[str, list[StepMessage]] = {}
        self.served: list[tuple[str, str]] = []
        self.flags: set[str] = set()
        self.refused: dict[str, str] = {}
        self.killed: set[Execution] = set()
        self._sent_up: list[bytes] = []
        self._taken: list[bytes] = []
        self._is_new = True

    def send(self, messages: Sequence[StepMessage]) -> None:
        for message in messages:
            self.queues.setdefault(message.context.site.name, []).append(message)

    def waiting(self, site_names: Collection[str]) -> dict[str, int]:
        return {name: len(self.queues.get(name, ())) for name in site_names}

    def serve(self, site_name: str, worker_id: str) -> None:
        self.served.append((site_name, worker_id))

    def cancel(self, flags: Sequence[str]) -> None:
        self.flags |= set(flags)

    def allow(self, flags: Collection[str]) -> None:
        self.flags -= set(flags)

    def refuse(self, sites: Mapping[str, str]) -> None:
        self.refused |= sites

    def kill(self, executions: Collection[Execution]) -> None:
        self.killed |= set(executions)

    def take(self, limit: int, wait_s: float) -> list[bytes]:
        if self._is_new and self._taken:
            return list(self._taken)
        self._is_new = False
        some, self._sent_up = self._sent_up[:limit], self._sent_up[limit:]
        self._taken += some
        return some

    def acknowledge(self) -> None:
        self._taken, self._is_new = [], False

    def report(self, report: Report) -> None:
        self.bring(report.model_dump_json().encode())

    def bring(self, body: bytes) -> None:
        self._sent_up.append(body)

    def lose_reports(self) -> None:
        """The broker died with what nobody had taken."""
        self._sent_up.clear()

    def to_a_new_process(self) -> None:
        """Whoever takes next does not know what was taken before."""
        self._is_new = True


class Stage:
    """One coordinator, and what a test says about workers, people and time."""

    def __init__(
        self, url: str, folder: Path, max_attempts: int = 5, still_alone: Callable[[], None] = lambda: None
    ) -> None:
        self._still_alone = still_alone
        self.database = Database(url)
        self.post = Post()
        self._settings = Settings(data_dir=folder, max_attempts=max_attempts)
        self._passed_s = self._clock_ahead_s = 0.0
        self._executions = 0
        self.store_id: str | None = None
        self._remembered = Remembered()
        self.coordinator = self._new()
        with self.database.write() as session:
            for name in SITES:
                data = {"kind": "sample", "dataset": "pendigits"}
                session.add(SiteRow(name=name, data=data, state="online", last_seen_at=self.now()))

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self._passed_s + self._clock_ahead_s)

    def set_clock(self, by_s: float) -> None:
        """Somebody puts the clock forward, or back; no time passes."""
        self._clock_ahead_s += by_s

    def _new(self) -> Coordinator:
        return Coordinator(
            self.database, self.post, self.post, self._settings, self.now, self._still_alone,
            lambda: self._passed_s + 1000, lambda: self.store_id, self._remembered,
        )  # fmt: skip

    def leap(self) -> None:
        """From now on a turn may come hours after the one before without being taken for the first after a break."""
        self._settings = self._settings.model_copy(update={"lease_s": 1e9})
        self.restart()

    def restart(self) -> None:
        """The coordinator died; the next one knows only rows and queues."""
        self._remembered = Remembered()
        self.begin_anew()

    def begin_anew(self) -> None:
        """As the loop does in the same process after trouble with broker or database."""
        self.post.to_a_new_process()
        self.coordinator = self._new()

    @staticmethod
    def pilot(spec: PilotSpec) -> PilotRow:
        return PilotRow(
            id=spec.name, name=spec.name, spec=spec.model_dump(mode="json"), state="launched",
            spec_sha256=spec_sha256(spec), created_by="t",
        )  # fmt: skip

    def launch(self, spec: PilotSpec) -> None:
        """Pilot and runs are named as in the spec: run "p/dimat" is arm "dimat" of pilot "p"."""
        with self.database.write() as session:
            session.add(self.pilot(spec))
            session.flush()
            for position, arm in enumerate(spec.arms):
                id = f"{spec.name}/{arm.name}"
                about: dict[str, Any] = {"pilot_id": spec.name, "method": arm.method}
                session.add(ArmRow(id=id, position=position, name=arm.name, **about))
                session.flush()
                session.add(
                    RunRow(
                        id=id, arm_id=id, arm=arm.name, seed=1, rounds=spec.rounds, num_sites=len(SITES),
                        rounds_done=-1, **about,
                    )
                )  # fmt: skip
                session.flush()

    def ask(self, run_id: str, question: asks.Ask, why: str | None = None) -> None:
        """A person asks over the API."""
        with self.database.write() as session:
            asks.of_run(session, BOSS, run_id, question, why)

    def amend(self, patch: dict[str, Any], round: int | None = None, arm: str | None = None) -> str:
        """Asks for a change of the pilot `p`, as the API does it; the amendment's id."""
        with self.database.write() as session:
            row = AmendmentRow(pilot_id="p", arm=arm, asked_round=round, patch=patch, by="aiko", why="to see")
            session.add(row)
            session.flush()
            return row.id

    def turn(self, after_s: float = 1.0) -> None:
        self._passed_s += after_s
        self.coordinator.turn(wait_s=0)

    def let_pass(self, seconds: float) -> None:
        """Time in which the coordinator is away."""
        self._passed_s += seconds

    def pass_time(self, seconds: float) -> None:
        """Turn by turn, as time really passes."""
        for _ in range(int(seconds)):
            self.turn()

    def waiting(self) -> list[StepMessage]:
        return [message for queue in self.post.queues.values() for message in queue]

    def take(self, message: StepMessage) -> StepMessage:
        """A worker takes this message from its queue."""
        self.post.queues[message.context.site.name].remove(message)
        return message

    def begin(
        self, message: StepMessage, worker_id: str = "w", fetches: tuple[FetchDue, ...] = ()
    ) -> dict[str, Any]:
        """Its execution is reported; what further reports say of themselves."""
        self._executions += 1
        about = {
            "worker_id": worker_id, "step_id": message.step_id, "attempt": message.attempt,
            "execution_id": f"e{self._executions}", "seq": 0,
        }  # fmt: skip
        self.post.report(StepStarted(device="cpu", pid=1, fetches=fetches, **about))
        return {**about, "seq": 1}

    def finish(self, message: StepMessage, about: dict[str, Any]) -> None:
        self.post.report(finished(message, about))

    def fail(self, about: dict[str, Any], code: str, retryable: bool) -> None:
        self.post.report(StepFailed(code=code, params={}, retryable=retryable, seconds=1, **about))

    def beat(self, worker_id: str = "w", *sites: str, concurrency: int = 16) -> None:
        """A worker lives that serves these sites. Until one is heard of, a site is sent only a few steps at a time."""
        self.post.report(
            WorkerBeat(
                worker_id=worker_id, placement="local", hostname="h", pid=1, device="cpu",
                concurrency=concurrency,
                queues=tuple(site_queue(site) for site in sites),
            )
        )  # fmt: skip

    def lose_worker(self, worker_id: str = "w") -> None:
        self.post.report(WorkerLost(worker_id=worker_id))

    def work_until_quiet(self, num_turns: int = 200) -> None:
        """A worker that does all there is to do, site by site."""
        for _ in range(num_turns):
            self.turn()
            messages = self.waiting()
            if not messages:
                return
            for message in messages:
                self.finish(message, self.begin(self.take(message)))
        raise AssertionError(f"still at work after {num_turns} turns")

    def run(self, id: str) -> RunRow:
        with self.database.read() as session:
            return session.get_one(RunRow, id)

    def steps(self, run_id: str | None = None) -> list[StepRow]:
        with self.database.read() as session:
            chosen = select(StepRow).order_by(StepRow.id)
            if run_id is not None:
                chosen = chosen.where(StepRow.run_id == run_id)
            return list(session.scalars(chosen))

    def step(self, message: StepMessage) -> StepRow:
        with self.database.read() as session:
            return session.get_one(StepRow, message.step_id)

    def events(self, run_id: str) -> Counter[str]:
        with self.database.read() as session:
            rows = session.execute(
                select(EventRow.code, func.count()).where(EventRow.run_id == run_id).group_by(EventRow.code)
            )
            return Counter({row.code: int(row[1]) for row in rows})

    def close(self) -> None:
        self.database.close()


def finished(message: StepMessage, about: dict[str, Any]) -> StepFinished:
    """A result that names what it was made from, so that a wrong input would show in the artifact."""
    inputs = message.model_dump_json(exclude={"step_id", "attempt", "pilot_id", "run_id", "resume"})
    exchanges: tuple[ExchangeReport, ...] = ()
    if isinstance(message, MergeMessage):
        exchanges = tuple(_exchange(n.index, message, "merge") for n in message.neighbours)
        exchanges += tuple(_exchange(n.index, message, "moments") for n in message.neighbours if n.moments)
    elif isinstance(message, AlignMessage) and message.parent is not None:
        exchanges = (_exchange(message.parent.index, message, "align"),)
    makes_model = message.kind != "evaluate"

    def made(what: str) -> ArtifactRef:
        return ArtifactRef(sha256=hashlib.sha256((what + inputs).encode()).hexdigest(), num_bytes=MODEL_BYTES)

    shared = made("shared") if makes_model and not message.wire.is_plain else None
    before = message.sent_before
    delta = None
    if before is not None:
        delta = DeltaRef(**made("delta").model_dump(), against=before.sha256)
    keeps = (
        isinstance(message, TrainMessage) and message.train.keep_momentum and message.round < message.rounds
    )
    return StepFinished(
        artifact=made("model") if makes_model else None,
        momentum=made("momentum") if keeps else None,
        mean=made("mean") if isinstance(message, MergeAllMessage) else None,
        moments=made("moments") if getattr(message, "tell", None) else None,
        shared=shared,
        delta=delta,
        accuracies=Accuracies(own_site=0.9, all_site=0.8, validation=0.7), exchanges=exchanges,
        uploaded_bytes=MODEL_BYTES if makes_model else 0, seconds=1.0, cpu_s=1.0, device="cpu",
        fingerprint="f" if message.kind == "prepare" else None, num_rows=5 if message.kind == "prepare" else None,
        **about,
    )  # fmt: skip


def _exchange(from_index: int, message: StepMessage, purpose: Any) -> ExchangeReport:
    return ExchangeReport(
        from_index=from_index, to_index=message.context.index, purpose=purpose, num_bytes=MODEL_BYTES,
        seconds=0.1,
    )  # fmt: skip
