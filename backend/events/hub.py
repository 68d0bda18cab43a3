"""One tailer per process reads new events and fans them out to all listeners of this process.

It polls only while someone listens. A listener first gets what it missed from the database, then the
live rows; ids tell the two apart, so none is sent twice and none is left out. Nothing is kept here that a
restart would lose: a browser comes back with Last-Event-ID.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

from backend.db.session import Database
from backend.events import repository, service
from backend.events.schemas import Event

log = logging.getLogger(__name__)
POLL_S = 0.2
_BATCH = 500
_QUEUE_SIZE = 2000
_END = None


@dataclass(eq=False)
class _Listener:
    run: str | None
    pilot: str | None
    queue: "asyncio.Queue[Event | None]" = field(default_factory=lambda: asyncio.Queue(_QUEUE_SIZE))

    def wants(self, event: Event) -> bool:
        return self.run in (None, event.run_id) and self.pilot in (None, event.pilot_id)


class EventHub:
    """Belongs to one event loop; every method but the database reads runs on it."""

    def __init__(self, database: Database, poll_s: float = POLL_S) -> None:
        self._database = database
        self._poll_s = poll_s
        self._listeners: set[_Listener] = set()
        self._tailer: asyncio.Task[None] | None = None
        self._last = 0
        self._starting = asyncio.Lock()
        self._closed = False

    async def listen(
        self, after: int | None, run: str | None, pilot: str | None, ping_s: float
    ) -> AsyncIterator[Event | None]:
        """Events later than `after` (None: only new ones), of a run or pilot when one is given; None every
        `ping_s` seconds of silence. Ends when the server stops or the listener is too slow to follow."""
        listener = _Listener(run, pilot)
        self._listeners.add(listener)
        try:
            # The tailer's place must be known before the replay, or what comes between is lost.
            start = await self._ensure_tailer()
            # An id that is still to come is of a database that was since restored from a copy: it counts anew.
            sent = start if after is None else min(after, await asyncio.to_thread(self._last_id))
            while after is not None and not self._closed:
                batch = await asyncio.to_thread(self._read, sent, run, pilot)
                for event in batch:
                    sent = event.id
                    yield event
                if len(batch) < _BATCH:
                    break
            while not self._closed:
                try:
                    live = await asyncio.wait_for(listener.queue.get(), ping_s)
                except TimeoutError:
                    yield None
                    continue
                if live is _END:
                    return
                if live.id > sent:
                    sent = live.id
                    yield live
        finally:
            self._listeners.discard(listener)

    def close(self) -> None:
        """Ends every stream at once; new ones end at their first event."""
        self._closed = True
        for listener in self._listeners:
            self._end(listener)
        if self._tailer is not None:
            self._tailer.cancel()

    async def _ensure_tailer(self) -> int:
        async with self._starting:
            if self._tailer is None or self._tailer.done():
                self._last = await asyncio.to_thread(self._last_id)
                self._tailer = asyncio.create_task(self._tail())
            return self._last

    async def _tail(self) -> None:
        while self._listeners:
            try:
                events = await asyncio.to_thread(self._read, self._last, None, None)
            except SQLAlchemyError as error:
                log.warning("events cannot be read, trying again: %s", type(error).__name__)
                events = []
            if not events:
                await self._notice_a_restored_database()
            for event in events:
                self._last = event.id
                for listener in [one for one in self._listeners if one.wants(event)]:
                    self._put(listener, event)
            await asyncio.sleep(self._poll_s)

    async def _notice_a_restored_database(self) -> None:
        """Its ids count from an earlier one: listeners come back, and get from there what is new."""
        with suppress(SQLAlchemyError):
            last = await asyncio.to_thread(self._last_id)
            if last < self._last:
                self._last = last
                for listener in self._listeners:
                    self._end(listener)

    def _put(self, listener: _Listener, event: Event) -> None:
        try:
            listener.queue.put_nowait(event)
        except asyncio.QueueFull:
            # It comes back with the last id it saw and reads the rest from the database.
            self._end(listener)

    def _end(self, listener: _Listener) -> None:
        while listener.queue.full():
            listener.queue.get_nowait()
        listener.queue.put_nowait(_END)

    def _read(self, after: int, run: str | None, pilot: str | None) -> list[Event]:
        with self._database.read() as session:
            return [service.event(row) for row in repository.after(session, after, _BATCH, run, pilot)]

    def _last_id(self) -> int:
        with self._database.read() as session:
            return repository.last_id(session)
