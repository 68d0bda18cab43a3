"""An arm that trains alone goes side by side with the others, however slow they are."""

from collections.abc import Callable, Sequence

import pytest

from backend.runs import asks
from backend.runs import service as runs
from backend.runs.lead import LEAD, slowest_of_others
from backend.runs.states import STEP_LIVE
from backend.runs.steps import list_steps
from backend.web import ListQuery
from dimat.spec import PilotSpec
from tests.backend.coordinator.stage import SITES, Stage, spec
from tests.backend.coordinator.test_amending import decided
from tests.backend.coordinator.test_restart import restarted
from tests.backend.coordinator.test_silence import LIMIT_S, pilot, until_round
from tests.backend.explain.test_explain import explained, of
from worker.messages.steps import StepMessage

ALONE, MERGING = "p/local_only", "p/dimat"


def finish(
    stage: Stage, turns: int, which: Callable[[StepMessage], bool], online: Sequence[str] = SITES
) -> None:
    """Sites that are online do what they get, as far as it is to be done."""
    for _ in range(turns):
        stage.beat("w", *online)
        stage.turn()
        for message in stage.waiting():
            if message.context.site.name in online and which(message):
                stage.finish(message, stage.begin(stage.take(message)))


def work(stage: Stage, turns: int, *but: str, online: Sequence[str] = SITES) -> None:
    """All that is to be done, but no step of the runs `but`."""
    finish(stage, turns, lambda one: one.run_id not in but, online)


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
    assert (
        told.text
        == f'Round {alone.rounds_done + 1} of 40 waits for the arm "dimat", which is in round {slow.rounds_done + 1}.'
    )
    text = f'Waiting for the arm "dimat", which is in round {at}: an arm that trains alone begins no round more than 2 rounds ahead of the others.'
    (wait,) = of(told, "a").waits_for
    assert wait.text == text
    assert wait.then is not None
    assert wait.then.text == f"It goes on when the arms behind it are in round {at + 1}."
    with stage.database.read() as session:
        said = runs.get(session, ALONE).progress
        steps = list_steps(session, ALONE, ListQuery(cursor=None, limit=50), alone.rounds_done + 1).items
    assert (said.code, said.params["arm"], said.params["at"]) == ("waiting_for_arm", "dimat", at)
    assert {one.words.code for one in steps} == {"any.waiting_for_arm"}
    work(stage, 40)
    assert stage.run(ALONE).rounds_done > alone.rounds_done


def test_a_silent_site_keeps_nobody_waiting_in_a_round_that_may_not_begin(stage: Stage) -> None:
    """c has done all that it could be asked for, and falls silent: what holds the run is the arm that is slow."""
    stage.launch(pilot("stop", rounds=40, arms=("local_only", "dimat")))
    until_round(stage, 1)

    def without_a_in_the_other_arm(turns: int, *online: str) -> None:
        for _ in range(turns):
            stage.beat("w", *online)
            stage.turn()
            for message in stage.waiting():
                if (message.run_id, message.context.site.name) != (MERGING, "a"):
                    stage.finish(message, stage.begin(stage.take(message)))

    without_a_in_the_other_arm(40, *SITES)
    held = stage.run(ALONE).rounds_done
    assert not [step for step in stage.steps() if step.site_name == "c" and step.state in STEP_LIVE]
    without_a_in_the_other_arm(2 * int(LIMIT_S), "a", "b")
    assert (stage.run(ALONE).state, stage.run(ALONE).rounds_done) == ("running", held)


def test_it_goes_by_the_method_of_the_round(stage: Stage) -> None:
    """An arm that an amendment turned into one that trains alone waits, and one that was turned into one that merges does not."""
    alone = [{"name": name, "method": "local_only"} for name in ("control", "to-merge")]
    given = spec(rounds=300).model_dump(mode="json")
    arms = [*alone, {"name": "to-alone", "method": "dimat"}]
    stage.launch(PilotSpec.model_validate({**given, "arms": arms}))
    stage.amend({"method": "local_only"}, arm="to-alone")
    stage.amend({"method": "dimat"}, arm="to-merge")
    work(stage, 12)
    work(stage, 60, "p/control")
    done = {name: stage.run(f"p/{name}").rounds_done for name in ("control", "to-merge", "to-alone")}
    assert done["to-alone"] <= done["control"] + 3
    assert done["to-merge"] > done["control"] + 10


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


