"""Which store the artifacts are in. Steps carry it, so that no worker puts models into another store."""

import logging
import threading
from types import TracebackType
from typing import Self

from backend.settings import Settings
from worker.artifacts import StoreUnavailable, open_store

log = logging.getLogger(__name__)
AGAIN_S = 5.0


class StoreIdentity:
    """While the block runs. A store that is away is asked again until it says who it is: in a thread, as it may keep waiting whoever
    asks."""

    def __init__(self, settings: Settings, again_s: float = AGAIN_S) -> None:
        self._url, self._again_s = settings.artifacts_url, again_s
        self._known: str | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="identity", daemon=True)

    def __call__(self) -> str | None:
        """None: it is not known yet, and is not looked after."""
        return self._known

    def __enter__(self) -> Self:
        try:
            self._known = open_store(self._url).identity()
        except StoreUnavailable as error:
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
                self._known = open_store(self._url).identity()
            except StoreUnavailable as error:
                log.debug("%s", error)
