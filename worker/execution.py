"""One execution of one step, from its message to its last report: the edge where every error ends.

Reports carry a code, plain values and the step's log (`step_log`), never a whole traceback and never anything of the data; the
traceback stays in the local log.
"""

import logging
import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from itertools import count
from typing import Any

from uuid_utils import uuid7

from dimat.errors import ArtifactInvalid, DataError, DimatError
from dimat.rows import SiteRows
from dimat.steps import Cancelled, StepContext
from dimat.training.checkpoint import Underway
from dimat.wire.deltas import against
from dimat.wire.sending import artifacts_of
from worker import devices, logs, steps
from worker.artifacts import ArtifactMissing, ArtifactStore, StoreUnavailable
from worker.checkpoints import CHECKPOINT_EVERY_S, Checkpoints
from worker.data.samples import load_site_rows
from worker.held import HeldFolder
from worker.limits import MemoryWatch, within_threads
from worker.messages.refs import DeltaRef
from worker.messages.reports import (
    Accuracies,
    ExchangeReport,
    FetchDue,
    Report,
    StepBeat,
    StepCancelled,
    StepFailed,
    StepFinished,
    StepStarted,
)
from worker.messages.steps import NO_STORE, StepMessage
from worker.reporting import Every, ReportSender
from worker.settings import STUCK_AFTER_S, DeviceChoice
from worker.standstill import StandstillWatch, Watched
from worker.step_log import Keeper
from worker.steps.bench import matched
from worker.steps.fetches import fetches_of, keeps_what_it_fetches

log = logging.getLogger(__name__)
CANCEL_POLL_S = 1.0
MOST_REMEMBERED = 64
MOST_TEXT = 2000
TELL_FETCHED_S = 0.5
"""So long at most a step that fetches keeps to itself what it has fetched."""


class DataChanged(DataError):
    """The site's rows are not those of the pilot's snapshot."""

    code = "data_changed"
    template = (
        "The rows of site '{site}' are not those the pilot began with. "
        "Restore them, or start a new pilot on the new data."
    )


