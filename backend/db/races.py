"""Where two writers meet. SQLite lets one in at a time (BEGIN IMMEDIATE); PostgreSQL lets both in, so what a
writer decides by has to be locked, and a name that was free a moment ago may be refused by the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backend.db.tables.base import Base
from backend.errors import NameTaken

Row = TypeVar("Row", bound=Base)
_UNIQUE_VIOLATION = "23505"  # SQLSTATE


def locked(session: Session, table: type[Row], id: str) -> Row | None:
    """The row as it is now, which no other transaction changes before this one ends; None: no such row."""
    # key_share: others may still write rows that refer to this one, as the coordinator does all the time.
    return session.get(table, id, with_for_update={"key_share": True}, populate_existing=True)


@contextmanager
def unique_name(thing: str, name: str, field: str = "name") -> Iterator[None]:
    """Around the flush that gives a thing its name. The transaction cannot go on after the error.

    Raises: NameTaken, when another writer took the name since it was looked up.
    """
    try:
        yield
    except IntegrityError as error:
        if getattr(error.orig, "sqlstate", None) != _UNIQUE_VIOLATION:
            raise
        raise NameTaken(thing, name, field) from None
