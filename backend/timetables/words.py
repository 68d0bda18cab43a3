"""A timetable in words. Pure: what most people want is said plainly, all else by its expression."""

from backend.text.schemas import Text
from dimat.timetable import Timetable

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")


def words_of(timetable: Timetable) -> Text:
    minute, hour, day_of_month, month, day = timetable.cron.split()
    zone = {"zone": timetable.time_zone}
    if (day_of_month, month) != ("*", "*") or not minute.isdecimal() or not hour.isdecimal():
        return Text(code="cron", params={"cron": timetable.cron, **zone})
    time = f"{int(hour):02}:{int(minute):02}"
    if day == "*":
        return Text(code="every_day", params={"time": time, **zone})
    name = _DAYS[int(day)] if day.isdecimal() else day.lower()
    if name not in _DAYS:
        return Text(code="cron", params={"cron": timetable.cron, **zone})
    return Text(code=f"every_{name}", params={"time": time, **zone})
