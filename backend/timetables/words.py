"""A timetable in words. Pure: what most people want is said plainly, all else by its expression."""

from backend.text.schemas import Params, Text
from dimat.timetable import Timetable

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")


def words_of(timetable: Timetable) -> Text:
    minute, hour, day_of_month, month, day = timetable.cron.split()
    zone = {"zone": timetable.time_zone}
    plain = Text(code="cron", params={"cron": timetable.cron, **zone})
    if (day_of_month, month) != ("*", "*"):
        return plain
    if (hour, day) == ("*", "*") and (often := _within_the_hour(minute)):
        return Text(code=often[0], params={**often[1], **zone})
    if not minute.isdecimal() or not hour.isdecimal():
        return plain
    time = f"{int(hour):02}:{int(minute):02}"
    if day == "*":
        return Text(code="every_day", params={"time": time, **zone})
    if day.lower() in ("1-5", "mon-fri"):
        return Text(code="every_weekday", params={"time": time, **zone})
    name = _DAYS[int(day)] if day.isdecimal() else day.lower()
    if name not in _DAYS:
        return plain
    return Text(code=f"every_{name}", params={"time": time, **zone})


def _within_the_hour(minute: str) -> tuple[str, Params] | None:
    """Of an expression for all hours; None: its minutes are not evenly apart."""
    if minute in ("*", "*/1"):
        return "every_minute", {}
    if minute.isdecimal():
        return "every_hour", {"minute": f"{int(minute):02}"}
    step = minute.removeprefix("*/")
    if step != minute and step.isdecimal() and int(step) > 0 and 60 % int(step) == 0:
        return "every_minutes", {"minutes": int(step)}
    return None
