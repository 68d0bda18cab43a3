"""When a worker takes itself for deaf."""

from hypothesis import given
from hypothesis import strategies as st

from worker.hearing import DEAF_AFTER, Hearing

LOOKS = st.lists(st.tuples(st.booleans(), st.integers(0, 2), st.integers(0, 3)), max_size=4 * DEAF_AFTER)
"""Whether each process has a step in hand, how much waits, and how often Celery's loop has turned since the look before."""


def looked(looks: list[tuple[bool, int, int]]) -> tuple[Hearing, list[bool], int]:
    """Also what it said, and how often the loop has turned in all."""
    hearing, turns, said = Hearing(), 1, []
    for is_full, num_waiting, more in looks:
        turns += more
        said.append(hearing.is_lost(is_full, num_waiting, turns))
    return hearing, said, turns


@given(LOOKS, st.integers(1, 3), st.booleans())
def test_it_does_once_messages_waited_and_were_not_taken_at_so_many_looks_in_turn(
    before: list[tuple[bool, int, int]], waiting: int, stands_still: bool
) -> None:
    """As a process was free, or as the loop stood still, which could not have learnt that it is done."""
    hearing, _, turns = looked(before)
    assert not hearing.is_lost(is_full=True, num_waiting=waiting, turns=turns + 1)
    turns += 1
    found = [
        hearing.is_lost(stands_still, waiting, turns + (0 if stands_still else look))
        for look in range(DEAF_AFTER)
    ]
    assert found == [*[False] * (DEAF_AFTER - 1), True]


@given(LOOKS)
def test_it_never_does_while_it_works_or_nothing_waits(looks: list[tuple[bool, int, int]]) -> None:
    """It works where the loop turns, however long a step takes."""
    fine = [
        (is_full, num if is_full else 0, more + (1 if num and is_full else 0)) for is_full, num, more in looks
    ]
    assert not any(looked(fine)[1])
