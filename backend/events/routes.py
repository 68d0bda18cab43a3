"""The stream of events (SSE) with replay: `Last-Event-ID`, or `?after=` where a header cannot be set.

A stream may outlive the right to hear it, so it asks again and again whether the listener still has it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BeforeValidator, Field

from backend.auth.guard import needs, still_has
from backend.auth.principal import Principal
from backend.events import service
from backend.events.hub import EventHub
from backend.events.schemas import Event
from backend.problems import responses
from backend.web import PLAIN, AppSettings, ReadSession

router = APIRouter(tags=["runs"])
_BIGGEST_ID = 2**31 - 1
_EventId = Annotated[int, Field(ge=0, le=_BIGGEST_ID)]
OfThing = Annotated[str | None, Query(max_length=64, pattern=PLAIN)]


def things(session: ReadSession, run: OfThing = None, pilot: OfThing = None) -> tuple[str | None, str | None]:
    """Run and pilot of the query. A dependency of its own, so that their rows are read in a thread."""
    service.must_exist(session, run, pilot)
    return run, pilot


def place(
    session: ReadSession,
    after: Annotated[_EventId | None, Query(description="Replay what came after this id.")] = None,
    at: Annotated[
        AwareDatetime | None,
        Query(
            description="The `at` of the event `after`. If there is no such event any more (the database was restored"
            " from an older copy), `event: restored` comes first and nothing is replayed: begin anew with `after=0`."
        ),
    ] = None,
) -> tuple[int | None, bool]:
    """After which event the listener goes on, and whether it heard of it from another database."""
    if not after or at is None or service.is_known(session, after, at):
        return after, False
    return None, True


class EventStream(StreamingResponse):
    media_type = "text/event-stream"


@router.get("/events", response_class=EventStream, responses=responses(401, 403, 404, 422))
async def stream_events(
    request: Request,
    settings: AppSettings,
    _: Annotated[Principal, Depends(needs("events.read"))],
    of: Annotated[tuple[str | None, str | None], Depends(things, scope="function")],
    going_on: Annotated[tuple[int | None, bool], Depends(place, scope="function")],
    last_event_id: Annotated[
        _EventId | None,
        BeforeValidator(lambda value: value or None),  # sent empty it says that no event was seen yet
        Header(
            description="The `id` of the last event that was seen: a browser sends it when it comes back."
            " Counts more than `after`.",
        ),
    ] = None,
) -> EventStream:
    """New events as they happen; each `data` is an Event as JSON. A comment comes every 15 s of silence. The stream
    ends soon after the token or session does."""
    after, restored = going_on
    since = after if last_event_id is None else last_event_id
    hub = cast(EventHub, request.app.state.events)
    ping_s = settings.stream_ping_s
    return EventStream(
        _lines(hub.listen(since, *of, ping_s), lambda: still_has(request, "events.read"), ping_s, restored),
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _lines(
    events: AsyncIterator[Event | None], allowed: Callable[[], bool], every_s: float, restored: bool
) -> AsyncIterator[str]:
    clock = asyncio.get_running_loop().time
    asked_at = clock()
    yield "retry: 1000\n\n"
    if restored:
        yield "event: restored\ndata: {}\n\n"
    async for event in events:
        # A busy stream has no pings, so the time counts too.
        if event is None or clock() - asked_at >= every_s:
            if not await asyncio.to_thread(allowed):
                return
            asked_at = clock()
        yield ": ping\n\n" if event is None else f"id: {event.id}\ndata: {event.model_dump_json()}\n\n"
