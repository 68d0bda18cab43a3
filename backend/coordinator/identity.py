"""Which store the artifacts are in. Steps carry it, so that no worker puts models into another store."""

import logging
import threading
from types import TracebackType
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from backend.coordinator import store_repository
from backend.db.session import Database
from backend.settings import Settings
from worker.artifacts import StoreUnavailable, open_store
from worker.messages.steps import NO_STORE

log = logging.getLogger(__name__)
AGAIN_S = 5.0
FIRST_S = 2.0
"""So long a coordinator that begins waits for the first answer: a step that is sent without one comes to nothing, and is tried again. And so long one
that ends waits for the last."""
_GONE = " (if those are gone for good: ./awase adopt-store)"


class StoreIdentity:
    """While the block runs. Once seen it is known for good, by a row, whether the store is there or not: the directory on which a disk is not
    mounted is not taken for it. A store that is away, or another one, is asked again until it is the one that is known, or somebody says that it
    is (`awase adopt-store`): in a thread, as it may keep waiting whoever asks."""

    def __init__(self, settings: Settings, database: Database, again_s: float = AGAIN_S) -> None:
        self._url, self._database, self._again_s = settings.artifacts_url, database, again_s
        self._known, self._is_settled = NO_STORE, False
        self._stop, self._has_asked = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="identity", daemon=True)

    def __call__(self) -> str:
        """`NO_STORE`: none was ever seen. Steps that are sent with it put nothing anywhere."""
        return self._known

    def __enter__(self) -> Self:
        self._thread.start()
        self._has_asked.wait(FIRST_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(FIRST_S)  # whoever closes the database next; a store that hangs is not waited for

    def _run(self) -> None:
        level = logging.WARNING
        while not self._stop.is_set():
            try:
                self._look()
                level = logging.WARNING
            except (StoreUnavailable, SQLAlchemyError) as error:
                log.log(level, "%s", error)
                level = logging.DEBUG
            finally:
                self._has_asked.set()
            self._stop.wait(self._again_s)

    def _look(self) -> None:
        """Raises: StoreUnavailable: away, or another one than is known; SQLAlchemyError."""
        with self._database.read() as session:
            noted = store_repository.noted(session)
        if self._is_settled and noted == self._known:
            return
        self._known, self._is_settled = noted or NO_STORE, False
        self._ask(noted)
        self._is_settled = True

    def _ask(self, noted: str | None) -> None:
        with self._database.read() as session:
            put_last = store_repository.artifacts_put_last(session)
            has_put = store_repository.has_put(session)
        store = open_store(self._url)
        if noted is not None and store.identity() == noted:
            return
        has_models = any(store.has(ref) for ref in put_last)
        if put_last and not has_models:
            raise StoreUnavailable("be used", f"it has none of the models that were put last{_GONE}")
        if noted is not None and has_put and not has_models:
            raise StoreUnavailable("be used", f"it is another one than models were put into before{_GONE}")
        if noted is not None:  # nothing was ever put, or all was copied there
            log.warning("the store of models is another one than before, and is used from now on")
        found = store.identify()
        with self._database.write() as session:
            store_repository.note(session, found)
        self._known = found
