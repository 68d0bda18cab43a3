"""Reports go up: pushed to one Redis list, from which the coordinator drains them in batches.

A report that matters is pushed until the broker has it (the coordinator knows duplicates); a beat is not
worth waiting for.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from typing import Protocol, Self

import redis

from worker.app import connect
from worker.messages.keys import REPORTS_LIST, cancel_key, recall_key, refused_key, superfluous_key
from worker.messages.reports import Report
from worker.messages.steps import StepMessage

log = logging.getLogger(__name__)
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0


class ReportSender(Protocol):
    """A port: the worker's side of `Reports`."""

    def send(self, report: Report, until_taken: bool = True) -> None:
        """Hands a report over; with `until_taken` it comes back only when the broker has it."""
        ...

    def is_cancelled(self, message: StepMessage, execution_id: str) -> bool:
        """Whether someone asked this step's run to stop, or took the step back before it began."""
        ...


class RedisReportSender:
    """Reports over a Redis list, cancel flags as Redis keys."""

    def __init__(self, broker_url: str) -> None:
        self._redis = connect(broker_url)

    def send(self, report: Report, until_taken: bool = True) -> None:
        body = report.model_dump_json()
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                self._redis.lpush(REPORTS_LIST, body)
                return
            except redis.RedisError as error:
                log.warning("report %s not sent: %s", report.kind, type(error).__name__)
                if not until_taken:
                    return
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def is_cancelled(self, message: StepMessage, execution_id: str) -> bool:
        keys = [recall_key(message.step_id, message.attempt), superfluous_key(execution_id)]
        if message.run_id is not None:
            keys.append(cancel_key(message.run_id))
        try:
            return bool(self._redis.exists(*keys))
        except redis.RedisError:
            return False  # asked again a second later

    def why_refused(self, site_name: str) -> str | None:
        """What the coordinator says of a site that gets no work: `unknown` or `revoked`. None: nothing of the kind is known."""
        try:
            said = self._redis.get(refused_key(site_name))
        except redis.RedisError:
            return None
        return said.decode() if isinstance(said, bytes) else None


class Every:
    """Calls `tick` in a thread at once and then every `period_s`, until closed. `tick` must not raise."""

    def __init__(self, period_s: float, tick: Callable[[], None], name: str) -> None:
        self._stop = threading.Event()
        self._period_s, self._tick = period_s, tick
        # What its lines of the log are about is what those of its maker are.
        run = copy_context().run
        self._thread = threading.Thread(target=run, args=(self._run,), name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Also before it has begun: then it never does."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=15)

    def _run(self) -> None:
        self._tick()
        while not self._stop.wait(self._period_s):
            self._tick()
