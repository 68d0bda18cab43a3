"""What a line of the log looks like, in every process: for people, or one JSON object a line for whatever collects them.

Published to `backend`, so it must never import torch. Which run, step, site, attempt and worker a line is about comes from
the context it is written in (`about`), so that whoever writes it need not know; no line holds a value of the data.
"""

import json
import logging
import os
import shutil
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Literal

Style = Literal["text", "json"]
ROTATED_AT_BYTES = 10_000_000
KEPT = 5
"""Older files of a log, besides the one that is written."""
_TEXT = "%(asctime)s %(process)d %(levelname)s %(name)s %(message)s"
_OF_UVICORN = ("uvicorn", "uvicorn.error", "uvicorn.access")
_about: ContextVar[Mapping[str, str | int]] = ContextVar("about")


@contextmanager
def about(
    *,
    run: str | None = None,
    step: str | None = None,
    site: str | None = None,
    attempt: int | None = None,
    worker: str | None = None,
) -> Iterator[None]:
    """What the lines of the block are about, besides what is known already."""
    more = {"run": run or None, "step": step, "site": site, "attempt": attempt, "worker": worker}
    token = _about.set(
        {**_about.get({}), **{name: value for name, value in more.items() if value is not None}}
    )
    try:
        yield
    finally:
        _about.reset(token)


def known() -> Mapping[str, str | int]:
    """What a line that is written here is about."""
    return _about.get({})


class TextLines(logging.Formatter):
    def __init__(self) -> None:
        super().__init__(_TEXT)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - overrides
        """The line, and behind it what it is about."""
        known = " ".join(f"{name}={value}" for name, value in _about.get({}).items())
        return super().formatMessage(record) + (f" [{known}]" if known else "")


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, str | int] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_about.get({}),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = "".join(traceback.format_exception(record.exc_info[1]))
        return json.dumps(line, ensure_ascii=False)


def setup(style: Style, *handlers: logging.Handler) -> None:
    """Of this process; without handlers to its standard error."""
    chosen = handlers or (logging.StreamHandler(),)
    for handler in chosen:
        handler.setFormatter(JsonLines() if style == "json" else TextLines())
    logging.basicConfig(level=logging.INFO, handlers=chosen)
    logging.captureWarnings(True)
    if style == "json":
        sys.excepthook = _end
    for name in _OF_UVICORN:  # it has handlers of its own, which know one style only
        of_server = logging.getLogger(name)
        of_server.handlers.clear()
        of_server.propagate = True


def _end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """How a process ends on which nobody reckoned, in a record as everything else."""
    if issubclass(kind, Exception):
        logging.getLogger(__name__).critical("ended by an error", exc_info=error)
    else:
        sys.__excepthook__(kind, error, trace)


def rotate(path: Path) -> None:
    """Of a log that has grown long the lines go to `path.1`, those that were there to `path.2`, and so on. All processes that write to it
    go on as they are: they append, so the file is emptied under them and not replaced; lines of that very moment may be lost. What cannot be done now, as
    the disk is full, say, is left for the next time."""
    with suppress(OSError):
        if not path.exists() or path.stat().st_size < ROTATED_AT_BYTES:
            return
        handler = RotatingFileHandler(path, backupCount=KEPT, delay=True)
        handler.rotator = _copy_and_empty
        handler.doRollover()
        handler.close()


def _copy_and_empty(source: str, target: str) -> None:
    shutil.copyfile(source, target)
    os.truncate(source, 0)
