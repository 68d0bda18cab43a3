"""The form in which events are streamed."""

from datetime import datetime

from backend.text.schemas import Params, Schema


class Event(Schema):
    """`code`: `events.<code>` of the catalogue."""

    id: int
    at: datetime
    run_id: str | None
    pilot_id: str | None
    code: str
    params: Params
