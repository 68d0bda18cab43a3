"""The lines that a step logs, kept for its report: bounded, the first and the last of them, and without values of the data.

Only our own loggers are listened to, and of an error that is not ours only its kind and the places in the code are told: its message may
quote what it was given.
"""

import logging
import threading
import traceback
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from dimat.errors import DimatError
from worker import devices, logs
from worker.artifacts import StoreUnavailable
from worker.messages.reports import MOST_LOG_CHARS, MOST_LOG_LINES, MOST_LOG_TEXT, LogLevel, LogLine, StepLog

_OURS = ("worker", "dimat")
_SPEAK_FOR_THEMSELVES = (DimatError, StoreUnavailable, devices.DeviceMissing)


class Keeper(logging.Handler):
    """While it is entered, keeps the lines about one step. Half of what is kept are the first ones, half the last."""

    def __init__(self, step_id: str) -> None:
        super().__init__(logging.INFO)
        self._step_id = step_id
        self._first: list[LogLine] = []
        self._last: deque[LogLine] = deque()
        self._chars_first = self._chars_last = self._left_out = 0
        self._is_full = False
        self._guard = threading.Lock()

    def __enter__(self) -> Self:
        for name in _OURS:
            logging.getLogger(name).addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in _OURS:
            logging.getLogger(name).removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if logs.known().get("step") == self._step_id:
            line = LogLine(
                at=datetime.fromtimestamp(record.created, UTC),
                level=_level(record),
                text=_sendable(_text(record)),
            )
            with self._guard:
                self._keep(line)

    def told(self) -> StepLog:
        with self._guard:
            return StepLog(first=tuple(self._first), last=tuple(self._last), left_out=self._left_out)

    def _keep(self, line: LogLine) -> None:
        most, chars = MOST_LOG_LINES // 2, MOST_LOG_CHARS // 2
        self._is_full |= len(self._first) >= most or self._chars_first + len(line.text) > chars
        if not self._is_full:
            self._first.append(line)
            self._chars_first += len(line.text)
            return
        self._last.append(line)
        self._chars_last += len(line.text)
        while len(self._last) > most or self._chars_last > chars:
            self._chars_last -= len(self._last.popleft().text)
            self._left_out += 1


def _level(record: logging.LogRecord) -> LogLevel:
    if record.levelno >= logging.ERROR:
        return "error"
    return "warning" if record.levelno >= logging.WARNING else "info"


def _text(record: logging.LogRecord) -> str:
    error = record.exc_info[1] if record.exc_info else None
    return "\n".join([record.getMessage(), *(() if error is None else _places(error))])


def _places(error: BaseException) -> Iterator[str]:
    """The error and what it came from: kind, our own words, and where; no line holds a variable."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        said = f": {current}" if isinstance(current, _SPEAK_FOR_THEMSELVES) else ""
        yield f"{type(current).__name__}{said}"
        for frame in traceback.extract_tb(current.__traceback__):
            yield f"  {frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} in {frame.name}"
        current = current.__cause__ or current.__context__


def _sendable(text: str) -> str:
    plain = text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
    return plain if len(plain) <= MOST_LOG_TEXT else plain[: MOST_LOG_TEXT - 1] + "…"
