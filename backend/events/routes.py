"""The stream of events (SSE) with replay: `Last-Event-ID`, or `?after=` where a header cannot be set."""

from collections.abc import AsyncIterator
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import StreamingResponse

from backend.auth.guard import needs
from backend.auth.principal import Principal
from backend.events.hub import EventHub
from backend.events.schemas import Event
from backend.problems import responses
from backend.web import PLAIN

router = APIRouter(tags=["runs"])
PING_S = 15.0
_BIGGEST_ID = 2**31 - 1
OfThing = Annotated[str | None, Query(max_length=64, pattern=PLAIN)]


class EventStream(StreamingResponse):
    media_type = "text/event-stream"


@router.get("/events", response_class=EventStream, responses=responses(401, 403, 422))
async def stream_events(
    request: Request,
    _: Annotated[Principal, Depends(needs("events.read"))],
    run: OfThing = None,
    pilot: OfThing = None,
    after: Annotated[
        int | None, Query(ge=0, le=_BIGGEST_ID, description="Replay what came after this id.")
    ] = None,
    last_event_id: Annotated[
        str | None, Header(description="What a browser sends when it comes back.")
    ] = None,
) -> EventStream:
    """New events as they happen; each `data` is an Event as JSON. A comment comes every 15 s of silence."""
    since = (
        int(last_event_id)
        if last_event_id and last_event_id.isdecimal() and len(last_event_id) < 10
        else after
    )
    hub = cast(EventHub, request.app.state.events)
    return EventStream(
        _lines(hub.listen(since, run, pilot, PING_S)),
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _lines(events: AsyncIterator[Event | None]) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    async for event in events:
        yield ": ping\n\n" if event is None else f"id: {event.id}\ndata: {event.model_dump_json()}\n\n"
