"""When the rounds of a pilot may begin: a cron expression in a time zone.

Which steps of a round may be done, and in which order, is `dimat.schedule`'s to say, and nothing computed depends on the time at which
it is. There is no clock here: whoever asks says what time it is.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from typing import Annotated, Self
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field, model_validator

from dimat.errors import CronMalformed, CronNeverComes, CronPartMalformed, DimatError, UnknownTimeZone
from dimat.frozen import PLAIN, Frozen
from dimat.validation import as_pydantic

_PARTS = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day_of_month", 1, 31),
    ("month", 1, 12),
    ("day_of_week", 0, 7),
)
"""Name, lowest and highest number of each."""
_OF_THE_MACHINE = frozenset({"localtime", "posixrules", "Factory"})
"""Names that mean something else on every machine, or nothing."""
_SOME_DAY = datetime(2024, 1, 1, tzinfo=UTC)
"""Whether an expression ever comes does not depend on it: the search goes over 50 years."""


@lru_cache
def _time_zones() -> frozenset[str]:
    # Read from the files of the machine or of the package tzdata: slim containers have none of their own.
    return frozenset(available_timezones()) - _OF_THE_MACHINE


def _known(name: str) -> str:
    if name not in _time_zones():
        raise as_pydantic(UnknownTimeZone(name=name[:64]))
    return name


TimeZone = Annotated[str, Field(max_length=64), AfterValidator(_known)]
"""A name of the IANA time zone database, such as Asia/Tokyo."""


class Timetable(Frozen):
    """When rounds may begin. Round 0 is not bound to it: sites prepare as soon as the pilot is launched.

    `cron`: minute, hour, day of the month, month, day of the week (0 and 7 are Sunday), read as Debian's cron reads them. A time that
    the clocks skip as they go forward comes right after the gap; one that they show twice comes once. Of what runs hour by hour or
    minute by minute (`*` in the first field or the second) every hour that passes counts.
    """

    cron: str = Field(min_length=1, max_length=100, pattern=PLAIN)
    time_zone: TimeZone = "UTC"

    @model_validator(mode="after")
    def _comes(self) -> Self:
        if len(self.cron.split()) != len(_PARTS):
            raise as_pydantic(CronMalformed(cron=self.cron), "cron")
        try:
            CronSim(self.cron, _SOME_DAY)
        except CronSimError as error:
            # It names a day that no month of the expression has as wrong; as people see it, that is well written and never comes.
            days = self.cron.split()[2]
            is_day = "day-of-month" in str(error) and _is_well_written(days)
            raise as_pydantic(
                CronNeverComes(cron=self.cron) if is_day else _malformed(self.cron), "cron"
            ) from None
        if next(self.times(_SOME_DAY), None) is None:
            raise as_pydantic(CronNeverComes(cron=self.cron), "cron")
        return self

    def next_after(self, now: datetime) -> datetime:
        """The first time after `now` (aware) at which a round may begin, in UTC."""
        return next(self.times(now))

    def times(self, now: datetime) -> Iterator[datetime]:
        """All times after `now` (aware) and before the year 10000, in UTC, each once."""
        last = now
        with suppress(OverflowError):  # no date is later
            for time in CronSim(self.cron, now.astimezone(ZoneInfo(self.time_zone))):
                found = time.astimezone(UTC)
                # Within the hour that the clocks show twice it may go back to the first of the two.
                if found > last:
                    last = found
                    yield found

    def time_of(self, round: int, now: datetime, most: int = 2_000) -> datetime | None:
        """When round 1, 2, ... after `now` is due if none is late; None beyond the first `most`, as that takes long to work out, and
        where the years have no more figures."""
        return next(islice(self.times(now), round - 1, round), None) if round <= most else None


def _malformed(cron: str) -> DimatError:
    """Which part is wrong, as far as one is by itself."""
    for position, (value, (part, lowest, highest)) in enumerate(zip(cron.split(), _PARTS, strict=True)):
        alone = ["*"] * len(_PARTS)
        alone[position] = value
        try:
            CronSim(" ".join(alone), _SOME_DAY)
        except CronSimError:
            return CronPartMalformed(cron=cron, part=part, value=value, lowest=lowest, highest=highest)
    return CronMalformed(cron=cron)


def _is_well_written(days: str) -> bool:
    try:
        CronSim(f"0 0 {days} 1 *", _SOME_DAY)
    except CronSimError:
        return False
    return True