def test_a_site_that_was_held_in_a_round_that_its_arm_had_not_come_to_goes_on_when_nothing_holds_it(
    stage: Stage,
) -> None:
    """b and c come to the first round of training alone while the other arm is far behind; a comes there when that has ended."""
    stage.launch(spec(rounds=7, arms=("local_only", "dimat")))
    stage.amend({"method": "local_only"}, arm="dimat", round=6)

    def go_on(turns: int, *, other_arm: bool, slow: bool) -> None:
        for _ in range(turns):
            stage.beat("w", *SITES)
            stage.turn()
            for message in stage.waiting():
                is_held_up = (message.run_id, message.context.site.name) == (
                    MERGING,
                    "a",
                ) and message.round > 4
                if (message.run_id != ALONE or other_arm) and not (is_held_up and slow):
                    stage.finish(message, stage.begin(stage.take(message)))

    go_on(40, other_arm=False, slow=True)
    assert stage.run(MERGING).rounds_done == 4
    go_on(40, other_arm=True, slow=True)
    assert (stage.run(ALONE).state, stage.run(MERGING).rounds_done) == ("completed", 4)
    go_on(20, other_arm=True, slow=False)
    assert stage.run(MERGING).state == "completed"


def test_it_goes_on_although_an_arm_was_restarted_far_behind_the_one_that_held_it(stage: Stage) -> None:
    """b and c are held by the merging arm, far ahead of a, which is held by the restarted arm; that trains alone, too, and is held by a."""
    alone = [{"name": name, "method": "local_only"} for name in ("first", "again")]
    given = spec(rounds=30).model_dump(mode="json")
    stage.launch(PilotSpec.model_validate({**given, "arms": [*alone, {"name": "dimat", "method": "dimat"}]}))
    while stage.run("p/again").rounds_done < 1:
        work(stage, 1)
    stage.ask("p/again", asks.CANCEL)

    def go_on(turns: int, *, is_slow: bool) -> None:
        for _ in range(turns):
            stage.beat("w", *SITES)
            stage.turn()
            for message in stage.waiting():
                of_a = (message.run_id, message.context.site.name) == ("p/first", "a")
                if not (is_slow and of_a and message.round > 3) and not (
                    message.run_id == MERGING and message.round > 15
                ):
                    stage.finish(message, stage.begin(stage.take(message)))

    go_on(60, is_slow=True)
    assert (stage.run("p/first").rounds_done, stage.run(MERGING).rounds_done) == (3, 15)
    again = restarted(stage, "p/again", 1).run.id
    go_on(60, is_slow=False)
    last = 16 + LEAD
    assert (stage.run("p/first").rounds_done, stage.run(again).rounds_done) == (last, last)


def test_a_silent_site_is_told_before_all_that_wait_for_another_arm(stage: Stage) -> None:
    stage.launch(pilot("stop", rounds=40, arms=("local_only", "dimat"), silent={"policy": "stop"}))
    until_round(stage, 1)
    work(stage, 40, online="ab")
    told = explained(stage, ALONE)
    assert [(one.code, one.site, one.is_planned) for one in told.waits_for] == [
        ("site_silent", "c", False),
        ("lead", "a", True),
        ("lead", "b", True),
    ]


@pytest.mark.parametrize("ask", [asks.PAUSE, asks.CANCEL])
def test_who_coordinates_anew_lets_an_arm_go_on_that_nothing_holds_any_more(
    stage: Stage, ask: asks.Ask
) -> None:
    launched(stage, rounds=12)
    work(stage, 20, MERGING)
    stage.ask(MERGING, ask)
    stage.restart()
    work(stage, 40)
    assert stage.run(ALONE).state == "completed"


