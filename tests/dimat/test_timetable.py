"""When rounds may begin: cron expressions in a time zone, through changes of the clocks."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dimat.spec import PilotSpec, spec_sha256
from dimat.timetable import Timetable

NEW_YORK = ZoneInfo("America/New_York")
ZONES = st.sampled_from(["UTC", "Asia/Tokyo", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
MOMENTS = st.integers(0, 3 * 366 * 86_400).map(
    lambda s: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=s)
)


def local(timetable: Timetable, after: datetime, number: int = 1) -> list[str]:
    zone = ZoneInfo(timetable.time_zone)
    return [f"{time.astimezone(zone):%a %d %H:%M %z}" for time in islice(timetable.times(after), number)]


def test_every_monday_at_two_in_tokyo_is_that_wherever_the_server_stands() -> None:
    weekly = Timetable(cron="0 2 * * 1", time_zone="Asia/Tokyo")
    assert weekly.next_after(datetime(2026, 1, 1, tzinfo=UTC)) == datetime(2026, 1, 4, 17, 0, tzinfo=UTC)
    new_year = datetime(2026, 1, 1, tzinfo=NEW_YORK)
    assert local(weekly, new_year, 2) == ["Mon 05 02:00 +0900", "Mon 12 02:00 +0900"]


def test_a_time_that_the_clocks_skip_comes_right_after_the_gap() -> None:
    nightly = Timetable(cron="30 2 * * *", time_zone="America/New_York")
    assert local(nightly, datetime(2026, 3, 7, 12, tzinfo=UTC), 2) == [
        "Sun 08 03:00 -0400",
        "Mon 09 02:30 -0400",
    ]


def test_a_time_that_the_clocks_show_twice_comes_once() -> None:
    nightly = Timetable(cron="30 1 * * *", time_zone="America/New_York")
    day_before = datetime(2026, 10, 31, 12, tzinfo=UTC)
    assert local(nightly, day_before, 2) == ["Sun 01 01:30 -0400", "Mon 02 01:30 -0500"]
    in_the_second_hour = datetime(2026, 11, 1, 6, 15, tzinfo=UTC)
    assert local(nightly, in_the_second_hour) == ["Mon 02 01:30 -0500"]


@given(st.integers(0, 59), st.integers(0, 23), st.integers(0, 7), ZONES, MOMENTS)
def test_the_next_time_is_later_within_a_week_and_follows_from_any_moment_before_it(
    minute: int, hour: int, day: int, zone: str, now: datetime
) -> None:
    weekly = Timetable(cron=f"{minute} {hour} * * {day}", time_zone=zone)
    time = weekly.next_after(now)
    assert now < time <= now + timedelta(days=7, hours=2)
    assert weekly.next_after(now + (time - now) / 2) == time
    assert time.astimezone(ZoneInfo(zone)).isoweekday() % 7 == day % 7
    times = list(islice(weekly.times(now), 3))
    assert times == sorted(set(times))
    assert weekly.time_of(3, now) == times[2]


@pytest.mark.parametrize("cron", ["0 0 30 2 *", "0 0 31 4,6 *"])
def test_a_day_that_no_year_has_is_refused(cron: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Timetable(cron=cron)
    (error,) = caught.value.errors()
    assert (error["type"], error["ctx"]["cron"]) == ("cron_never_comes", cron)


def test_a_day_that_comes_every_four_years_is_one() -> None:
    leap = Timetable(cron="0 0 29 2 *")
    assert leap.next_after(datetime(2026, 1, 1, tzinfo=UTC)) == datetime(2028, 2, 29, tzinfo=UTC)


@pytest.mark.parametrize("cron", ["monday", "0 2 * *", "0 0 2 * * 1", "@weekly"])
def test_what_is_no_cron_expression_is_named(cron: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Timetable(cron=cron)
    (error,) = caught.value.errors()
    assert (error["type"], error["ctx"]["cron"], error["ctx"]["place"]) == ("cron_malformed", cron, "cron")


@pytest.mark.parametrize(
    ("cron", "part", "value", "highest"),
    [
        ("0 25 * * *", "hour", "25", 23), ("60 2 * * 1", "minute", "60", 59), ("0 0 32 1 *", "day_of_month", "32", 31),
        ("0 2 * 13 *", "month", "13", 12), ("0 2 * * 1-", "day_of_week", "1-", 7),
    ],
)  # fmt: skip
def test_the_part_of_a_cron_expression_that_is_wrong_is_named(
    cron: str, part: str, value: str, highest: int
) -> None:
    with pytest.raises(ValidationError) as caught:
        Timetable(cron=cron)
    (error,) = caught.value.errors()
    about = error["ctx"]
    assert (error["type"], about["place"]) == ("cron_part_malformed", "cron")
    assert (about["part"], about["value"], about["highest"]) == (part, value, highest)


@pytest.mark.parametrize("name", ["Asia/Toky", "../../etc/passwd", "JST+9", "localtime", ""])
def test_a_time_zone_that_is_not_known_is_named(name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Timetable(cron="0 2 * * 1", time_zone=name)
    (error,) = caught.value.errors()
    assert (error["type"], error["ctx"]["name"]) == ("unknown_time_zone", name)


def test_a_spec_without_a_timetable_keeps_its_digest(make_spec: Callable[..., PilotSpec]) -> None:
    plain = make_spec()
    assert "timetable" not in plain.model_dump(mode="json")
    timed = PilotSpec.model_validate({**plain.model_dump(mode="json"), "timetable": {"cron": "0 2 * * 1"}})
    assert spec_sha256(timed) != spec_sha256(plain)
    assert PilotSpec.model_validate_json(timed.model_dump_json()) == timed


def test_times_end_with_the_years_of_the_calendar() -> None:
    leap_days, now = Timetable(cron="0 0 29 2 *"), datetime(2026, 1, 1, tzinfo=UTC)
    assert leap_days.time_of(2, now) == datetime(2032, 2, 29, tzinfo=UTC)
    assert leap_days.time_of(2_000, now) is None
