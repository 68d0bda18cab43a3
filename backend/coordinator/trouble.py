"""What keeps the coordinator from its turns: of a broker or a database that does not answer one line in the log when it begins, one when it is
over, and of the broker a row for those who look at pages. It tries again every few seconds; a line, or a traceback, for each try would
bury everything else. What a database that answers refuses is told with its traceback."""

import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from backend.coordinator import sites_repository
from backend.coordinator.ports import PortUnavailable
from backend.db.session import Database, first_line
from backend.runs.coordinating import WITHOUT_BROKER
from worker.app import address

log = logging.getLogger(__name__)


class Trouble:
    def __init__(self, database: Database, broker_url: str, now: Callable[[], datetime]) -> None:
        self._database, self._broker, self._now = database, address(broker_url), now
        self._said = ""
        self._broker_away_since: datetime | None = None
        self._may_be_noted = True
        """Also by a process before this one."""

    def met(self, error: PortUnavailable | SQLAlchemyError, began_at: datetime) -> None:
        """`began_at`: the turn that came to nothing."""
        if isinstance(error, PortUnavailable):
            self._say(
                f"The broker at {self._broker} cannot be used: {error}. Nothing is sent to a site and no report is taken until it can. "
                "Check that it runs (Redis or Valkey), that this machine reaches it, and BROKER_URL. Trying again every few seconds."
            )
            self._broker_away_since = self._broker_away_since or began_at
            self._note(self._broker_away_since)
        elif (away := self._database_away()) is not None:
            self._say(
                f"The database cannot be used: {first_line(away)}. Nothing goes on until it can. Check that it runs, and DATABASE_URL. "
                "Trying again every few seconds."
            )
        else:
            log.error("A turn came to nothing; trying again.", exc_info=error)

    def is_over(self) -> None:
        """A turn came to its end."""
        if self._said:
            log.info("Everything answers again.")
        self._said, self._broker_away_since = "", None
        if self._may_be_noted:
            with self._database.write() as session:
                sites_repository.drop_heartbeat(session, WITHOUT_BROKER)
            self._may_be_noted = False

    def _say(self, what: str) -> None:
        if what != self._said:
            log.warning("%s", what)
        self._said = what

    def _note(self, since: datetime) -> None:
        """It is no sign that anybody listens: how long the broker is away must not count as silence of the sites."""
        self._may_be_noted = True
        with suppress(SQLAlchemyError), self._database.write() as session:
            sites_repository.beat(session, WITHOUT_BROKER, self._now(), {"since": since.isoformat()})

    def _database_away(self) -> SQLAlchemyError | None:
        try:
            with self._database.read() as session:
                session.execute(text("SELECT 1"))
        except SQLAlchemyError as error:
            return error
        return None