def test_it_goes_on_where_the_other_arm_failed_in_a_turn_after_which_the_broker_was_away(
    stage: Stage,
) -> None:
    launched(stage, rounds=12)
    work(stage, 20, MERGING)
    begun = [stage.begin(stage.take(one)) for one in stage.waiting() if one.run_id == MERGING]
    stage.turn()
    stage.fail(begun[0], "data_changed", False)
    stage.turn(0.3)
    assert stage.run(MERGING).state == "failed"
    stage.restart()  # as `coordinator.main` does after a broker that could not be used
    work(stage, 40)
    assert stage.run(ALONE).state == "completed"


def test_the_first_look_is_taken_also_where_a_step_is_held_in_the_same_turn(stage: Stage) -> None:
    """The limit rises while nobody coordinates; a's report, of which the next step is held, comes in the first turn."""
    slow, slower = "p/plain_average", MERGING
    stage.launch(spec(rounds=30, arms=("local_only", "dimat", "plain_average")))
    while stage.run(slower).rounds_done < 1:
        work(stage, 1)
    while stage.run(slow).rounds_done < 3:
        work(stage, 1, slower)
    for other in (slow, slower):
        stage.ask(other, asks.PAUSE)
    stage.post.queues = {
        name: [one for one in queue if one.run_id == ALONE] for name, queue in stage.post.queues.items()
    }
    done = stage.run(ALONE).rounds_done

    def of_a(message: StepMessage) -> bool:
        return message.context.site.name == "a"

    finish(
        stage, 40, lambda one: one.run_id == ALONE and getattr(one, "round", 0) <= (8 if of_a(one) else done)
    )
    for other in (slow, slower):
        stage.ask(other, asks.RESUME)
    finish(stage, 9, lambda one: one.run_id is None or (one.run_id == ALONE and not of_a(one)))
    assert stage.run(ALONE).rounds_done < 3 + 1 + LEAD
    stage.ask(slower, asks.PAUSE)
    stage.restart()
    (last,) = [one for one in stage.waiting() if one.run_id == ALONE and of_a(one)]
    stage.finish(last, stage.begin(stage.take(last)))
    finish(stage, 40, lambda one: one.run_id == ALONE)
    assert stage.run(ALONE).rounds_done == 3 + 1 + LEAD


def held_before_c_joins(stage: Stage) -> None:
    """c, of which nothing is ever heard, joins in round 9; the other arm is in round 6, so that this one is held before that."""
    stage.launch(pilot("stop", rounds=20, arms=("local_only", "dimat"), waiting=["c"]))
    stage.amend({"members": ["a", "b", "c"]}, round=9)
    while stage.run(MERGING).rounds_done < 5:
        work(stage, 1, online="ab")
    work(stage, 4 * int(LIMIT_S), MERGING, online="ab")
    assert (stage.run(ALONE).state, stage.run(ALONE).rounds_done) == ("running", 8)


@pytest.mark.parametrize("how", ["pause", "cancel", "amend"])
def test_a_silent_site_is_waited_for_from_when_the_round_may_begin_however_that_came(
    stage: Stage, how: str
) -> None:
    held_before_c_joins(stage)
    if how == "amend":
        stage.amend({"method": "dimat"}, round=9, arm="local_only")
    else:
        stage.ask(MERGING, asks.PAUSE if how == "pause" else asks.CANCEL)
    work(stage, int(LIMIT_S) - 5, MERGING, online="ab")
    assert stage.run(ALONE).state == "running"
    work(stage, int(LIMIT_S), MERGING, online="ab")
    assert stage.run(ALONE).state == "failed"


