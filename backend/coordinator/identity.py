"""Which store the artifacts are in. Steps carry it, so that no worker puts models into another store."""

import logging
import threading
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from backend.artifacts import store_repository
from backend.coordinator import sites_repository
from backend.db.session import Database
from backend.db.tables import utc_now
from backend.runs.coordinating import STORE, store_away_since
from backend.settings import Settings
from worker.artifacts import ArtifactStore, StoreUnavailable, open_store
from worker.messages.steps import NO_STORE

log = logging.getLogger(__name__)
AGAIN_S = 5.0
FIRST_S = 2.0
"""So long a coordinator that begins waits for the first answer: a step that is sent without one comes to nothing, and is tried again. And so long one
that ends waits for the last."""
_GONE = " (if those are gone for good: ./awase adopt-store)"


class StoreIdentity:
    """While the block runs. Once seen it is known for good, by a row, whether the store is there or not: the directory on which a disk is not
    mounted is not taken for it. The store is asked every few seconds: whoever looks at pages is told when it is away, or is another one.
    Somebody may say that it is that one from now on (`awase adopt-store`). All this in a thread, as a store may keep waiting whoever asks."""

    def __init__(self, settings: Settings, database: Database, again_s: float = AGAIN_S) -> None:
        self._url, self._database, self._again_s = settings.artifacts_url, database, again_s
        self._known = NO_STORE
        self._away_since: datetime | None = None
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
        said = ""
        while not self._stop.is_set():
            try:
                self._look()
                self._tell(away=False)
                said = ""
            except (StoreUnavailable, SQLAlchemyError) as error:
                if isinstance(error, StoreUnavailable):
                    with suppress(SQLAlchemyError):
                        self._tell(away=True)
                log.log(logging.DEBUG if str(error) == said else logging.WARNING, "%s", error)
                said = str(error)
            finally:
                self._has_asked.set()
            self._stop.wait(self._again_s)

    def _look(self) -> None:
        """Raises: StoreUnavailable: away, or another one than is known; SQLAlchemyError."""
        with self._database.read() as session:
            noted = store_repository.noted(session)
        self._known = noted or NO_STORE
        store = open_store(self._url)
        if noted is None:
            self._is_the_first(store)
        elif (name := store.identity()) != noted:
            self._is_another(store, name)

    def _is_the_first(self, store: ArtifactStore) -> None:
        """Raises: StoreUnavailable: not where the models are, of a database that is older than the row."""
        with self._database.read() as session:
            put_last = store_repository.artifacts_put_last(session, store_repository.LOOKED_FOR)
        if put_last and not any(store.has(ref) for ref in put_last):
            raise StoreUnavailable("be used", f"it has none of the models that were put last{_GONE}")
        found = store.identify()
        with self._database.write() as session:
            store_repository.note(session, found)
        self._known = found

    def _is_another(self, store: ArtifactStore, name: str | None) -> None:
        """Takes it in place of the one that is noted, where nothing can be lost by that. Raises: StoreUnavailable: it can."""
        with self._database.read() as session:
            has_sent = store_repository.has_sent(session)
            put_last = store_repository.artifacts_put_last(session, store_repository.COPIED)
        # One that has a name is a server's, or was this one's: below a mount it has all that was put until it was replaced.
        if has_sent and (name is not None or not put_last or not all(store.has(ref) for ref in put_last)):
            raise StoreUnavailable("be used", f"it is another one than runs put their models into{_GONE}")
        found = store.identify()
        with self._database.write() as session:
            if store_repository.has_sent(session) != has_sent:
                return  # meanwhile: with the name of the other one
            store_repository.note(session, found)
        log.warning("the store of models is another one than before, and is used from now on")
        self._known = found

    def _tell(self, away: bool) -> None:
        """Whoever asks how the server is. A store that hangs lets nothing be told, and nobody knows how it is."""
        if self._stop.is_set():  # the database may be closed by now
            return
        now = utc_now()
        with self._database.write() as session:
            self._away_since = (self._away_since or store_away_since(session, now) or now) if away else None
            about = {} if self._away_since is None else {"since": self._away_since.isoformat()}
            sites_repository.beat(session, STORE, now, about)
