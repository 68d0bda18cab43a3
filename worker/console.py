"""What a worker says to whoever sits there, in words of ours; where the log is JSON, as records of it, as every line there is to be one."""

import logging
import os
import sys
from contextlib import suppress

from celery.apps import worker as celery_worker
from celery.worker import state

from worker.settings import WorkerSettings

log = logging.getLogger("worker")
_FINISHES = (
    "stopping: nothing new is begun, and what is under way is finished first. To stop within seconds press Ctrl-C again: what is under "
    "way is then ended, and done again once a worker serves the site."
)
_ENDS = (
    "stopping within seconds: what is under way and does not finish in them is ended, and done again, from its last checkpoint where "
    "it has one, once a worker serves the site. Nothing else is lost."
)
_IDLE = "stopping: nothing was under way."


class Console:
    def __init__(self, settings: WorkerSettings) -> None:
        self._is_json, self._has_site = settings.log == "json", settings.site is not None

    def tell(self, what: str) -> None:
        if self._is_json:
            log.info("%s", what)
        else:
            print(f"awase: {what}", flush=True)

    def warn(self, what: str) -> None:
        if self._is_json:
            log.warning("%s", what)
        else:
            print(f"awase: {what}", file=sys.stderr, flush=True)

    def speak_for_celery(self) -> None:
        """Celery says how it stops to its standard output, in words about itself, which no setting changes. What else it says there, when
        it is asked for a dump of its threads, say, it says as before."""
        self._celery_says = celery_worker.safe_say  # type: ignore[attr-defined]  # its stubs lack it
        celery_worker.safe_say = self._of_stopping  # type: ignore[attr-defined]

    def _of_stopping(self, said: str, *where: object) -> None:
        """Within a handler of signals: whatever `print` was at, it must not be called again; nor must the log, but as Celery does itself."""
        if "shutdown" not in said and "Hitting Ctrl+C again" not in said:
            self._celery_says(said, *where)
        if "Hitting Ctrl+C again" not in said:
            return
        what = _IDLE if not state.active_requests else _FINISHES if "initiate cold" in said else _ENDS
        if self._has_site and not self._is_json:
            with suppress(OSError):
                os.write(sys.__stdout__.fileno() if sys.__stdout__ else 1, f"awase: {what}\n".encode())
        else:
            log.info("%s", what)
