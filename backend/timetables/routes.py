"""HTTP of timetables. They are kept in pilots; here is only what one would mean."""

from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Depends

from backend.auth.guard import needs
from backend.auth.principal import Principal
from backend.db.tables import utc_now
from backend.problems import responses
from backend.timetables.schemas import TimetablePreview, TimetableRequest
from backend.timetables.words import words_of

router = APIRouter(prefix="/timetables", tags=["timetables"])
Reads = Annotated[Principal, Depends(needs("pilots.read"))]
_SHOWN = 3


@router.post("/preview", responses=responses(401, 403, 422))
def preview_timetable(body: TimetableRequest, _: Reads) -> TimetablePreview:
    """A timetable in words, its next times, and when the last round would be due. Stores nothing."""
    now, timetable = utc_now(), body.timetable
    return TimetablePreview(
        words=words_of(timetable),
        next=list(islice(timetable.times(now), min(_SHOWN, body.rounds))),
        last_round_at=timetable.time_of(body.rounds, now),
    )
