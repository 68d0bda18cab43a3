"""Time windows of sites: over midnight, on some days, through changes of the clocks."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from backend.sites.window import Window

TOKYO = ZoneInfo("Asia/Tokyo")
NEW_YORK = ZoneInfo("America/New_York")


def window(opens: str = "20:00", closes: str = "06:00", zone: str = "Asia/Tokyo", **more: Any) -> Window:
    return Window.model_validate({"from": opens, "to": closes, "time_zone": zone, **more})


@pytest.mark.parametrize(
    ("day", "hour", "minute", "is_open"),
    [(5, 19, 59, False), (5, 20, 0, True), (6, 0, 0, True), (6, 5, 59, True), (6, 6, 0, False)],
)
def test_a_window_over_midnight_is_open_on_both_sides_of_it(
    day: int, hour: int, minute: int, is_open: bool
) -> None:
    now = datetime(2026, 1, day, hour, minute, tzinfo=TOKYO)
    assert window().is_open(now.astimezone(UTC)) is is_open
    assert (window().opens_at(now) is None) is is_open


def test_days_are_those_on_which_it_opens() -> None:
    weekend = window(days=["fri"])
    saturday_morning = datetime(2026, 1, 10, 5, tzinfo=TOKYO)
    assert weekend.is_open(saturday_morning)
    assert weekend.opens_at(saturday_morning + timedelta(hours=2)) == datetime(2026, 1, 16, 20, tzinfo=TOKYO)


def test_where_clocks_change_a_night_is_shorter_or_longer() -> None:
    nightly = window(zone="America/New_York")
    for noon, hours in (
        (datetime(2026, 3, 7, 12, tzinfo=NEW_YORK), 9),
        (datetime(2026, 10, 31, 12, tzinfo=NEW_YORK), 11),
    ):
        assert nightly.seconds_open(noon, noon + timedelta(days=1)) == hours * 3600
        assert nightly.opens_at(noon) == noon + timedelta(hours=8)


def test_a_window_that_the_clocks_skip_is_left_out_that_day() -> None:
    skipped = window("02:00", "03:00", "America/New_York")
    opened = skipped.opens_at(datetime(2026, 3, 8, 0, tzinfo=NEW_YORK))
    assert opened == datetime(2026, 3, 9, 2, tzinfo=NEW_YORK)


@pytest.mark.parametrize(
    ("opens", "closes", "open_s", "first"),
    [("02:30", "06:00", 10_800, 3), ("02:45", "03:15", 900, 3), ("01:00", "02:30", 3600, 1), ("02:15", "02:45", 0, None)],
)  # fmt: skip
def test_a_time_that_the_clocks_skip_is_the_moment_at_which_they_do(
    opens: str, closes: str, open_s: int, first: int | None
) -> None:
    """As a round by a timetable at 02:30 begins at 03:00 then."""
    night, morning = datetime(2026, 3, 8, 0, tzinfo=NEW_YORK), datetime(2026, 3, 8, 8, tzinfo=NEW_YORK)
    found = window(opens, closes, "America/New_York")
    assert found.seconds_open(night.astimezone(UTC), morning.astimezone(UTC)) == open_s
    if first is not None:
        assert found.opens_at(night) == datetime(2026, 3, 8, first, tzinfo=NEW_YORK)


@given(
    st.integers(0, 47), st.integers(0, 47), st.sampled_from(["UTC", "America/New_York", "Australia/Lord_Howe"]),
    st.integers(0, 800 * 24 * 4), st.integers(1, 200),
)  # fmt: skip
def test_it_is_open_exactly_while_open_time_goes_by(
    opens: int, closes: int, zone: str, quarter: int, minutes: int
) -> None:
    if opens == closes:
        return
    opens_at, closes_at = (f"{half // 2:02}:{30 * (half % 2):02}" for half in (opens, closes))
    nightly = window(opens_at, closes_at, zone)
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=15 * quarter)
    later = now + timedelta(minutes=minutes)
    passed = nightly.seconds_open(now, later)
    assert 0 <= passed <= (later - now).total_seconds()
    assert nightly.seconds_open(now, nightly.when_open_for(now, 60.0 * minutes)) == 60.0 * minutes
    assert (nightly.seconds_open(now, now + timedelta(seconds=1)) > 0) is nightly.is_open(now)
    opened = nightly.opens_at(now)
    if opened is not None:
        assert nightly.is_open(opened)
        assert not nightly.is_open(opened - timedelta(seconds=1))
        assert nightly.seconds_open(now, opened) == 0


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"to": "20:00"}, "window_empty"), ({"from": "24:00"}, "clock_malformed"), ({"to": "6:00"}, "clock_malformed"), ({"days": []}, "too_short"),
        ({"time_zone": "Tokyo"}, "unknown_time_zone"), ({"days": ["funday"]}, "literal_error"),
    ],
)  # fmt: skip
def test_what_is_no_window_is_named(wrong: dict[str, Any], code: str) -> None:
    given = {"from": "20:00", "to": "06:00", "time_zone": "Asia/Tokyo", **wrong}
    with pytest.raises(ValidationError) as caught:
        Window.model_validate(given)
    assert caught.value.errors()[0]["type"] == code
