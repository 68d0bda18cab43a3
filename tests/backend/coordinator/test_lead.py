"""An arm that trains alone goes side by side with the others, however slow they are."""

import pytest

from backend.runs import asks
from backend.runs.lead import LEAD
from tests.backend.coordinator.stage import SITES, Stage, spec
from tests.backend.coordinator.test_amending import decided
from tests.backend.explain.test_explain import explained, of

ALONE, MERGING = "p/local_only", "p/dimat"


def work(stage: Stage, turns: int, *but: str) -> None:
    """All do what they get, but no step of the runs `but`."""
    for _ in range(turns):
        stage.beat("w", *SITES)
        stage.turn()
        for message in stage.waiting():
            if message.run_id not in but:
                stage.finish(message, stage.begin(stage.take(message)))


def launched(stage: Stage, rounds: int = 40, **changes: object) -> None:
    stage.launch(spec(rounds=rounds, arms=("local_only", "dimat"), **changes))  # type: ignore[arg-type]
    while stage.run(MERGING).rounds_done < 1:
        work(stage, 1)


def test_it_waits_for_the_slowest_of_the_others_and_says_so(stage: Stage) -> None:
    launched(stage)
    work(stage, 40, MERGING)
    slow, alone = stage.run(MERGING), stage.run(ALONE)
    assert alone.rounds_done == slow.rounds_done + 1 + LEAD
    told = explained(stage, ALONE)
    assert {(site.doing, site.waits_for[0].code) for site in told.sites} == {("waiting", "lead")}
    at = slow.rounds_done + 1
    text = f"Waiting for the arm dimat, which is in round {at}: an arm that trains alone goes no more than 2 rounds ahead of the others."
    (wait,) = of(told, "a").waits_for
    assert wait.text == text
    assert wait.then is not None
    assert wait.then.text == f"It goes on when the arms behind it are in round {at + 1}."
    work(stage, 40)
    assert stage.run(ALONE).rounds_done > alone.rounds_done


def test_an_amendment_of_the_sites_begins_soon_although_the_others_are_slow(stage: Stage) -> None:
    launched(stage, rounds=400)
    work(stage, 40, MERGING)
    slow = stage.run(MERGING).rounds_done
    asked = stage.amend({"members": ["a", "b"]})
    work(stage, 3, MERGING)
    begins = decided(stage, asked).from_round
    assert begins is not None
    assert begins <= slow + 6


@pytest.mark.parametrize("ask", [asks.PAUSE, asks.CANCEL])
def test_it_waits_for_no_arm_that_is_not_at_work(stage: Stage, ask: asks.Ask) -> None:
    launched(stage, rounds=12)
    work(stage, 20, MERGING)
    stage.ask(MERGING, ask)
    work(stage, 60)
    assert stage.run(ALONE).state == "completed"


def test_an_arm_that_merges_is_held_by_its_neighbours_alone(stage: Stage) -> None:
    launched(stage, rounds=12)
    work(stage, 60, ALONE)
    assert stage.run(MERGING).state == "completed"
    work(stage, 60)
    assert stage.run(ALONE).state == "completed"
