"""The byte ledger against a store that counts what it serves: real models, real files, real deaths.

Steps are executed as a worker does it, over a directory that notes every read; what it served to others than the site that made it
is what must stand in the ledger, to the byte.
"""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from backend.db.tables import ExchangeRow
from dimat.spec import PilotSpec
from tests.backend.coordinator.stage import MODEL_BYTES, SITES, Stage, finished
from worker.artifacts import DirectoryStore, StoreUnavailable
from worker.execution import Execution
from worker.held import HeldFolder
from worker.messages.refs import ArtifactRef
from worker.messages.reports import ExchangeReport, Report, StepCancelled, StepFailed
from worker.messages.steps import MergeMessage, StepMessage, step_message
from worker.steps.fetches import fetches_of


def pilot() -> PilotSpec:
    """Models, moments, sums and means; as they are, rounded and compressed."""
    arms: list[dict[str, Any]] = [
        {
            "name": "matched",
            "method": "dimat",
            "merge": {"wire": {"numbers": "int8", "compress": True}},
        },
        {"name": "tree", "method": "regmean", "merge": {"over": "tree"}},
        {"name": "moments", "method": "regmean"},
        {
            "name": "deltas",
            "method": "dimat",
            "merge": {"wire": {"numbers": "bfloat16", "compress": True, "deltas": True}},
        },
    ]
    sites = [{"name": name, "data": {"kind": "sample", "dataset": "pendigits"}} for name in SITES]
    return PilotSpec.model_validate(
        {
            "name": "p", "rounds": 2, "sites": sites, "arms": arms, "topology": {"kind": "line"},
            "data": {"rows_per_site": 40}, "model": {"kind": "mlp", "hidden": [8]}, "train": {"warmup_epochs": 1},
            "merge": {"probe": {"rows": 16}},
        }
    )  # fmt: skip


class CountingStore(DirectoryStore):
    """A directory that notes in a file beside it who put and who was served what; the file survives whoever writes it."""

    def __init__(self, root: Path, site: str) -> None:
        super().__init__(root)
        self._log, self._site = root.with_name("served.txt"), site

    def put(self, content: bytes) -> ArtifactRef:
        ref = super().put(content)
        self._note("put", ref.sha256, 0)
        return ref

    def get(self, ref: ArtifactRef) -> bytes:
        path = self._path(ref.sha256)
        self._note("get", ref.sha256, path.stat().st_size if path.exists() else 0)
        return super().get(ref)

    def _note(self, what: str, sha256: str, num_bytes: int) -> None:
        with self._log.open("a") as log:
            log.write(f"{what} {self._site} {sha256} {num_bytes}\n")

    @classmethod
    def served(cls, root: Path) -> int:
        """Bytes that went to a site which had not made them itself."""
        own: set[tuple[str, str]] = set()
        total = 0
        for line in root.with_name("served.txt").read_text().splitlines():
            what, site, sha256, num_bytes = line.split()
            if what == "put":
                own.add((site, sha256))
            elif (site, sha256) not in own:
                total += int(num_bytes)
        return total


class Full(CountingStore):
    """Has no room for what a step made."""

    def put(self, content: bytes) -> ArtifactRef:
        raise StoreUnavailable("write", "no space left")


class DiesAtPut(CountingStore):
    """Everything is fetched, and something made of it."""

    def put(self, content: bytes) -> ArtifactRef:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")


class DiesAtGet(CountingStore):
    """The store has served a model of another site, and nobody gets to say so."""

    def get(self, ref: ArtifactRef) -> bytes:
        content = super().get(ref)
        log = self._log.read_text().splitlines()
        if f"put {self._site} {ref.sha256} 0" not in log:
            os.kill(os.getpid(), signal.SIGKILL)
        return content


@dataclass
class Reporter:
    """Notes reports in a file, for the coordinator to take: what is written is told, whoever dies then."""

    path: Path

    def send(self, report: Report, until_taken: bool = True) -> None:
        with self.path.open("a") as file:
            file.write(report.model_dump_json() + "\n")

    def is_cancelled(self, message: StepMessage, execution_id: str) -> bool:
        return False


def execute(message: str, store: CountingStore, reports: Path) -> None:
    held = HeldFolder(store.root.with_name("held"), 10**9)
    execution = Execution(step_message.validate_json(message), "w", Reporter(reports), 4.0, held=held)
    execution.run(lambda: store, "cpu")


