"""Which store the artifacts are in. Steps carry it, so that no worker puts models into another store."""

import logging
import threading
from types import TracebackType
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from backend.coordinator import repository
from backend.db.session import Database
from backend.settings import Settings
from worker.artifacts import StoreUnavailable, open_store

log = logging.getLogger(__name__)
AGAIN_S = 5.0
_LOOKED_FOR = 3


class StoreIdentity:
    """While the block runs. A store that is away is asked again until it says who it is: in a thread, as it may keep waiting whoever
    asks. So is a place that has none of the models that were put last, such as the directory on which a disk is not mounted."""

    def __init__(self, settings: Settings, database: Database, again_s: float = AGAIN_S) -> None:
        self._url, self._database, self._again_s = settings.artifacts_url, database, again_s
        self._known: str | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="identity", daemon=True)

    def __call__(self) -> str | None:
        """None: it is not known yet, and is not looked after."""
        return self._known

    def __enter__(self) -> Self:
        try:
            self._known = self._ask()
        except (StoreUnavailable, SQLAlchemyError) as error:
            log.warning("%s", error)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()

    def _run(self) -> None:
        while self._known is None and not self._stop.wait(self._again_s):
            try:
                self._known = self._ask()
            except (StoreUnavailable, SQLAlchemyError) as error:
                log.debug("%s", error)

    def _ask(self) -> str:
        """Raises: StoreUnavailable, SQLAlchemyError."""
        store = open_store(self._url)
        with self._database.read() as session:
            put_last = repository.artifacts_put_last(session, _LOOKED_FOR)
        if put_last and not any(store.has(ref) for ref in put_last):
            raise StoreUnavailable("be used", "it has none of the models that were put into it last")
        return store.identity()
