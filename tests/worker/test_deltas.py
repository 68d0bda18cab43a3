"""Models that travel as differences, between workers: the artifacts and the bytes of `simulate`, and wholes wherever something is amiss."""

import os
import resource
import signal
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from backend.coordinator.plans import Artifacts, Made, RunPlan, StepId
from dimat.absence import Absence
from dimat.parts import MergePatch, WireSpec
from dimat.plan import Amendment, Patch
from dimat.results import RunResult
from dimat.schedule import StepKey
from dimat.simulate import simulate
from dimat.spec import PilotSpec
from tests.worker.test_distributed import Heard
from worker import held as held_module
from worker.artifacts import DirectoryStore
from worker.data.samples import load_site_rows
from worker.execution import Execution
from worker.held import HeldFolder
from worker.messages.refs import ArtifactRef
from worker.messages.reports import ExchangeReport, Report, StepFailed, StepFinished, StepStarted
from worker.messages.steps import StepMessage

DELTAS = {"numbers": "bfloat16", "compress": True, "deltas": True}


def pen_digits(**changes: Any) -> PilotSpec:
    return PilotSpec.model_validate(
        {
            "name": "small", "rounds": 4, "topology": {"kind": "line"}, "data": {"rows_per_site": 40},
            "model": {"kind": "mlp", "hidden": [32]},
            "train": {"warmup_epochs": 1, "init": "common", "lr": 0.002},
            "merge": {"probe": {"rows": 16}, "wire": DELTAS},
            "sites": [{"name": f"s{i}", "data": {"kind": "sample", "dataset": "pendigits"}} for i in range(3)],
            "arms": [{"name": "arm", "method": "plain_average"}], **changes,
        }
    )  # fmt: skip


class Served(DirectoryStore):
    """Counts what it gave, by name."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.gave: list[str] = []

    def get(self, ref: ArtifactRef) -> bytes:
        content = super().get(ref)
        self.gave.append(ref.sha256)
        return content


class Run:
    """A run by messages, of one worker for all sites; `before` is asked what to do to the worker's folder before a step."""

    def __init__(
        self,
        spec: PilotSpec,
        folder: Path,
        amendments: Sequence[Amendment] = (),
        absences: Sequence[Absence] = (),
    ) -> None:
        self.spec, self.plan = spec, RunPlan(spec, "arm", spec.seeds[0], amendments, absences)
        self.store, self.held = Served(folder / "store"), HeldFolder(folder / "held", 10**9)
        self.artifacts: Artifacts = {}
        self.ends: dict[StepKey, StepFinished] = {}

    def message(self, step: StepKey) -> StepMessage:
        message = self.plan.message(step, StepId(str(step), 1, "p", "r"), self.artifacts, None)
        return type(message).model_validate_json(message.model_dump_json())

    def execute(self, step: StepKey, held: HeldFolder | None = None) -> tuple[StepStarted, Report]:
        heard = Heard()
        Execution(self.message(step), "w", heard, 4.0, held=held or self.held).run(lambda: self.store, "cpu")
        started, end = heard.reports[0], heard.reports[-1]
        assert isinstance(started, StepStarted)
        return started, end

    def do(self, step: StepKey) -> StepFinished:
        started, end = self.execute(step)
        assert isinstance(end, StepFinished), end
        useless = any(exchange.purpose == "difference" for exchange in end.exchanges)
        if not useless:  # what was said before the first byte moved is what moved
            due = [(one.from_index, one.purpose, one.num_bytes) for one in started.fetches]
            assert sorted(due) == sorted((e.from_index, e.purpose, e.num_bytes) for e in end.exchanges)
        model = end.artifact or self.message(step).own  # type: ignore[union-attr]
        self.artifacts[step] = Made(
            model, end.momentum, end.moments, end.mean, end.shared, end.residual, end.delta, end.alone,
            end.alone_momentum,
        )  # fmt: skip
        self.ends[step] = end
        return end

    def go(self, before: Callable[[StepKey], None] = lambda _: None) -> None:
        done: set[StepKey] = set()
        ready = [StepKey(0, "prepare", site) for site in range(len(self.spec.sites))]
        while ready:
            for step in ready:
                before(step)
                self.do(step)
                done.add(step)
            ready = self.plan.schedule.ready_steps(done)

    @property
    def finals(self) -> tuple[str | None, ...]:
        last = [self.plan.schedule.last_trained(site) for site in range(len(self.spec.sites))]
        return tuple(None if key is None else self.artifacts[key].model.sha256 for key in last)

    def exchanges(self) -> list[ExchangeReport]:
        return [exchange for end in self.ends.values() for exchange in end.exchanges]

    def bytes_exchanged(self) -> int:
        return sum(exchange.num_bytes for exchange in self.exchanges() if not exchange.failed)

    def bytes_uploaded(self) -> int:
        return sum(end.uploaded_bytes for step, end in self.ends.items() if step.kind != "prepare")

    def formats(self) -> list[str | None]:
        return [exchange.wire_format for exchange in self.exchanges()]


