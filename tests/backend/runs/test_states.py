"""The table of states: what may follow what."""

import pytest

from backend.runs.states import (
    MOVES,
    RUN,
    RUN_ENDS,
    RUN_LIVE,
    STEP,
    STEP_ENDS,
    IllegalMove,
    check,
    may,
    sources,
)


@pytest.mark.parametrize("moves", MOVES.values(), ids=MOVES)
def test_every_state_that_follows_is_a_state(moves: dict[str, frozenset[str]]) -> None:
    assert frozenset().union(*moves.values()) <= set(moves)


def test_ends_lead_nowhere_and_every_live_state_can_end() -> None:
    assert all(not RUN[state] for state in RUN_ENDS)
    assert all(not STEP[state] for state in STEP_ENDS)
    for state in RUN_LIVE - {"cancelling"}:
        assert may("run", state, "cancelling")


def test_run_goes_its_way_and_not_back() -> None:
    assert may("run", "queued", "running")
    assert may("run", "running", "completed")
    assert not may("run", "completed", "running")
    assert not may("run", "cancelling", "completed")
    assert not may("run", "unheard", "running")


def test_illegal_move_says_what_and_from_where() -> None:
    with pytest.raises(IllegalMove, match="'draft' cannot become 'decided'") as caught:
        check("pilot", "draft", "decided")
    assert caught.value.params == {"thing": "pilot", "state": "draft", "following": "decided"}
    check("pilot", "draft", "launched")


def test_sources_are_the_left_side_of_a_compare_and_set() -> None:
    assert sources("run", "cancelling") == RUN_LIVE - {"cancelling"}
    assert sources("pilot", "launched") == {"draft"}


def test_a_run_that_is_to_pause_can_still_end_in_every_way_and_change_its_mind() -> None:
    assert RUN["pausing"] == {"paused", "resuming", "completed", "failed", "cancelling"}
    assert RUN["resuming"] == {"running", "pausing", "completed", "failed", "cancelling"}
    assert not may("run", "paused", "running")
    assert not may("run", "cancelling", "pausing")
