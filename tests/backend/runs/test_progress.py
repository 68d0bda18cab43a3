"""Progress in words."""

import pytest

from backend.runs.progress import Closed, Due, StepFact, run_progress
from backend.text.catalogue import say

SITES = [f"site-{number:02}" for number in range(1, 9)]


def _steps(round: int, kind: str, completed: int, running: int = 0) -> list[StepFact]:
    states = ["completed"] * completed + ["running"] * running
    return [StepFact(round, kind, index, SITES[index], state) for index, state in enumerate(states)]


def test_merging_names_the_sites_that_are_waited_for() -> None:
    steps = [*_steps(3, "merge", 6, 1), *_steps(3, "train", 2, 2)]
    words = run_progress("running", 8, 2, SITES, steps)
    assert (
        say("en", f"progress.{words.code}", words.params)
        == "Round 3: 6 of 8 sites merged, waiting for site-07, site-08."
    )
    assert (
        say("ja", f"progress.{words.code}", words.params)
        == "ラウンド3：8拠点中6拠点が統合済み、site-07、site-08を待っています。"
    )


def test_a_site_that_tries_again_and_again_is_told_with_its_cause() -> None:
    def words(*attempts: int) -> str:
        waiting = [
            StepFact(3, "merge", index, SITES[index], "ready", attempt, "store_unreachable")
            for index, attempt in enumerate(attempts, start=6)
        ]
        found = run_progress("running", 8, 2, SITES, [*_steps(3, "merge", 6), *waiting])
        return say("en", f"progress.{found.code}", {**found.params, "cause": "CAUSE"})

    assert words(3) == "Round 3: site-07 is trying again (attempt 3), because CAUSE."
    assert words(3, 5) == "Round 3: site-08 and 1 more site are trying again (attempt 5), because CAUSE."
    assert words(2) == "Round 3: 6 of 8 sites merged, waiting for site-07, site-08."
    start = [StepFact(0, "prepare", 0, "site-01", "ready", 4, "worker_lost")]
    assert run_progress("queued", 8, -1, SITES, start).code == "retrying_at_start"


def test_a_run_that_waits_only_for_sites_outside_of_their_windows_says_so() -> None:
    closed = {
        6: Closed("2026-01-05T11:00:00+00:00", "Asia/Tokyo"),
        7: Closed("2026-01-05T09:00:00+00:00", "Asia/Tokyo"),
    }

    def words(completed: int, running: int = 0) -> str:
        steps = _steps(3, "merge", completed, running)
        found = run_progress("running", 8, 2, SITES, steps, closed=closed)
        return say("en", f"progress.{found.code}", found.params)

    until = "which opens on 2026-01-05 18:00 (Asia/Tokyo)."
    assert words(6) == f"Round 3: waiting for the time window of site-07, site-08, {until}"
    assert words(5) == "Round 3: 5 of 8 sites merged, waiting for site-06, site-07, site-08."
    start = [StepFact(0, "prepare", index, SITES[index], "completed") for index in range(6)]
    assert run_progress("running", 8, -1, SITES, start, closed=closed).code == "waiting_for_window_at_start"
    assert words(6, running=2) == "Round 3: 6 of 8 sites merged, waiting for site-07, site-08."


def test_a_run_between_two_rounds_says_when_the_next_is_due() -> None:
    def code(rounds_done: int, is_over: bool = False) -> str:
        due = Due(4, "2026-01-05T02:00:00+00:00", "Asia/Tokyo", is_over)
        return run_progress("running", 8, rounds_done, SITES, [], due_next=due).code

    assert [code(3), code(3, is_over=True), code(2)] == [
        "waiting_for_time",
        "waiting_for_runs",
        "starting_round",
    ]
    paused = run_progress(
        "paused", 8, 3, SITES, [], due_next=Due(4, "2026-01-05T02:00:00+00:00", "UTC", False)
    )
    assert paused.code == "paused"


def test_training_comes_after_all_have_merged() -> None:
    words = run_progress("running", 8, 2, SITES, [*_steps(3, "merge", 8), *_steps(3, "train", 7)])
    assert (
        say("en", f"progress.{words.code}", words.params)
        == "Round 3: 7 of 8 sites trained, waiting for site-08."
    )


def test_sites_that_align_before_a_later_round_are_told_of_that_round() -> None:
    words = run_progress("running", 8, 4, SITES, _steps(5, "align", 2, 1))
    assert say("en", f"progress.{words.code}", words.params).startswith("Round 5: 2 of 8 sites")
    assert run_progress("running", 8, -1, SITES, _steps(0, "align", 2, 1)).code == "aligning_waiting_more"


def test_many_missing_sites_are_counted_not_listed() -> None:
    words = run_progress("running", 8, 0, SITES, _steps(1, "train", 1, 7))
    assert say("en", f"progress.{words.code}", words.params) == (
        "Round 1: 1 of 8 sites trained, waiting for site-02, site-03, site-04 and 4 more."
    )


def test_queued_run_whose_sites_prepare_says_so() -> None:
    words = run_progress("queued", 8, -1, SITES, _steps(0, "prepare", 7, 1))
    assert (words.code, words.params["done"]) == ("preparing_waiting", 7)


def test_between_two_rounds_the_next_is_about_to_begin() -> None:
    words = run_progress("running", 8, 3, SITES, _steps(3, "train", 8))
    assert (words.code, words.params["round"]) == ("starting_round", 4)


def test_a_run_that_failed_says_when() -> None:
    ended = "2026-01-05T01:00:00+00:00"
    assert run_progress("failed", 8, 3, SITES, [], ended_at=ended).params["at"] == ended
    words = run_progress("failed", 8, 0, SITES, [], ended_at=ended)
    assert say("en", f"progress.{words.code}", words.params) == (
        "Failed on 2026-01-05 01:00:00 UTC, before round 1 was finished."
    )
    words = run_progress("failed", 8, -1, SITES, [], ended_at=ended)
    assert say("en", f"progress.{words.code}", words.params) == (
        "Failed on 2026-01-05 01:00:00 UTC, at its start."
    )


@pytest.mark.parametrize("state", ["queued", "cancelling", "cancelled", "failed", "completed", "paused"])
def test_other_states_are_said_as_they_are(state: str) -> None:
    words = run_progress(state, 8, 2, SITES, [])
    assert words.code == state
    assert "{" not in say("en", f"progress.{words.code}", words.params)


@pytest.mark.parametrize("state", ["cancelled", "failed", "paused", "resuming"])
@pytest.mark.parametrize("rounds_done", [-1, 0])
def test_before_the_first_round_is_finished_no_round_is_told_as_finished(
    state: str, rounds_done: int
) -> None:
    words = run_progress(state, 8, rounds_done, SITES, [])
    said = say("en", f"progress.{words.code}", words.params)
    has_ended = state in ("cancelled", "failed")
    assert words.code == f"{state}_in_first_round" if has_ended and rounds_done == 0 else f"{state}_at_start"
    assert ("at its start" if has_ended and rounds_done < 0 else "before round 1") in said
    assert "round 0" not in said
