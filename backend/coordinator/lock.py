"""There is one coordinator: two would both decide, and events would appear out of order.

On SQLite it is a lock of the file system beside the database's file, which ends with the process and with nothing else. On PostgreSQL it is
a lock of one connection: when that ends (the server restarts, somebody ends it), the lock is free, and another
coordinator may hold it. So the holder asks before it acts.
"""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from backend.db.session import Database, first_line

_PG_LOCK = 0x41776178  # any number that nothing else of ours uses
# The key is one bigint: its upper half is `classid`, `objsubid` 1 says so.
_IS_HELD = text(
    "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = pg_backend_pid()"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND classid = 0 AND objid = :key AND objsubid = 1)"
)
StillAlone = Callable[[], None]
"""Raises: LockLost, unless the lock is still held."""


class AlreadyCoordinated(Exception):
    """Another coordinator works on the same database."""

    def __init__(self, where: str) -> None:
        super().__init__(
            f"Another coordinator is at work on {where}. Stop it first, or let this one use other data."
        )


class DatabaseAway(Exception):
    """The lock cannot be asked for; `error`: why."""

    def __init__(self, error: DBAPIError) -> None:
        self.error = error
        super().__init__(
            f"The database cannot be used: {first_line(error)}. Check DATABASE_URL and the "
            "database's log; then start the coordinator again."
        )


class FolderRefused(Exception):
    """The lock's file cannot be made beside the database."""

    def __init__(self, folder: Path, error: OSError) -> None:
        super().__init__(
            f"Nothing can be written in '{folder}', where the database is: {error.strerror}. Give the server's user the right to, "
            "or choose another DATABASE_URL."
        )


class LockLost(Exception):
    """This process can no longer be sure that it is the only coordinator, so it must not act."""

    def __init__(self) -> None:
        super().__init__(
            "The connection that held the coordinator's lock is gone (was the database restarted?), so another "
            "coordinator may be at work. This one stops; started again, it goes on where the rows are."
        )


@contextmanager
def only_coordinator(database: Database) -> Iterator[StillAlone]:
    """Holds the lock while the block runs, which asks what it is given before it acts.

    Raises: AlreadyCoordinated, DatabaseAway, FolderRefused.
    """
    if database.is_sqlite:
        path = Path(database.engine.url.database or "").resolve()  # by whatever name it is called
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            opened = path.with_name(f"{path.name}.coordinator-lock").open("a")
        except OSError as error:
            raise FolderRefused(path.parent, error) from error
        with opened as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise AlreadyCoordinated(f"the database '{path}'") from error
            yield lambda: None
        return
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(database.engine.connect())
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            is_ours = connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _PG_LOCK})
        except DBAPIError as error:
            raise DatabaseAway(error) from error
        if not is_ours:
            raise AlreadyCoordinated("this database")
        try:
            yield lambda: _ask(connection)
        finally:
            # Given back in words: the end of a connection reaches the server a little later, and whoever comes next
            # would find it still taken.
            with suppress(SQLAlchemyError):
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _PG_LOCK})
            connection.invalidate()  # back in the pool, it might hold the lock on


def _ask(connection: Connection) -> None:
    try:
        # Asked by name, not only whether the connection lives: a lost one may be made anew in silence.
        if connection.scalar(_IS_HELD, {"key": _PG_LOCK}):
            return
    except SQLAlchemyError as error:  # also that the connection cannot be used any more
        raise LockLost from error
    raise LockLost
