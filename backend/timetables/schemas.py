"""HTTP bodies of timetables."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from backend.text.schemas import Schema, Told
from dimat.frozen import Whole
from dimat.timetable import Timetable


class TimetableRequest(Schema):
    timetable: Timetable
    rounds: Annotated[Whole, Field(ge=1, le=100_000)] = 1


class TimetablePreview(Schema):
    """`words`: `timetables.<code>` of the catalogue. `next`: the times at which the first rounds would be due if the pilot were launched now, three
    or as many as there are rounds; `last_round_at`: the last, if no round is late; null where that is too far off to say."""

    words: Told
    next: list[datetime]
    last_round_at: datetime | None