@dataclass
class House:
    """The coordinator on its stage, and workers that really work."""

    stage: Stage
    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "store"

    def work(self, message: StepMessage, kind: type[CountingStore] = CountingStore) -> None:
        self._told(lambda path: execute(message.model_dump_json(), self.store(message, kind), path))

    def work_and_die(self, message: StepMessage, kind: type[CountingStore]) -> None:
        def child(path: Path) -> None:
            body = (message.model_dump_json(), self.store(message, kind), path)
            process = multiprocessing.get_context("spawn").Process(target=execute, args=body)
            process.start()
            process.join(120)
            assert process.exitcode == -signal.SIGKILL

        self._told(child)
        self.stage.turn()
        self.stage.lose_worker()

    def store(self, message: StepMessage, kind: type[CountingStore]) -> CountingStore:
        return kind(self.root, message.context.site.name)

    def _told(self, work: Any) -> None:
        path = self.folder / "reports.jsonl"
        path.unlink(missing_ok=True)
        work(path)
        for line in path.read_text().splitlines():
            self.stage.post.bring(line.encode())

    def until(self, wanted: Any) -> StepMessage:
        """Works on up to a message that is wanted, which is taken."""
        for _ in range(300):
            self.stage.turn()
            for message in self.stage.waiting():
                self.stage.take(message)
                if wanted(message):
                    return message
                self.work(message)
        raise AssertionError("no such step")

    def to_the_end(self) -> None:
        for _ in range(300):
            self.stage.turn()
            for message in self.stage.waiting():
                self.work(self.stage.take(message))
            if {self.stage.run(id).state for id in RUNS} == {"completed"}:
                return
        raise AssertionError("still at work")

    def booked(self) -> tuple[int, int]:
        """Bytes in the ledger, and how many more there may have been."""
        with self.stage.database.read() as session:
            sums = select(func.sum(ExchangeRow.num_bytes), func.sum(ExchangeRow.unknown_bytes))
            known, unknown = session.execute(sums).one()
            return int(known or 0), int(unknown or 0)

    def rows(self, message: StepMessage) -> list[tuple[str, int, int]]:
        """(result, bytes, unknown bytes) of the step's first attempt."""
        with self.stage.database.read() as session:
            rows = select(ExchangeRow).where(
                ExchangeRow.step_id == message.step_id, ExchangeRow.attempt == message.attempt
            )
            return [(row.result, row.num_bytes, row.unknown_bytes) for row in session.scalars(rows)]


RUNS = ["p/matched", "p/tree", "p/moments", "p/deltas"]


@pytest.fixture
def house(sqlite_template: Path, tmp_path: Path) -> Iterator[House]:
    file = tmp_path / "awase.sqlite"
    file.write_bytes(sqlite_template.read_bytes())
    stage = Stage(f"sqlite:///{file}", tmp_path)
    stage.launch(pilot())
    yield House(stage, tmp_path)
    stage.close()


def merges_two(message: StepMessage) -> bool:
    """The site in the middle of the line."""
    return isinstance(message, MergeMessage) and len(message.neighbours) == 2


def merges_by_differences(message: StepMessage) -> bool:
    return (
        isinstance(message, MergeMessage)
        and len(message.neighbours) == 2
        and all(ref.delta for ref in message.neighbours)
    )


def test_the_ledger_holds_what_the_store_served_to_the_byte(house: House) -> None:
    house.to_the_end()
    assert house.booked() == (CountingStore.served(house.root), 0)
    assert house.booked()[0] > 0
    with house.stage.database.read() as session:
        formats = set(session.execute(select(ExchangeRow.run_id, ExchangeRow.wire_format)))
        of_runs = select(func.sum(ExchangeRow.num_bytes)).group_by(ExchangeRow.run_id)
        assert set(session.scalars(of_runs)) == {house.stage.run(id).bytes_exchanged for id in RUNS}
    assert formats == {
        ("p/matched", "int8+zstd"), ("p/tree", "float32"), ("p/moments", "float32"), ("p/deltas", "bfloat16+zstd"),
        ("p/deltas", "bfloat16+zstd+delta"),
    }  # fmt: skip


def test_a_difference_of_no_use_is_booked_beside_the_model_that_was_fetched_whole(house: House) -> None:
    """The step goes on, and what is damaged costs no attempt."""
    message = house.until(merges_by_differences)
    assert isinstance(message, MergeMessage)
    delta = message.neighbours[0].delta
    assert delta is not None
    path = house.root / delta.sha256[:2] / delta.sha256
    path.write_bytes(path.read_bytes()[:-7])
    house.work(message)
    house.to_the_end()
    whole, other = message.neighbours[0].artifact, message.neighbours[1].delta
    assert other is not None
    assert sorted(house.rows(message)) == sorted(
        [
            ("failed", delta.num_bytes - 7, 0),
            ("accepted", whole.num_bytes, 0),
            ("accepted", other.num_bytes, 0),
        ]
    )
    assert house.booked() == (CountingStore.served(house.root), 0)
    assert house.stage.run("p/deltas").bytes_wasted == delta.num_bytes - 7


