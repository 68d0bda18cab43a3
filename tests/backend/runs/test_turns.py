"""Behind whom a step waits that could begin."""

import pytest

from backend.runs.turns import Ahead, turn_behind


def ahead(pilot: str, run: str | None, arm: str | None = None, is_running: bool = True) -> Ahead:
    return Ahead(pilot, f"Pilot {pilot}", run, arm, is_running)


OTHER, THIRD = ahead("p2", "r9", "alone"), ahead("p3", None)
ARM, OWN, PREPARES = ahead("p1", "r2", "dimat"), ahead("p1", "r1", "alone"), ahead("p1", None)


@pytest.mark.parametrize(
    ("those", "code", "params"),
    [
        ([OWN, ARM, PREPARES, OTHER], "turn_behind_pilot", {"pilot": "Pilot p2"}),
        ([THIRD, OTHER, OTHER], "turn_behind_pilots", {"pilot": "Pilot p2", "more": 1}),
        ([OWN, PREPARES, ARM], "turn_behind_arm", {"arm": "dimat"}),
        ([PREPARES], "turn_behind_start", {}),
        ([PREPARES, OWN], "turn_behind_run", {}),
    ],
)
def test_it_waits_behind_another_pilot_before_another_arm_before_its_own_run(
    those: list[Ahead], code: str, params: dict[str, object]
) -> None:
    found = turn_behind("p1", "r1", False, those)
    assert found is not None
    assert (found.code, found.params) == (code, params)


def test_a_step_that_prepares_waits_behind_others_that_do_and_behind_arms_at_work() -> None:
    starts, arm = turn_behind("p1", None, False, [PREPARES]), turn_behind("p1", None, False, [PREPARES, ARM])
    assert starts is not None
    assert arm is not None
    assert (starts.code, arm.code) == ("turn_behind_start", "turn_behind_arm")


def test_what_was_sent_waits_only_for_what_runs() -> None:
    sent = ahead("p2", "r9", "alone", is_running=False)
    assert turn_behind("p1", "r1", True, [sent]) is None
    assert turn_behind("p1", "r1", False, [sent]) is not None
    assert turn_behind("p1", "r1", False, []) is None
