"""The coordinator's process: settings from the environment, one lock, one loop until a signal."""

import contextlib
import logging
import signal
import sys
from queue import Empty, SimpleQueue

from sqlalchemy.exc import SQLAlchemyError

from backend.coordinator.broker import CeleryInbox, RedisReports
from backend.coordinator.clock import Forward
from backend.coordinator.daily import Daily
from backend.coordinator.identity import StoreIdentity
from backend.coordinator.lock import (
    AlreadyCoordinated,
    DatabaseAway,
    FolderRefused,
    LockLost,
    StillAlone,
    only_coordinator,
)
from backend.coordinator.ports import PortUnavailable
from backend.coordinator.trouble import Trouble
from backend.coordinator.turn import Coordinator
from backend.coordinator.workers import Remembered
from backend.db.session import Database
from backend.settings import Settings
from worker import logs

log = logging.getLogger("coordinator")
LONGEST_PAUSE_S = 5.0


class Stop:
    """Asked for by a signal, at any line of the main thread: an Event would wait for a lock that its own
    thread may hold just then; the queue may be put into from anywhere."""

    def __init__(self) -> None:
        self.is_asked = False
        self._asked: SimpleQueue[None] = SimpleQueue()

    def ask(self) -> None:
        self.is_asked = True
        self._asked.put(None)

    def wait(self, at_most_s: float) -> None:
        """Returns as soon as it is asked for."""
        with contextlib.suppress(Empty):
            self._asked.get(timeout=at_most_s)


def main() -> int:
    return run(Settings())


def run(settings: Settings) -> int:
    """Runs until SIGTERM or SIGINT. 1: cannot start, or may not go on; whoever watches over it starts it again."""
    logs.setup(settings.log)
    if settings.broker_url is None:
        _say(settings, "The coordinator needs BROKER_URL (redis://...). Set it, or use 'awase up'.")
        return 1
    stop = Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.ask())
    database = Database(settings.database_url)
    try:
        with (
            only_coordinator(database) as still_alone,
            Daily(settings),
            StoreIdentity(settings, database) as store_id,
        ):
            _loop(database, settings, settings.broker_url, stop, still_alone, store_id)
    except (AlreadyCoordinated, DatabaseAway, FolderRefused, LockLost) as error:
        _say(settings, str(error))
        return 1
    finally:
        database.close()
    return 0


def _say(settings: Settings, why_it_ends: str) -> None:
    if settings.log == "json":
        log.error("%s", why_it_ends)
    else:
        print(why_it_ends, file=sys.stderr)


def _loop(
    database: Database, settings: Settings, broker_url: str, stop: Stop, still_alone: StillAlone,
    store_id: StoreIdentity,
) -> None:  # fmt: skip
    """Turns; after trouble with broker or database everything is read anew, a little later.

    Raises: LockLost.
    """
    pause_s = 0.1
    now = Forward()
    trouble, remembered = Trouble(database, broker_url, now), Remembered()
    while not stop.is_asked:
        coordinator = Coordinator(
            database, CeleryInbox(broker_url), RedisReports(broker_url), settings, now, still_alone,
            store_id=store_id, remembered=remembered,
        )  # fmt: skip
        try:
            while not stop.is_asked:
                began_at = now()
                coordinator.turn()
                trouble.is_over()
                pause_s = 0.1
        except (PortUnavailable, SQLAlchemyError) as error:
            trouble.met(error, began_at)
            stop.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


if __name__ == "__main__":
    sys.exit(main())
