"""The time by which the coordinator waits, and whether it jumped."""

from datetime import UTC, datetime, timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from backend.coordinator.clock import JUMP_S, Forward, Jumps

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
steps = st.lists(st.tuples(st.floats(0, 100), st.floats(-7200, 7200)), max_size=20)


@given(steps)
def test_it_follows_the_time_of_day_and_waits_out_small_steps_back(
    passing: list[tuple[float, float]],
) -> None:
    wall, uptime_s = NOON, 0.0
    clock = Forward(lambda: wall, lambda: uptime_s)
    last = clock()
    for passed_s, set_by_s in passing:
        uptime_s += passed_s
        wall += timedelta(seconds=passed_s + set_by_s)
        now = clock()
        assert timedelta(0) <= now - wall <= timedelta(seconds=JUMP_S)
        assert now == wall or abs(now - last - timedelta(seconds=passed_s)) <= timedelta(microseconds=2)
        last = now


@given(steps)
def test_a_jump_is_told_once_and_time_that_passes_is_none(passing: list[tuple[float, float]]) -> None:
    now, uptime_s = NOON, 0.0
    jumps = Jumps(now, uptime_s)
    for passed_s, set_by_s in passing:
        uptime_s += passed_s
        now += timedelta(seconds=passed_s + set_by_s)
        assume(abs(abs(set_by_s) - JUMP_S) > 0.001)
        assert jumps.between(now, uptime_s) == (abs(set_by_s) > JUMP_S)
        assert not jumps.between(now, uptime_s)


def test_it_is_the_time_of_day_where_nobody_sets_it() -> None:
    wall, uptime_s = NOON, 5.0
    clock = Forward(lambda: wall, lambda: uptime_s)
    wall, uptime_s = NOON + timedelta(hours=3), 5.0 + 3 * 3600
    assert clock() == wall
