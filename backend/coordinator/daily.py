"""Cleans once a day, if the settings say what is to be kept for how long: in a thread beside the loop, which nothing here can stop.

There is one coordinator, so it is done once. What goes wrong is said in the log, and tried again an hour later.
"""

import logging
import threading
from types import TracebackType
from typing import Self

from backend.db.session import Database
from backend.db.tables import utc_now
from backend.retention import service
from backend.settings import Settings
from worker.artifacts import open_store

log = logging.getLogger(__name__)
LOOK_EVERY_S = 3600.0


class Daily:
    """While the block runs."""

    def __init__(self, settings: Settings, look_every_s: float = LOOK_EVERY_S) -> None:
        self._settings, self._look_every_s = settings, look_every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="daily", daemon=True)

    def __enter__(self) -> Self:
        if self._settings.keep_artifacts_days is not None or self._settings.keep_events_days is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Waits for no removal: the next one goes on from there."""
        self._stop.set()

    def _run(self) -> None:
        database = Database(self._settings.database_url)
        try:
            while not self._stop.is_set():
                self._look(database)
                self._stop.wait(self._look_every_s)
        finally:
            database.close()

    def _look(self, database: Database) -> None:
        now = utc_now()
        try:
            if service.is_due(database, self._settings, now):
                freed = service.clean(database, open_store(self._settings.artifacts_url), self._settings, now)
                log.info(
                    "cleaned: %d artifacts, %d orphans, %d logs, %d events, %d bytes",
                    freed.artifacts, freed.orphans, freed.logs, freed.events, freed.num_bytes,
                )  # fmt: skip
        except Exception:  # whatever it was, tomorrow is another day
            log.exception("not cleaned; tried again in %.0f s", self._look_every_s)