@cache
def simulated(
    spec: PilotSpec, amendments: Sequence[Amendment] = (), absences: Sequence[Absence] = ()
) -> RunResult:
    """Both sequences as tuples: what was simulated once is known."""
    (run,) = simulate(
        spec,
        lambda seed, site: load_site_rows(spec.sites[site].data, spec.data, spec.site_names, site, seed),
        time.perf_counter,
        amendments,
        absences={("arm", spec.seeds[0]): absences},
    ).runs
    assert run.state == "completed", run.reason
    return run


@pytest.mark.parametrize("method", ["plain_average", "dimat", "regmean"])
def test_a_run_of_differences_has_the_artifacts_and_the_bytes_of_simulate(
    method: str, tmp_path: Path
) -> None:
    spec = pen_digits(arms=[{"name": "arm", "method": method}])
    run, expected = Run(spec, tmp_path), simulated(spec)
    run.go()
    assert run.finals == expected.final_artifacts
    assert run.bytes_exchanged() == expected.bytes_exchanged
    assert run.bytes_uploaded() == expected.bytes_uploaded
    assert "bfloat16+zstd+delta" in run.formats()
    whole = simulated(pen_digits(arms=[{"name": "arm", "method": method}], merge={"probe": {"rows": 16}, "wire": DELTAS | {"deltas": False}}))  # fmt: skip
    assert whole.final_artifacts == run.finals
    assert run.bytes_exchanged() < whole.bytes_exchanged


def test_bytes_are_those_of_simulate_whoever_comes_goes_or_turns(tmp_path: Path) -> None:
    """Sites that join and fall silent, alignment in between, merges now and then, over all sites, in other numbers."""

    def turned(from_round: int, **patch: Any) -> Amendment:
        return Amendment(from_round=from_round, patch=Patch(**patch), by="m", why="w")

    spec = pen_digits(
        rounds=10, waiting=["s3"], topology={"kind": "ring"}, train={"warmup_epochs": 1, "lr": 0.002},
        sites=[{"name": f"s{i}", "data": {"kind": "sample", "dataset": "pendigits"}} for i in range(5)],
    )  # fmt: skip
    int8 = WireSpec(numbers="int8", compress=True, deltas=True)
    amendments = (
        turned(2, members=("s0", "s1", "s2", "s3", "s4")),
        turned(4, method="regmean"),
        turned(6, merge=MergePatch(wire=int8)),
        turned(8, merge=MergePatch(over="tree")),
        turned(9, method="dimat", merge=MergePatch(over="neighbours")),
    )
    absences = (Absence(site="s2", from_round=3, until_round=5, undone=((2, "train"),)),)
    run, expected = Run(spec, tmp_path, amendments, absences), simulated(spec, amendments, absences)
    run.go()
    assert run.finals == expected.final_artifacts
    assert run.bytes_exchanged() == expected.bytes_exchanged
    assert run.bytes_uploaded() == expected.bytes_uploaded
    assert {"bfloat16+zstd+delta", "int8+zstd+delta"} <= set(run.formats())


def test_a_worker_that_lost_what_it_held_fetches_wholes_and_goes_on(tmp_path: Path) -> None:
    spec = pen_digits()
    run, expected = Run(spec, tmp_path), simulated(spec)

    def lose(step: StepKey) -> None:
        if step == StepKey(3, "merge", 1):
            for file in run.held.folder.iterdir():
                file.unlink()

    run.go(lose)
    assert run.finals == expected.final_artifacts
    assert run.bytes_exchanged() > expected.bytes_exchanged
    assert [e.wire_format for e in run.ends[StepKey(3, "merge", 1)].exchanges] == ["bfloat16+zstd"] * 2
    assert {e.wire_format for e in run.ends[StepKey(4, "merge", 1)].exchanges} == {"bfloat16+zstd+delta"}


def test_what_is_booked_is_what_the_store_gave(tmp_path: Path) -> None:
    run = Run(pen_digits(), tmp_path)
    run.go()
    sizes = {file.name: file.stat().st_size for file in run.store.root.rglob("*") if file.is_file()}
    others = [
        name for step, end in run.ends.items() for name in _fetched(run, step) if len(end.exchanges) > 0
    ]
    assert sum(sizes[name] for name in others) == run.bytes_exchanged()
    gave = list(run.store.gave)
    assert all(gave.count(name) >= others.count(name) for name in others)


