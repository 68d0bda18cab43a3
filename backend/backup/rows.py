"""All rows of one database into another, of whatever kind the two are: one way for SQLite and PostgreSQL.

Left out are rows that mean something only where they were made: who is signed in, links not yet used, signs of life, which store there is.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic.migration import MigrationContext
from sqlalchemy import JSON, Connection, Integer, MetaData, Table, func, select, text

from backend.db.session import Database
from backend.db.tables import Base, HeartbeatRow, SessionRow, SignInLinkRow, StoreRow

_OF_THE_PLACE = {row.__tablename__ for row in (HeartbeatRow, SessionRow, SignInLinkRow, StoreRow)}
_AT_ONCE = 1000


@contextmanager
def snapshot(database: Database) -> Iterator[Connection]:
    """A connection that sees the database as it is at one moment, whoever writes meanwhile."""
    with database.engine.connect() as connection:
        if not database.is_sqlite:  # there, a transaction that reads is one moment by itself
            connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            yield connection


def revision(connection: Connection) -> str | None:
    """Of the schema; None: there is none."""
    return MigrationContext.configure(connection).get_current_revision()


def copy(source: Connection, target: Connection) -> int:
    """Both have the schema of this version, the target no rows; the number of rows."""
    num_rows = 0
    for table in _tables():
        if table.name in _OF_THE_PLACE:
            continue
        found = source.execute(select(table), execution_options={"yield_per": _AT_ONCE})
        for rows in found.mappings().partitions():
            target.execute(table.insert(), [dict(row) for row in rows])
            num_rows += len(rows)
    if target.dialect.name == "postgresql":
        _count_on(target)
    return num_rows


def tables_with_rows(connection: Connection) -> list[str]:
    """Names of our tables that are not empty."""
    return [
        table.name
        for table in _tables()
        if connection.scalar(select(func.count()).select_from(select(table).limit(1).subquery()))
    ]


def _tables() -> list[Table]:
    """Those that others refer to first. An absent value is NULL: JSON would otherwise write the word null."""
    copies = MetaData()
    for table in Base.metadata.sorted_tables:
        for column in table.to_metadata(copies).columns:
            if isinstance(column.type, JSON):
                column.type = JSON(none_as_null=True)
    return copies.sorted_tables


def _count_on(target: Connection) -> None:
    """Rows came with their numbers; the next one that PostgreSQL gives must follow them."""
    for table in _tables():
        for column in table.primary_key.columns:
            if isinstance(column.type, Integer) and column.autoincrement is True:
                highest = target.scalar(select(func.max(column)))
                if highest is not None:
                    name = text("SELECT setval(pg_get_serial_sequence(:table, :column), :highest)")
                    target.execute(name, {"table": table.name, "column": column.name, "highest": highest})
