"""When a worker takes itself for deaf."""

from hypothesis import given
from hypothesis import strategies as st

from worker.hearing import DEAF_AFTER, Hearing

LOOKS = st.lists(st.tuples(st.booleans(), st.integers(0, 2)), max_size=4 * DEAF_AFTER)


@given(LOOKS, st.integers(1, 3))
def test_it_does_once_messages_waited_and_nothing_was_in_hand_at_so_many_looks_in_turn(
    before: list[tuple[bool, int]], waiting: int
) -> None:
    hearing = Hearing()
    for has_work, num_waiting in before:
        hearing.is_lost(has_work, num_waiting)
    assert not hearing.is_lost(has_work=True, num_waiting=waiting)
    assert [hearing.is_lost(False, waiting) for _ in range(DEAF_AFTER)] == [*[False] * (DEAF_AFTER - 1), True]


@given(LOOKS)
def test_it_never_does_while_it_works_or_nothing_waits(looks: list[tuple[bool, int]]) -> None:
    hearing = Hearing()
    assert not any(
        hearing.is_lost(has_work, 0 if not has_work else num_waiting) for has_work, num_waiting in looks
    )
