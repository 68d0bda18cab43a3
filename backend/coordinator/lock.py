"""There is one coordinator: two would both decide, and events would appear out of order."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import text

from backend.db.session import Database

_PG_LOCK = 0x41776178  # any number that nothing else of ours uses


class AlreadyCoordinated(Exception):
    """Another coordinator works on the same database."""

    def __init__(self, where: str) -> None:
        super().__init__(
            f"Another coordinator is at work on {where}. Stop it first, or let this one use other data."
        )


@contextmanager
def only_coordinator(database: Database, data_dir: Path) -> Iterator[None]:
    """Holds the lock while the block runs; it ends with the process, however that ends.

    Raises: AlreadyCoordinated.
    """
    if database.is_sqlite:
        path = data_dir / "coordinator.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise AlreadyCoordinated(f"the data directory '{data_dir}'") from error
            yield
        return
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _PG_LOCK}):
            raise AlreadyCoordinated("this database")
        yield