class Execution:
    """A step being executed, shared by the thread that works and the one that beats.

    Attributes:
        id: drawn here, or given by who must know it, too; the coordinator lets only the first execution of
            an attempt count.
    """

    def __init__(
        self,
        message: StepMessage,
        worker_id: str,
        reports: ReportSender,
        step_beat_s: float,
        checkpoint_every_s: float = CHECKPOINT_EVERY_S,
        id: str | None = None,
        stuck_after_s: float = STUCK_AFTER_S,
        held: HeldFolder | None = None,
    ) -> None:
        self.id = id or str(uuid7())
        self.message = message
        self._worker_id, self._reports, self._step_beat_s = worker_id, reports, step_beat_s
        self._stuck_after_s = stuck_after_s
        self._checkpoints = Checkpoints(message, self.id, checkpoint_every_s, self._beat)
        self._log = Keeper(message.step_id)
        self._seq = count()
        self._num_epochs = self._num_files = 0
        self._progress = 0.0
        self._exchanges: list[ExchangeReport] = []
        self._held, self._held_folder = None, held
        if held is not None and held.keeps and message.run_id is not None and keeps_what_it_fetches(message):
            self._held = held.of(message.run_id, message.context.index)
        self._due: tuple[FetchDue, ...] = ()
        self._cancelled = threading.Event()
        self._began = self._beaten_at = self._told_at = time.monotonic()
        self._cpu_began = time.process_time()

    def run(self, open_store: Callable[[], ArtifactStore], device: DeviceChoice) -> None:
        """Executes the step and reports its end; raises nothing. A store that cannot be opened is an end, too."""
        message = self.message
        site = message.context.site.name
        with (
            logs.about(
                run=message.run_id,
                step=message.step_id,
                site=site,
                attempt=message.attempt,
                worker=self._worker_id,
            ),
            self._log,
        ):
            self._run(open_store, device)

    def _run(self, open_store: Callable[[], ArtifactStore], device: DeviceChoice) -> None:
        try:
            chosen = devices.choose(device)
            log.info(
                "%s of round %d begins on %s, attempt %d", self.message.kind, getattr(self.message, "round", 0), chosen,
                self.message.attempt,
            )  # fmt: skip
            self._due = (
                fetches_of(self.message, self._held.digest) if self._held else fetches_of(self.message)
            )
            self._send(StepStarted(device=chosen, pid=os.getpid(), fetches=self._due, **self._about()))

            def too_large(used_mb: int, limit_mb: int) -> None:
                log.error("used %d MB of memory, more than the site's limit of %d MB", used_mb, limit_mb)
                about = {"site": self.message.context.site.name, "used_mb": used_mb, "limit_mb": limit_mb}
                # Once: while the broker is away the process would grow on. Its end is heard of as a lost worker then.
                self._send_end(self._failed("memory_over_limit", about, False), until_taken=False)

            def stuck(seconds: float) -> None:
                log.error("nothing has moved for %.0f s", seconds)
                about = {"site": self.message.context.site.name, "seconds": round(seconds)}
                self._send_end(self._failed("step_stuck", about, True), until_taken=False)

            watch = MemoryWatch(self.message.limits, too_large)
            still = StandstillWatch(self._stuck_after_s, self._mark, stuck)
            beat = Every(CANCEL_POLL_S, self._tick, "step-beat")
            with beat, watch, still, within_threads(self.message.limits):
                end = self._work(Watched(open_store(), self._file_moved), chosen)
        except Cancelled:
            end = StepCancelled(
                exchanges=tuple(self._exchanges),
                seconds=self._seconds(),
                cpu_s=self._cpu_s(),
                **self._about(),
            )
        except (DimatError, devices.DeviceMissing) as error:
            # Bytes that are read wrongly once may be right the next time.
            retryable = isinstance(error, ArtifactInvalid)
            end = self._failed(error.code, dict(error.params), retryable)
        except ArtifactMissing as error:
            log.exception("an artifact is missing")
            end = self._failed("artifact_missing", {"sha256": error.sha256}, True)
        except StoreUnavailable as error:
            log.exception("the store is away")
            end = self._failed("store_unreachable", {"error": error.reason}, True)
        except Exception as error:
            # The edge: whatever it was, the run must end with a reason.
            log.exception("crashed")
            end = self._failed("unexpected_error", {"kind": type(error).__name__}, False)
        code = f", {end.code}" if isinstance(end, StepFailed) else ""
        log.log(
            logging.WARNING if code else logging.INFO, "%s of round %d %s after %.1f s%s",
            self.message.kind, getattr(self.message, "round", 0), end.kind, self._seconds(), code,
        )  # fmt: skip
        if self._held is not None:
            self._held.drop()  # what is kept by now is no longer aside
        if self._held_folder is not None:
            self._held_folder.tidy_daily()
        self._send_end(end)
        if not (isinstance(end, StepFailed) and end.retryable):
            # Who is stopped may not be the only one who goes on from what was left.
            self._checkpoints.clear(others_too=not isinstance(end, StepCancelled))

    def _work(self, store: ArtifactStore, device: str) -> Report:
        rows = self._rows()
        self._check_is_servers(store)
        start = self._checkpoints.open(store, rows)
        bench = steps.Bench(
            self.message,
            self._context(device),
            rows,
            store,
            self._exchanges,
            start,
            self._exchanged,
            self._held,
        )
        result = steps.run(bench)
        if result.num_epochs:
            log.info("trained %d epochs", result.num_epochs)
        message = self.message
        residual, sent_before = bench.residual(message.residual), bench.sent_before(message.sent_before)
        made = artifacts_of(result, message.wire, message.kind == "gather", residual, sent_before)
        kept = {name: store.put(data) for name, data in asdict(made).items() if data is not None}
        for name, ref in kept.items():
            log.info("stored %s: %d bytes, sha256 %s", name, ref.num_bytes, ref.sha256[:12])
        # A directory that was not mounted for a while took them, and has hidden them since.
        self._check_is_servers(store)
        if not all(store.has(ref) for ref in kept.values()):
            raise StoreUnavailable("keep what was put", "it was away meanwhile")
        uploaded = sum(ref.num_bytes for ref in kept.values())
        if made.delta is not None:
            kept["delta"] = DeltaRef(**kept["delta"].model_dump(), against=against(made.delta))
        if self._held is not None:
            self._held.keep()
        is_prepare = self.message.kind == "prepare"
        metrics = result.metrics
        return StepFinished(
            artifact=kept.pop("model", None),
            **kept,
            num_epochs=result.num_epochs,
            resumed=self._checkpoints.resumed,
            accuracies=metrics and Accuracies(**asdict(metrics)),
            exchanges=tuple(self._exchanges),
            matched=matched(result),
            uploaded_bytes=uploaded,
            seconds=self._seconds(),
            cpu_s=self._cpu_s(),
            device=device,
            fingerprint=rows.fingerprint() if is_prepare else None,
            num_rows=len(rows.train_x) if is_prepare else None,
            **self._about(),
        )  # fmt: skip

    def _check_is_servers(self, store: ArtifactStore) -> None:
        """Raises: StoreUnavailable."""
        expected = self.message.context.store_id
        if expected == NO_STORE:
            raise StoreUnavailable("be used", "the server had not seen it yet")
        if expected is not None and store.identity() != expected:
            raise StoreUnavailable("be used", "this worker's store is not that of the server")

    def _rows(self) -> SiteRows:
        where = self.message.context
        rows = load_site_rows(where.site.data, where.data, where.site_names, where.index, where.seed)
        # Hashed once, when a process reads the rows: at every step it could cost more than the step.
        if where.fingerprint is not None and not _known_fingerprint(rows, where.fingerprint):
            raise DataChanged(site=where.site.name)
        return rows

    def _context(self, device: str) -> StepContext:
        message, where = self.message, self.message.context
        round = 0 if message.kind == "prepare" else message.round
        return StepContext(
            seed=where.seed,
            round=round,
            rounds=message.rounds if message.kind == "train" else max(round, 1),
            site_index=where.index,
            site_name=where.site.name,
            num_sites=where.num_sites,
            model=message.model,
            evaluation=where.evaluation,
            last_loss=getattr(message, "last_loss", "cross_entropy"),
            device=device,
            should_stop=self._cancelled.is_set,
            on_progress=self._advance,
            on_epoch=self._epoch_done,
        )

    def _advance(self, progress: float) -> None:
        self._progress = min(progress, 1.0)

    def _mark(self) -> tuple[float, int, int]:
        """It changes whenever the step gets on."""
        return self._progress, self._num_epochs, self._num_files

    def _file_moved(self) -> None:
        self._num_files += 1

    def _epoch_done(self, take: Callable[[], Underway]) -> None:
        self._num_epochs += 1
        log.info("epoch %d of this attempt is done after %.1f s", self._num_epochs, self._seconds())
        self._checkpoints.offer(take)

    def _tick(self) -> None:
        if self._reports.is_cancelled(self.message, self.id):
            self._cancelled.set()
        now = time.monotonic()
        if now - self._beaten_at >= self._step_beat_s:
            self._beaten_at = now
            self._beat()

    def _beat(self) -> None:
        """Also when there is a new checkpoint, or all is fetched."""
        left = self._checkpoints
        beat = StepBeat(
            progress=self._progress, exchanges=tuple(self._exchanges), checkpoint=left.latest,
            resumed=left.resumed, **self._about(),
        )  # fmt: skip
        self._send(beat, until_taken=False)

    def _exchanged(self) -> None:
        """Tells what was fetched before anything is made of it: who dies then has told it. Each fetch by itself where they take their
        time, all at once where they do not."""
        now = time.monotonic()
        if self._fetched_all() or now - self._told_at >= TELL_FETCHED_S:
            self._told_at = now
            self._beat()

    def _fetched_all(self) -> bool:
        return len([one for one in self._exchanges if one.purpose != "difference"]) == len(self._due)

    def _failed(self, code: str, params: dict[str, Any], retryable: bool) -> StepFailed:
        return StepFailed(
            code=code, params=_sendable(params), retryable=retryable, exchanges=tuple(self._exchanges),
            seconds=self._seconds(), cpu_s=self._cpu_s(), **self._about(),
        )  # fmt: skip

    def _send_end(self, end: Report, until_taken: bool = True) -> None:
        """The last word, with what was logged about the step."""
        self._send(end.model_copy(update={"log": self._log.told()}), until_taken)

    def _send(self, report: Report, until_taken: bool = True) -> None:
        self._reports.send(report, until_taken)

    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def _cpu_s(self) -> float:
        return time.process_time() - self._cpu_began

    def _about(self) -> dict[str, Any]:
        return {
            "worker_id": self._worker_id, "step_id": self.message.step_id, "attempt": self.message.attempt,
            "execution_id": self.id, "seq": next(self._seq),
        }  # fmt: skip


def _sendable(params: dict[str, Any]) -> dict[str, Any]:
    """What a library said may be of any length and kind, and hold what no database takes; the end must be told all the same."""
    return {name: _plain(value) for name, value in params.items()}


def _plain(value: Any) -> str | int | float | bool | None:
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    text = str(value).encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text[:MOST_TEXT]


_fingerprints: dict[int, tuple[SiteRows, str]] = {}


def _known_fingerprint(rows: SiteRows, expected: str) -> bool:
    """Whether the rows have this digest; remembered while the process keeps the rows."""
    if len(_fingerprints) > MOST_REMEMBERED:
        _fingerprints.clear()
    known = _fingerprints.get(id(rows))
    if known is None or known[0] is not rows:
        _fingerprints[id(rows)] = known = (rows, rows.fingerprint())
    return known[1] == expected