def _fetched(run: Run, step: StepKey) -> list[str]:
    """Names of what a step fetched, told by the sizes that it booked."""
    found = []
    for exchange in run.ends[step].exchanges:
        source = next(s for s in run.plan.schedule.inputs(step) if s.site == exchange.from_index)
        made = run.artifacts[source]
        is_delta = (exchange.wire_format or "").endswith("+delta")
        ref = made.delta if is_delta else made.sent
        assert ref is not None
        found.append(ref.sha256)
    return found


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty"])
def test_a_damaged_file_is_as_none(damage: str, tmp_path: Path) -> None:
    spec = pen_digits()
    run, expected = Run(spec, tmp_path), simulated(spec)

    def spoil(step: StepKey) -> None:
        if step != StepKey(2, "merge", 0):
            return
        for file in run.held.folder.iterdir():
            content = file.read_bytes()
            spoilt = {"flipped": content[:-1] + bytes([content[-1] ^ 1]), "cut": content[:50], "empty": b""}
            file.write_bytes(spoilt[damage])

    run.go(spoil)
    assert run.finals == expected.final_artifacts
    assert {e.wire_format for e in run.ends[StepKey(2, "merge", 0)].exchanges} == {"bfloat16+zstd"}
    assert {e.purpose for e in run.exchanges()} == {"merge"}


@pytest.mark.parametrize("lie", ["of another model", "nonsense", "missing", "damaged"])
def test_a_difference_that_gives_something_else_is_booked_and_the_whole_is_fetched(
    lie: str, tmp_path: Path
) -> None:
    spec = pen_digits()
    run, expected = Run(spec, tmp_path), simulated(spec)
    sender = StepKey(1, "train", 0)

    def spoil(step: StepKey) -> None:
        if step != StepKey(2, "merge", 1):
            return
        made = run.artifacts[sender]
        assert made.delta is not None
        if lie in ("missing", "damaged"):
            (file,) = run.store.root.rglob(made.delta.sha256)
            file.unlink() if lie == "missing" else file.write_bytes(b"other bytes")
            return
        content = run.store.get(made.delta.artifact)
        other = run.artifacts[StepKey(1, "train", 2)].delta
        assert other is not None
        # The head of the right one, so that it is against what is held.
        told = content[:35] + (
            run.store.get(other.artifact)[35:] if lie == "of another model" else b"nonsense"
        )
        ref = run.store.put(told)
        delta = made.delta.model_copy(update=ref.model_dump())
        run.artifacts[sender] = Made(made.model, shared=made.shared, delta=delta)

    run.go(spoil)
    assert run.finals == expected.final_artifacts
    of_it = [e for e in run.ends[StepKey(2, "merge", 1)].exchanges if e.from_index == 0]
    assert [(e.purpose, e.wire_format) for e in of_it] == [("difference", None), ("merge", "bfloat16+zstd")]
    codes = {"missing": "artifact_missing", "damaged": "artifact_invalid"}
    assert of_it[0].failed == codes.get(lie, "difference_useless")
    assert (of_it[0].num_bytes > 0) == (lie != "missing")
    assert of_it[1].failed is None
    # What came whole is held like any other.
    assert {e.wire_format for e in run.ends[StepKey(3, "merge", 1)].exchanges} == {"bfloat16+zstd+delta"}


def test_an_attempt_that_fails_leaves_the_next_one_what_it_found(tmp_path: Path) -> None:
    run = Run(pen_digits(), tmp_path)
    merge = StepKey(2, "merge", 1)
    first: list[Report] = []

    class Full(Served):
        """Fails a step after it has fetched all."""

        def put(self, content: bytes) -> ArtifactRef:
            from worker.artifacts import StoreUnavailable

            raise StoreUnavailable("be written", "no space left")

    def fail_once(step: StepKey) -> None:
        if step == merge:
            kept, run.store = run.store, Full(run.store.root)
            first.append(run.execute(step)[1])
            run.store = kept
            assert not [file for file in run.held.folder.iterdir() if file.name.startswith(".")]

    run.go(fail_once)
    (failed,) = first
    assert isinstance(failed, StepFailed)
    assert failed.code == "store_unreachable"

    def told(exchanges: Sequence[ExchangeReport]) -> list[tuple[int, int, str | None]]:
        return [(e.from_index, e.num_bytes, e.wire_format) for e in exchanges]

    assert told(failed.exchanges) == told(run.ends[merge].exchanges)
    assert {e.wire_format for e in failed.exchanges} == {"bfloat16+zstd+delta"}