def test_a_silent_site_is_not_waited_for_in_a_hold_though_a_step_of_the_round_was_made_before(
    stage: Stage,
) -> None:
    """a is asked for round 9 while the other arm is paused; b comes there when that goes on, far behind, and holds the round."""
    stage.launch(pilot("stop", rounds=20, arms=("local_only", "dimat"), waiting=["c"]))
    stage.amend({"members": ["a", "b", "c"]}, round=9)

    def alone(message: StepMessage, last_of_b: int) -> bool:
        last = 8 if message.context.site.name == "a" else last_of_b
        return message.run_id == ALONE and getattr(message, "round", 0) <= last

    while stage.run(MERGING).rounds_done < 3:
        finish(stage, 1, lambda one: one.run_id != ALONE or getattr(one, "round", 0) < 4, "ab")
    stage.ask(MERGING, asks.PAUSE)
    finish(stage, 30, lambda one: alone(one, 7), "ab")
    stage.ask(MERGING, asks.RESUME)
    finish(stage, 3, lambda one: alone(one, 7), "ab")
    finish(stage, 3 * int(LIMIT_S), lambda one: alone(one, 8), "ab")
    assert stage.run(ALONE).rounds_done == 8
    assert [s.site_name for s in stage.steps(ALONE) if s.round == 9] == ["a"]
    while stage.run(MERGING).rounds_done < 6:
        work(stage, 1, ALONE, online="ab")
    finish(stage, int(LIMIT_S) - 5, lambda one: False, "ab")
    assert stage.run(ALONE).state == "running"
    finish(stage, 10, lambda one: False, "ab")
    assert stage.run(ALONE).state == "failed"


def test_a_site_that_joins_in_a_round_that_may_not_begin_keeps_nobody_waiting(stage: Stage) -> None:
    held_before_c_joins(stage)
    assert of(explained(stage, ALONE), "c").waits_for[0].then is None
    # From when the round may begin on it does, and not for longer than that.
    while stage.run(MERGING).rounds_done < 6:
        work(stage, 1, online="ab")
    told = of(explained(stage, ALONE), "c").waits_for[0].then
    assert told is not None
    assert told.at is not None
    assert LIMIT_S - 5 < (told.at - stage.now()).total_seconds() < LIMIT_S + 15
    work(stage, int(LIMIT_S) // 2, MERGING, online="ab")
    assert stage.run(ALONE).state == "running"
    work(stage, int(LIMIT_S), MERGING, online="ab")
    assert stage.run(ALONE).state == "failed"


def test_no_run_ends_for_want_of_sites_in_a_round_that_may_not_begin(stage: Stage) -> None:
    stage.launch(pilot("skip", rounds=20, arms=("local_only", "dimat")))
    stage.amend({"members": ["a", "b"]}, round=9)
    work(stage, 8)

    while stage.run(MERGING).rounds_done < 5:
        work(stage, 1, online="bc")
    work(stage, 3 * int(LIMIT_S), MERGING, online="bc")
    assert (stage.run(ALONE).state, stage.run(ALONE).rounds_done) == ("running", 8)
    work(stage, 80)
    assert stage.run(ALONE).state == "completed"


def test_sites_in_several_rounds_that_may_all_not_begin_wait_for_the_other_arm_alone(stage: Stage) -> None:
    """c has done less than a and b while the other arm was paused; nobody waits for c."""
    launched(stage)
    stage.ask(MERGING, asks.PAUSE)
    last = stage.run(ALONE).rounds_done + 2
    finish(
        stage,
        40,
        lambda one: (
            one.run_id == ALONE and getattr(one, "round", 0) <= (last if one.context.site.name == "c" else 9)
        ),
    )
    stage.ask(MERGING, asks.RESUME)
    finish(stage, 10, lambda one: one.run_id == ALONE)
    told, at = explained(stage, ALONE), stage.run(MERGING).rounds_done + 1
    assert {site.waits_for[0].code for site in told.sites} == {"lead"}
    with stage.database.read() as session:
        assert runs.get(session, ALONE).progress.code == "waiting_for_arm"
    assert told.then is not None
    assert told.then.params["round"] == stage.run(ALONE).rounds_done + 1 - LEAD
    assert told.then.params["round"] > at


def test_a_run_that_was_restarted_and_not_begun_yet_is_at_the_round_that_it_begins_with(stage: Stage) -> None:
    launched(stage)
    while stage.run(MERGING).rounds_done < 5:
        work(stage, 1)
    stage.ask(MERGING, asks.CANCEL)
    work(stage, 3)
    again = restarted(stage, MERGING, 4).run
    with stage.database.read() as session:
        slowest = slowest_of_others(session, ["p"])[ALONE]
    assert (again.state, slowest.at) == ("queued", 5)