def test_of_a_worker_killed_while_it_fetches_a_difference_no_more_is_unknown_than_that(house: House) -> None:
    message = house.until(merges_by_differences)
    assert isinstance(message, MergeMessage)
    house.work_and_die(message, DiesAtGet)
    house.to_the_end()
    deltas = [ref.delta.num_bytes for ref in message.neighbours if ref.delta is not None]
    assert sorted(house.rows(message)) == sorted(("unconfirmed", 0, num_bytes) for num_bytes in deltas)
    # The next attempt found what the first had found.
    assert [result for result, *_ in house.rows(message.model_copy(update={"attempt": 2}))] == [
        "accepted"
    ] * 2
    assert sorted(n for _, n, _ in house.rows(message.model_copy(update={"attempt": 2}))) == sorted(deltas)


def test_models_that_a_failed_attempt_fetched_are_booked_as_wasted(house: House) -> None:
    message = house.until(merges_two)
    house.work(message, Full)
    house.to_the_end()
    assert [result for result, *_ in house.rows(message)] == ["wasted", "wasted"]
    assert house.booked() == (CountingStore.served(house.root), 0)


def test_a_model_that_came_damaged_is_booked_as_failed_with_the_bytes_that_came(house: House) -> None:
    message = house.until(merges_two)
    assert isinstance(message, MergeMessage)
    ref = message.neighbours[1].artifact
    path = house.root / ref.sha256[:2] / ref.sha256
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    house.work(message)
    path.write_bytes(whole)
    house.to_the_end()
    first = message.neighbours[0].artifact
    assert sorted(house.rows(message)) == [
        ("failed", ref.num_bytes - 7, 0),
        ("wasted", first.num_bytes, 0),
    ]
    assert house.booked() == (CountingStore.served(house.root), 0)


def test_what_a_killed_worker_had_fetched_is_booked_to_the_byte(house: House) -> None:
    message = house.until(merges_two)
    house.work_and_die(message, DiesAtPut)
    house.to_the_end()
    assert [result for result, *_ in house.rows(message)] == ["wasted", "wasted"]
    assert house.booked() == (CountingStore.served(house.root), 0)
    wasted = sum(house.stage.run(id).bytes_wasted for id in RUNS)
    assert wasted == sum(num_bytes for _, num_bytes, _ in house.rows(message))


def test_of_a_worker_killed_in_the_middle_of_a_fetch_the_ledger_says_what_it_does_not_know(
    house: House,
) -> None:
    message = house.until(merges_two)
    assert isinstance(message, MergeMessage)
    house.work_and_die(message, DiesAtGet)
    house.to_the_end()
    sizes = sorted(("unconfirmed", 0, ref.artifact.num_bytes) for ref in message.neighbours)
    assert sorted(house.rows(message)) == sizes
    known, unknown = house.booked()
    served = CountingStore.served(house.root)
    assert known < served < known + unknown
    assert unknown == sum(ref.artifact.num_bytes for ref in message.neighbours)


@pytest.mark.parametrize("end", ["failed", "cancelled", "finished"])
def test_what_was_not_known_is_known_when_the_worker_is_heard_of_after_all(house: House, end: str) -> None:
    """It had only fallen silent. Of the two models it had fetched one when it failed, or was stopped."""
    message = house.until(merges_two)
    assert isinstance(message, MergeMessage)
    about = house.stage.begin(message, fetches=fetches_of(message))
    house.stage.turn()
    house.stage.lose_worker()
    house.stage.turn()
    assert [result for result, *_ in house.rows(message)] == ["unconfirmed", "unconfirmed"]
    first, second = (ref.artifact.num_bytes for ref in message.neighbours)
    came = ExchangeReport(
        from_index=message.neighbours[0].index, to_index=1, purpose="merge", num_bytes=first, seconds=1
    )
    ends: dict[str, Report] = {
        "failed": StepFailed(code="x", params={}, retryable=True, exchanges=(came,), seconds=1, **about),
        "cancelled": StepCancelled(exchanges=(came,), seconds=1, **about),
        "finished": finished(message, about),
    }
    for _ in range(2):
        house.stage.post.report(ends[end])
    house.stage.turn()
    both = [("wasted", MODEL_BYTES, 0)] * 2
    assert house.rows(message) == (both if end == "finished" else [("wasted", first, 0)])
    assert house.booked()[1] == 0 < second
