"""Keyset pages over a select: the cursor holds the last row's sort values, so a page costs the same
wherever it lies and a row inserted meanwhile neither repeats nor hides another.

A cursor is opaque base64; one that was not made here is bad input, not an error of ours.
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from backend.db.tables.base import UtcDateTime
from backend.errors import Invalid

Row = TypeVar("Row")
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Order:
    """One sort column. The last one of a list must be unique; a column with NULLs is not supported."""

    column: InstrumentedAttribute[Any]
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Found(Generic[Row]):
    rows: list[Row]
    next_cursor: str | None
    total: int


def page(
    session: Session, query: Select[Any], order: Sequence[Order], cursor: str | None, limit: int
) -> Found[Any]:
    """The rows after `cursor` and the number of all rows. Raises: Invalid, for a foreign cursor."""
    total = session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    if cursor is not None:
        query = query.where(_after(order, _decode(cursor, order)))
    for one in order:
        query = query.order_by(one.column.desc() if one.descending else one.column.asc())
    rows = list(session.scalars(query.limit(limit + 1)))
    more = len(rows) > limit
    return Found(rows[:limit], _encode(order, rows[limit - 1]) if more else None, total)


def keyed_page(
    items: Sequence[Item], key_of: Callable[[Item], Sequence[str | int]], cursor: str | None, limit: int
) -> tuple[list[Item], str | None]:
    """A part of a list that is not read from one table, in the order of its keys; like `page`, the cursor holds the key of
    the last item. `key_of`: unique, and the same for an item whatever becomes of it meanwhile. Raises: Invalid."""
    found = sorted(items, key=lambda item: tuple(key_of(item)))
    if cursor is not None and found:
        first = key_of(found[0])
        last = _plain(cursor, len(first))
        if any(type(value) is not type(wanted) for value, wanted in zip(last, first, strict=True)):
            raise _foreign(cursor)
        found = [item for item in found if tuple(key_of(item)) > tuple(last)]
    part = found[:limit]
    return part, _as_cursor(key_of(part[-1])) if len(found) > limit else None


def _after(order: Sequence[Order], values: Sequence[Any]) -> ColumnElement[bool]:
    """(a, b) after (x, y), written out, because the directions may differ."""
    branches: list[ColumnElement[bool]] = []
    for position, one in enumerate(order):
        equal = [other.column == values[i] for i, other in enumerate(order[:position])]
        beyond = one.column < values[position] if one.descending else one.column > values[position]
        branches.append(and_(*equal, beyond))
    return or_(false(), *branches)


def _encode(order: Sequence[Order], row: object) -> str:
    values = [getattr(row, one.column.key) for one in order]
    return _as_cursor([value.isoformat() if isinstance(value, datetime) else value for value in values])


def _decode(cursor: str, order: Sequence[Order]) -> list[Any]:
    plain = _plain(cursor, len(order))
    try:
        return [_typed(value, one.column) for value, one in zip(plain, order, strict=True)]
    except (ValueError, TypeError, OverflowError):
        raise _foreign(cursor) from None


def _as_cursor(values: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).decode().rstrip("=")


def _plain(cursor: str, width: int) -> list[Any]:
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        raise _foreign(cursor) from None
    if not isinstance(values, list) or len(values) != width:
        raise _foreign(cursor)
    return values


def _foreign(cursor: str) -> Invalid:
    return Invalid("cursor_invalid", {"value": cursor[:100]}, "cursor")


def _typed(value: object, column: InstrumentedAttribute[Any]) -> object:
    wanted = datetime if isinstance(column.type, UtcDateTime) else column.type.python_type
    if wanted is datetime and isinstance(value, str):
        parsed = datetime.fromisoformat(value)
        if parsed.tzinfo is None:
            raise ValueError("a time without a zone")
        return parsed.astimezone(UTC)
    if wanted is int and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63:
        return value
    if wanted is str and isinstance(value, str) and "\x00" not in value:
        value.encode()  # half of a surrogate pair is no text for a database
        return value
    raise TypeError(f"{column.key}: {type(value).__name__}")