def test_a_site_that_lacks_what_it_sent_last_sends_the_whole(tmp_path: Path) -> None:
    spec = pen_digits()
    run, expected = Run(spec, tmp_path), simulated(spec)

    def lose(step: StepKey) -> None:
        if step == StepKey(2, "train", 1):
            shared = run.artifacts[StepKey(1, "train", 1)].shared
            assert shared is not None
            (file,) = run.store.root.rglob(shared.sha256)
            file.unlink()

    run.go(lose)
    assert run.finals == expected.final_artifacts
    assert run.ends[StepKey(2, "train", 1)].delta is None
    assert run.ends[StepKey(2, "train", 0)].delta is not None


def test_nothing_is_kept_where_no_differences_are_asked_for(tmp_path: Path) -> None:
    run = Run(pen_digits(merge={"probe": {"rows": 16}, "wire": {"compress": True}}), tmp_path)
    run.go()
    assert not run.held.folder.exists()
    assert not any("delta" in message for message in (run.message(StepKey(3, kind, 0)).model_dump_json() for kind in ("merge", "train")))  # fmt: skip


def test_what_is_kept_nobody_else_may_read_and_stays_within_its_bounds(tmp_path: Path) -> None:
    folder = HeldFolder(tmp_path / "data" / "held", 250)
    for run in ("../../r1", "r2", "r3"):
        held = folder.of(run, 0)
        held.put_aside(1, bytes(100))
        assert held.content(1) is None
        held.keep()
        assert held.content(1) == bytes(100)
        for file in folder.folder.iterdir():
            os.utime(file, (file.stat().st_mtime - 10,) * 2)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert folder.folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.folder.iterdir()} == {0o600}
    # Three of 100 bytes are more than 250: the oldest went.
    assert [folder.of(run, 0).content(1) is not None for run in ("../../r1", "r2", "r3")] == [
        False,
        True,
        True,
    ]
    assert folder.of("r3", 1).content(1) is None
    assert folder.of("r3", 0).content(2) is None
    # What is old goes when something else is kept: a model after weeks, what was put aside by whoever was killed after a day.
    killed = folder.of("r4", 0)
    killed.put_aside(1, b"x")
    for file in folder.folder.iterdir():
        old = held_module.ASIDE_S if file.name.startswith(".") else held_module.KEPT_S
        os.utime(file, (time.time() - old - 5,) * 2)
    last = folder.of("r5", 0)
    last.put_aside(1, b"y")
    last.keep()
    assert len(list(folder.folder.iterdir())) == 1
    # Dropped is gone.
    last.put_aside(2, b"z")
    last.drop()
    last.keep()
    assert len(list(folder.folder.iterdir())) == 1


def test_what_is_old_goes_though_nothing_else_is_kept(tmp_path: Path) -> None:
    folder = HeldFolder(tmp_path / "held", 1_000)
    held = folder.of("r1", 0)
    held.put_aside(1, b"x")
    held.keep()
    (file,) = folder.folder.iterdir()
    folder.tidy_daily()
    os.utime(file, (time.time() - held_module.KEPT_S - 5,) * 2)
    folder.tidy_daily()  # the same day
    assert held.content(1) == b"x"
    HeldFolder(folder.folder, 1_000).tidy_daily()  # as a worker that starts
    assert held.content(1) is None
    held.put_aside(1, b"y")
    held.keep()
    HeldFolder(folder.folder, 0).tidy_daily()  # as one that is to keep none
    assert held.content(1) is None
    HeldFolder(tmp_path / "none", 0).tidy_daily()


def test_a_full_disk_leaves_no_half_files_and_one_that_went_costs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = HeldFolder(tmp_path / "held", 250)
    held = folder.of("r1", 0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, hard))
    try:
        held.put_aside(1, bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert list(folder.folder.iterdir()) == []
    held.put_aside(1, bytes(100))
    next(folder.folder.iterdir()).unlink()  # another process was faster
    held.put_aside(2, bytes(100))
    held.keep()
    assert (held.content(1), held.content(2)) == (None, bytes(100))
    caplog.clear()
    for sender in (3, 4):
        held.put_aside(sender, bytes(100))
        held.keep()
    assert "AWASE_HELD_MB" in caplog.text


def test_a_folder_that_cannot_be_used_costs_bytes_and_nothing_else(tmp_path: Path) -> None:
    spec = pen_digits(rounds=3)
    run, expected = Run(spec, tmp_path), simulated(spec)
    (tmp_path / "held").write_bytes(b"a file where a folder should be")
    run.go()
    assert run.finals == expected.final_artifacts
    assert set(run.formats()) == {"bfloat16+zstd"}
