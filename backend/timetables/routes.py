"""HTTP of timetables. They are kept in pilots; here is only what one would mean."""

from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Depends

from backend.auth.guard import needs
from backend.auth.principal import Principal
from backend.db.tables import utc_now
from backend.problems import responses
from backend.text.saying import say_text
from backend.text.schemas import Told
from backend.timetables.schemas import TimetablePreview, TimetableRequest
from backend.timetables.words import words_of
from backend.web import LangQuery, Language

router = APIRouter(prefix="/timetables", tags=["timetables"])
Reads = Annotated[Principal, Depends(needs("pilots.read"))]
_SHOWN = 3


@router.post("/preview", responses=responses(401, 403, 422))
def preview_timetable(
    body: TimetableRequest, _: Reads, language: Language, lang: LangQuery = None
) -> TimetablePreview:
    """A timetable in words, its next times, and when the last round would be due. Stores nothing."""
    now, timetable = utc_now(), body.timetable
    words = words_of(timetable)
    return TimetablePreview(
        words=Told(**words.model_dump(), text=say_text(language, "timetables", words)),
        next=list(islice(timetable.times(now), min(_SHOWN, body.rounds))),
        last_round_at=timetable.time_of(body.rounds, now),
    )
