"""Brings a database to the schema of this version: `migrate(url)`, called once at start, before anything
opens the database.

On SQLite a changed table is rebuilt: copied, dropped, renamed. With foreign keys ON the drop deletes the
rows that refer to it, so they are OFF here and checked before the commit. All of a migration is one transaction.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.pool import NullPool

from backend.db.session import CONNECT_WITHIN_S
from backend.db.tables.base import UtcDateTime

SCRIPTS = Path(__file__).resolve().parents[2] / "alembic"
_LOCK = 0x41776173  # any number, the same in every process that migrates
_BUSY_TIMEOUT_MS = 60_000


class BrokenReferences(RuntimeError):
    """A migration left rows that refer to nothing; nothing of it was kept."""


def migrate(url: str, target: str = "head", scripts: Path = SCRIPTS) -> None:
    """Runs what is missing up to `target`. Does nothing on a database that is up to date.

    Raises: BrokenReferences.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = migration_engine(url)
    try:
        with transaction(engine) as connection:
            config = _config(scripts)
            config.attributes["connection"] = connection
            command.upgrade(config, target)
    finally:
        engine.dispose()


def revisions() -> list[str]:
    """Of the schemas that this version knows, the newest first; that one it works with."""
    return [script.revision for script in ScriptDirectory.from_config(_config(SCRIPTS)).walk_revisions()]


def _config(scripts: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def migration_engine(url: str) -> Engine:
    """An engine only for migrations: on SQLite without foreign keys and with DDL inside the transaction."""
    if not url.startswith("sqlite"):
        return create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": CONNECT_WITHIN_S})
    engine = create_engine(url, poolclass=NullPool)

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction that one process at a time can have; on SQLite references are checked at its end."""
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        yield connection
        if engine.dialect.name == "sqlite":
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
            if broken:
                tables = ", ".join(sorted({str(row[0]) for row in broken}))
                raise BrokenReferences(
                    f"The migration left {len(broken)} rows that refer to nothing, in: {tables}."
                )


def render_type(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Writes our own column type in a migration as the plain one below it: a migration must not change
    when the class does."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False
