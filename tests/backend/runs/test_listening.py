"""Time in which something could have been heard."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from backend.runs.listening import Break, Listening, shortened
from backend.sites.window import Window

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
NIGHTS = Window.model_validate({"from": "22:00", "to": "06:00", "time_zone": "Asia/Tokyo"})


def at(minutes: int) -> datetime:
    return BEGAN + timedelta(minutes=minutes)


@st.composite
def some_breaks(draw: st.DrawFn) -> list[Break]:
    """One after the other, with time between."""
    ends = sorted(draw(st.sets(st.integers(0, 3000), max_size=12)))
    return [(at(begin), at(end)) for begin, end in zip(ends[::2], ends[1::2], strict=False)]


@given(some_breaks(), st.integers(0, 3000), st.integers(0, 3000), st.sampled_from((None, NIGHTS)))
def test_every_moment_without_a_break_and_within_the_window_counts(
    breaks: list[Break], since: int, minutes: int, window: Window | None
) -> None:
    until = since + minutes
    counted = sum(
        not any(began <= at(minute) < ended for began, ended in breaks)
        and (window is None or window.is_open(at(minute)))
        for minute in range(since, until)
    )
    assert Listening(breaks).heard_s(at(since), at(until), window) == 60 * counted


@given(some_breaks(), st.integers(0, 3000), st.integers(1, 100_000), st.sampled_from((None, NIGHTS)))
def test_what_is_promised_for_a_moment_has_been_heard_then(
    breaks: list[Break], since: int, seconds: int, window: Window | None
) -> None:
    listening = Listening(breaks)
    then = listening.when_heard(at(since), seconds, window)
    assert listening.heard_s(at(since), then, window) == seconds
    assert listening.heard_s(at(since), then - timedelta(seconds=1), window) < seconds


@given(some_breaks(), st.integers(2, 6), st.integers(3000, 9000))
def test_of_many_breaks_the_old_ones_count_together(breaks: list[Break], most: int, until: int) -> None:
    kept = shortened(breaks, most)
    assert len(kept) == min(len(breaks), most)
    for since in (BEGAN, *(ended for _, ended in (*breaks[:1], *kept))):
        assert Listening(kept).heard_s(since, at(until)) == Listening(breaks).heard_s(since, at(until))
