"""Time never goes back for whoever waits by it."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from backend.coordinator.clock import Forward

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
jumps = st.lists(st.tuples(st.floats(0, 100), st.floats(-7200, 7200)), max_size=20)


@given(jumps)
def test_it_goes_on_at_least_as_fast_as_the_machine_is_up_whatever_is_set(
    passing: list[tuple[float, float]],
) -> None:
    wall, uptime_s = NOON, 0.0
    clock = Forward(lambda: wall, lambda: uptime_s)
    last = clock()
    for passed_s, set_by_s in passing:
        uptime_s += passed_s
        wall += timedelta(seconds=passed_s + set_by_s)
        now = clock()
        assert now >= wall
        assert now >= last + timedelta(seconds=passed_s) - timedelta(microseconds=2)
        last = now


def test_it_is_the_time_of_day_where_nobody_sets_it() -> None:
    wall, uptime_s = NOON, 5.0
    clock = Forward(lambda: wall, lambda: uptime_s)
    wall, uptime_s = NOON + timedelta(hours=3), 5.0 + 3 * 3600
    assert clock() == wall
