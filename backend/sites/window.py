"""When a site takes work: the part of the day in which steps are sent to it. Pure; whoever asks says what time it is.

A step that has begun goes to its end, also after the window has closed.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from backend.text.schemas import Schema
from dimat.timetable import TimeZone

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTE = timedelta(minutes=1)
_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"


def _clock(value: str) -> str:
    if re.fullmatch(_CLOCK, value) is None:
        raise PydanticCustomError(
            "clock_malformed", "This is no time of the day. Write HH:MM, such as 06:00."
        )
    return value


Clock = Annotated[str, AfterValidator(_clock), Field(json_schema_extra={"pattern": _CLOCK})]


class Window(Schema):
    """From when to when, by the clocks of `time_zone`; over midnight where `to` is earlier than `from`. `days`: on which it opens. Where
    the clocks change it is shorter or longer by that."""

    opens: Clock = Field(alias="from")
    closes: Clock = Field(alias="to")
    days: tuple[Day, ...] = Field(DAYS, min_length=1, max_length=7)
    time_zone: TimeZone

    @model_validator(mode="after")
    def _is_open_for_a_while(self) -> Self:
        if self.opens == self.closes:
            raise PydanticCustomError(
                "window_empty",
                "A time window from {opens} to {closes} has no length. Give two times, or no window.",
                {"opens": self.opens, "closes": self.closes, "place": "to"},
            )
        return self

    def is_open(self, now: datetime) -> bool:
        begin, _ = next(self._spans(now))
        return begin <= now

    def opens_at(self, now: datetime) -> datetime | None:
        """When it opens next, in UTC; None: it is open."""
        begin, _ = next(self._spans(now))
        return None if begin <= now else begin

    def seconds_open(self, since: datetime, until: datetime) -> float:
        """For how long of the time from `since` to `until` it was open."""
        total = 0.0
        for begin, end in self._spans(since):
            if begin >= until:
                return total
            total += (min(end, until) - max(begin, since)).total_seconds()
        return total

    def when_open_for(self, since: datetime, seconds: float) -> datetime:
        """When it has been open for so long since then, in UTC: the inverse of `seconds_open`."""
        for begin, end in self._spans(since):
            open_s = (end - max(begin, since)).total_seconds()
            if seconds <= open_s:
                return max(begin, since) + timedelta(seconds=seconds)
            seconds -= open_s
        raise AssertionError("a window opens again and again")

    def _spans(self, after: datetime) -> Iterator[tuple[datetime, datetime]]:
        """From when to when it is open, in UTC, beginning with the first that ends after `after`."""
        day = after.astimezone(ZoneInfo(self.time_zone)).date() - timedelta(days=1)
        while True:
            if DAYS[day.weekday()] in self.days:
                begin = self._at(day, self.opens)
                end = self._at(day if self.closes > self.opens else day + timedelta(days=1), self.closes)
                # Where the clocks skip the whole window there is none that day.
                if end > max(begin, after):
                    yield begin, end
            day += timedelta(days=1)

    def _at(self, day: date, clock: str) -> datetime:
        """A time that the clocks skip is the moment at which they do, as for timetables."""
        zone = ZoneInfo(self.time_zone)
        local = datetime.combine(day, time.fromisoformat(clock), zone)
        at = local.astimezone(UTC)
        if at.astimezone(zone).time() != local.time():
            while (at - _MINUTE).astimezone(zone).utcoffset() != local.utcoffset():
                at -= _MINUTE
        return at
