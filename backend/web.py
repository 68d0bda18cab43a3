"""What every route needs: a session of the database, revisions as ETags, pages of a list.

Only `write_session` commits, and it does so before the answer leaves (dependency scope `function`): a
person who reads 201 can rely on it.
"""

from collections.abc import Iterator
from typing import Annotated, Generic, TypeVar, cast

from fastapi import Depends, Header, Path, Query, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy.orm import Session

from backend.db.session import Database
from backend.errors import Conflict, Invalid, Stale
from backend.problems import language
from backend.settings import Settings
from backend.text.schemas import Params, Schema
from worker.artifacts import ArtifactStore, StoreUnavailable, open_store

MAX_LIMIT = 200
Item = TypeVar("Item")


def database(request: Request) -> Database:
    return cast(Database, request.app.state.database)


def settings(request: Request) -> Settings:
    return cast(Settings, request.app.state.settings)


def read_session(request: Request) -> Iterator[Session]:
    with database(request).read() as session:
        yield session


def write_session(request: Request) -> Iterator[Session]:
    with database(request).write() as session:
        yield session


ReadSession = Annotated[Session, Depends(read_session, scope="function")]
WriteSession = Annotated[Session, Depends(write_session, scope="function")]
AppDatabase = Annotated[Database, Depends(database)]
AppSettings = Annotated[Settings, Depends(settings)]
Language = Annotated[str, Depends(language)]
LangQuery = Annotated[str | None, Query(max_length=20, description="en or ja; default: Accept-Language.")]
"""What `Language` reads, for routes that tell of it."""
# No control characters: PostgreSQL refuses NUL in text, and nothing else here wants them.
PLAIN = r"^[^\x00-\x1f]*$"
Id = Annotated[str, Path(max_length=64, pattern=r"^[0-9A-Za-z-]+$")]
IfMatch = Annotated[
    str | None, Header(alias="If-Match", description='The ETag that was read, such as W/"3".')
]


IdempotencyKey = Annotated[
    str | None,
    Header(max_length=200, description="Chosen by the caller; the same key again gives the same answer."),
]


def store(settings: AppSettings) -> ArtifactStore:
    """The store of models. Raises: Conflict, when it cannot be opened."""
    try:
        return open_store(settings.artifacts_url)
    except StoreUnavailable as error:
        raise Conflict("restart_store_away", {"error": error.reason}) from error


AppStore = Annotated[ArtifactStore, Depends(store)]


class ListQuery(Schema):
    """Which part of a list."""

    cursor: str | None
    limit: int


def list_query(
    cursor: Annotated[
        str | None, Query(max_length=500, description="next_cursor of the page before.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50,
) -> ListQuery:
    return ListQuery(cursor=cursor, limit=limit)


Paging = Annotated[ListQuery, Depends(list_query)]
SearchText = Annotated[
    str | None, Query(max_length=100, pattern=PLAIN, description="Part of the name, in any case.")
]


class Page(Schema, Generic[Item]):
    """A part of a list; `total` counts all that match the filter."""

    items: list[Item]
    next_cursor: str | None
    total: int


def etag(revision: int) -> str:
    return f'W/"{revision}"'


def set_etag(response: Response, revision: int) -> None:
    response.headers["ETag"] = etag(revision)


def known_query(request: Request) -> None:
    """Of routes that take query parameters. Raises: Invalid, for one that is unknown: a filter with a misspelt name would
    let everything through."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return
    known: set[str] = set()
    pending = [route.dependant]
    while pending:
        part = pending.pop()
        known |= {field.alias for field in part.query_params}
        pending += part.dependencies
    unknown = next((name for name in request.query_params if name not in {*known, "lang"}), None)
    if known and unknown is not None:
        params: Params = {"name": unknown[:100], "known": ", ".join(sorted(known))}
        raise Invalid("unknown_parameter", params, "query")


def check_match(if_match: str | None, revision: int) -> None:
    """Raises: Stale, when the caller read another revision than the present one."""
    if if_match is None or if_match.strip() == "*":
        return
    given = [part.strip().removeprefix("W/").strip('"') for part in if_match.split(",")]
    if str(revision) not in given:
        raise Stale(given=", ".join(given)[:100], current=revision)
