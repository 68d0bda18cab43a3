"""Runs that wait for a silent site: they wait on, stop, or go on without it and take it back."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import delete, select

from backend.db.tables import AbsenceRow, AmendmentRow, HeartbeatRow, SiteRow
from backend.roi import calculator
from backend.roi import service as roi
from backend.runs import asks, results
from backend.runs.restart import restart
from backend.runs.schemas import Restart
from backend.summary.outcome import summarise
from dimat.schedule import StepKey
from dimat.spec import PilotSpec
from tests.backend.coordinator.stage import BOSS, SITES, Stage, spec
from tests.backend.coordinator.test_cost import statements

LIMIT_S = 30.0


def pilot(policy: str, rounds: int = 4, arms: Sequence[str] = ("dimat",), **changes: Any) -> PilotSpec:
    given = spec(rounds=rounds, arms=arms).model_dump(mode="json")
    silent = {"policy": policy, "limit_s": LIMIT_S}
    return PilotSpec.model_validate({**given, "silent": silent, **changes})


def lead(stage: Stage, seconds: int, *online: str) -> None:
    """Time passes in which the sites `online` do all they get, and nothing is heard of the others."""
    for _ in range(seconds):
        stage.beat("w", *online)
        stage.turn()
        for name in online:
            for message in list(stage.post.queues.get(name, ())):
                stage.finish(message, stage.begin(stage.take(message)))


def until_round(stage: Stage, round: int) -> None:
    while stage.run("p/dimat").rounds_done < round:
        lead(stage, 1, *SITES)


def absences(stage: Stage) -> list[tuple[str, str, int, int | None, list[Any]]]:
    with stage.database.read() as session:
        rows = session.scalars(select(AbsenceRow).order_by(AbsenceRow.id))
        return [(row.run_id, row.site_name, row.from_round, row.until_round, row.undone) for row in rows]


def test_the_results_tell_without_whom_a_run_went_on(stage: Stage) -> None:
    """With them `awase simulate` repeats it."""
    stage.launch(pilot("skip"))
    until_round(stage, 1)
    while stage.run("p/dimat").state == "running":
        lead(stage, 1, "a", "b")
    with stage.database.read() as session:
        (told,) = results.of_pilot(session, "p").pilot.absences
    ((_, site, first, last, undone),) = absences(stage)
    assert (told.arm, told.site, told.from_round, told.until_round) == ("dimat", site, first, last)
    assert [list(one) for one in told.undone] == undone


@pytest.mark.parametrize(
    ("policy", "code"), [("wait", "site_silent_too_long"), ("stop", "stopped_for_silent_site")]
)
def test_a_run_ends_with_a_reason_when_a_site_was_silent_for_too_long(
    stage: Stage, policy: str, code: str
) -> None:
    stage.launch(pilot(policy))
    until_round(stage, 1)
    lead(stage, int(LIMIT_S) - 5, "a", "b")
    assert stage.run("p/dimat").state == "running"
    lead(stage, 15, "a", "b")
    run = stage.run("p/dimat")
    assert run.state == "failed"
    assert run.reason is not None
    assert run.reason["code"] == code
    assert run.reason["params"]["site"] == "c"
    assert run.reason["params"]["seconds"] == pytest.approx(LIMIT_S, abs=5)
    assert {step.state for step in stage.steps("p/dimat")} <= {"completed", "cancelled"}


def test_a_run_whose_step_is_held_back_behind_others_at_a_silent_site_waits_for_it_all_the_same(
    stage: Stage,
) -> None:
    arms = [f"arm-{number}" for number in range(6)]
    given = pilot("stop").model_dump(mode="json")
    given["arms"] = [{"name": name, "method": "local_only"} for name in arms]
    stage.launch(PilotSpec.model_validate(given))
    while any(stage.run(f"p/{name}").rounds_done < 1 for name in arms):
        lead(stage, 1, *SITES)
    lead(stage, 15, "a", "b")
    held = [step for step in stage.steps() if step.site_name == "c" and step.state == "ready"]
    assert held
    lead(stage, int(LIMIT_S), "a", "b")
    assert {stage.run(f"p/{name}").state for name in arms} == {"failed"}


def test_what_was_ready_when_its_run_was_paused_waits_for_a_silent_site_only_since_it_goes_on(
    stage: Stage,
) -> None:
    stage.launch(pilot("stop"))
    until_round(stage, 1)
    lead(stage, 2, "a", "b")
    stage.ask("p/dimat", asks.PAUSE)
    lead(stage, 2 * int(LIMIT_S), "a", "b")
    stage.ask("p/dimat", asks.RESUME)
    lead(stage, int(LIMIT_S) - 5, "a", "b")
    assert stage.run("p/dimat").state == "running"
    lead(stage, 10, "a", "b")
    assert stage.run("p/dimat").state == "failed"


def ends_when_it_has_waited_since_it_goes_on(stage: Stage) -> None:
    stage.ask("p/dimat", asks.RESUME)
    lead(stage, int(LIMIT_S) - 5, "a", "b")
    assert stage.run("p/dimat").state == "running"
    lead(stage, 10, "a", "b")
    assert ended(stage)[1].startswith("stopped_for_silent_site")


def begun_at_c(stage: Stage) -> None:
    """c is heard of, begins what it was sent, and falls silent for 10 seconds."""
    stage.beat("w", *SITES)
    lead(stage, 1, "a", "b")
    for message in list(stage.post.queues["c"]):
        stage.begin(stage.take(message), "w-of-c")
    lead(stage, 10, "a", "b")


def test_a_step_at_work_when_its_run_was_paused_is_waited_for_only_since_it_goes_on(stage: Stage) -> None:
    """Its lease is over after that."""
    stage.launch(pilot("stop"))
    until_round(stage, 1)
    begun_at_c(stage)
    stage.ask("p/dimat", asks.PAUSE)
    lead(stage, 22, "a", "b")
    assert stage.run("p/dimat").state == "pausing"
    ends_when_it_has_waited_since_it_goes_on(stage)


def test_a_step_whose_lease_was_over_in_a_pause_is_waited_for_only_since_its_run_goes_on(
    stage: Stage,
) -> None:
    """What c prepares another arm had waited for as well, so that the pause did not take it back."""
    stage.launch(pilot("stop", arms=("local_only", "dimat")))
    begun_at_c(stage)
    stage.ask("p/dimat", asks.PAUSE)
    lead(stage, 60, "a", "b")
    assert [stage.run(f"p/{arm}").state for arm in ("local_only", "dimat")] == ["failed", "paused"]
    ends_when_it_has_waited_since_it_goes_on(stage)


def test_a_site_that_is_silent_and_has_nothing_to_do_keeps_nobody_waiting(stage: Stage) -> None:
    waiting = pilot("stop", waiting=["c"])
    stage.launch(waiting)
    for _ in range(60):
        lead(stage, 1, "a", "b")
    assert stage.run("p/dimat").state == "completed"


def test_a_pilot_that_says_nothing_waits_for_a_week(stage: Stage) -> None:
    stage.leap()
    stage.launch(spec(rounds=4))
    until_round(stage, 1)
    lead(stage, 20, "a", "b")
    stage.let_pass(6 * 86_400)
    lead(stage, 20, "a", "b")
    assert stage.run("p/dimat").state == "running"
    stage.let_pass(86_400)
    lead(stage, 20, "a", "b")
    assert stage.run("p/dimat").state == "failed"


def test_a_run_goes_on_without_a_silent_site_and_takes_it_back(stage: Stage) -> None:
    """On the line a - b - c: b merges with a alone while c is away, and c goes on with the model of b."""
    stage.launch(pilot("skip", rounds=9, arms=("local_only", "dimat")))
    until_round(stage, 1)
    at = stage.run("p/dimat").rounds_done
    held = max(step.round for step in stage.steps("p/dimat") if step.site_name == "c")
    lead(stage, int(LIMIT_S) - 5, "a", "b")
    stuck = stage.run("p/dimat").rounds_done
    assert stuck <= held
    lead(stage, 12, "a", "b")
    run, left = stage.run("p/dimat"), stage.events("p/dimat")
    assert run.state == "running" or run.rounds_done > stuck
    assert left["site_left_out"] == 1
    lead(stage, 6, "a", "b")
    if stage.run("p/dimat").state == "running":
        lead(stage, 60, *SITES)
    run = stage.run("p/dimat")
    assert run.state == "completed"
    assert at < run.rounds_done
    skipped = [step for step in stage.steps("p/dimat") if step.state == "skipped"]
    assert {step.site_name for step in skipped} == {"c"}


def test_a_site_that_is_back_goes_on_with_a_neighbours_model(stage: Stage) -> None:
    stage.launch(pilot("skip", rounds=40))
    until_round(stage, 1)
    lead(stage, int(LIMIT_S) + 8, "a", "b")
    ((run_id, site, began, until, _),) = absences(stage)
    assert (run_id, site, until) == ("p/dimat", "c", None)
    lead(stage, 6, *SITES)
    ((_, _, _, until, _),) = absences(stage)
    assert until is not None
    assert began < until
    for _ in range(40):
        lead(stage, 3, *SITES)
    assert stage.run("p/dimat").state == "completed"
    steps = {StepKey(s.round, s.kind, s.site_index): s for s in stage.steps("p/dimat")}  # type: ignore[arg-type]
    assert steps[StepKey(until, "adopt", 2)].state == "completed"
    assert StepKey(until - 1, "train", 2) not in steps
    assert steps[StepKey(until, "train", 2)].state == "completed"
    events = stage.events("p/dimat")
    assert (events["site_left_out"], events["site_back_in"], events["site_joined"]) == (1, 1, 1)


def looks(stage: Stage, *online: str, work: bool = True) -> int:
    """How often the states of a run's steps are read in a turn."""
    with statements(stage.database) as asked:
        if work:
            lead(stage, 1, *online)
        else:
            stage.beat("w", *online)
            stage.turn()
    return sum(one.startswith("SELECT steps.state, steps.round") for one in asked)


def test_sites_that_fall_silent_or_come_back_in_one_turn_cost_one_look_at_their_run(stage: Stage) -> None:
    """And one that is back too late for any round costs none in later turns."""
    data = {"kind": "sample", "dataset": "pendigits"}
    more = [f"d{number}" for number in range(5)]
    with stage.database.write() as session:
        session.add_all(
            SiteRow(name=name, data=data, state="online", last_seen_at=stage.now()) for name in more
        )
    sites = [{"name": name, "data": data} for name in (*SITES, *more)]
    stage.launch(pilot("skip", rounds=9, sites=sites, topology={"kind": "full"}))
    while stage.run("p/dimat").rounds_done < 1:
        lead(stage, 1, *SITES, *more)
    most = max(looks(stage, *SITES) for _ in range(int(LIMIT_S) + 8))
    assert len(absences(stage)) == len(more)
    assert most <= 3  # reports, who leaves, and what follows
    late = more[1:]
    most = max(looks(stage, *SITES, *late) for _ in range(3))
    assert sum(until is not None for _, _, _, until, _ in absences(stage)) == len(late)
    assert most <= 3
    while not any(step.round == 9 for step in stage.steps("p/dimat")):
        lead(stage, 1, *SITES, *late)
    assert looks(stage, *SITES, *more, work=False) >= 1
    assert [looks(stage, *SITES, *more, work=False) for _ in range(3)] == [0, 0, 0]


def test_what_a_skipped_step_reports_later_does_not_count(stage: Stage) -> None:
    stage.launch(pilot("skip", rounds=6))
    until_round(stage, 1)
    stage.turn()
    message = next(iter(stage.post.queues["c"]), None)
    while message is None:
        lead(stage, 1, "a", "b")
        message = next(iter(stage.post.queues["c"]), None)
    lead(stage, int(LIMIT_S) + 10, "a", "b")
    assert stage.step(message).state == "skipped"
    stage.finish(message, stage.begin(stage.take(message)))
    stage.turn()
    assert stage.step(message).state == "skipped"
    assert stage.step(message).artifact_sha256 is None


def test_a_run_ends_when_nobody_would_be_left_to_merge_with(stage: Stage) -> None:
    stage.launch(pilot("skip"))
    until_round(stage, 1)
    lead(stage, int(LIMIT_S) + 12, "a")
    run = stage.run("p/dimat")
    assert run.reason is not None
    assert (run.state, run.reason["code"]) == ("failed", "too_few_sites_left")
    assert [site for _, site, *_ in absences(stage)] in ([], ["b"], ["c"])


def counted_rounds_short(stage: Stage) -> list[int]:
    """Rounds that the run has counted, and that fewer than two sites have trained in."""
    trained = Counter(s.round for s in stage.steps("p/dimat") if (s.kind, s.state) == ("train", "completed"))
    return [round for round in range(1, stage.run("p/dimat").rounds_done + 1) if trained[round] < 2]


def ended(stage: Stage) -> tuple[str, str]:
    run = stage.run("p/dimat")
    return run.state, (run.reason or {})["code"]


@pytest.mark.parametrize("is_back", [True, False])
def test_a_run_ends_before_a_round_that_a_change_leaves_to_one_site_unless_the_silent_one_is_back(
    stage: Stage, is_back: bool
) -> None:
    stage.launch(pilot("skip", rounds=16))
    stage.amend({"members": ["b", "c"]}, round=12)
    until_round(stage, 1)
    lead(stage, int(LIMIT_S) + 8, "a", "b")
    assert absences(stage)
    assert stage.run("p/dimat").rounds_done < 10
    while stage.run("p/dimat").state == "running":
        lead(stage, 1, *(SITES if is_back else ("a", "b")))
    if is_back:
        assert stage.run("p/dimat").state == "completed"
    else:
        assert ended(stage) == ("failed", "too_few_sites_in_round")
        assert stage.run("p/dimat").rounds_done == 11
    assert not counted_rounds_short(stage)


def test_a_change_that_leaves_too_few_of_those_that_are_there_is_refused(stage: Stage) -> None:
    stage.launch(pilot("skip", rounds=16))
    until_round(stage, 1)
    lead(stage, int(LIMIT_S) + 8, "a", "b")
    refused, fine = stage.amend({"members": ["b", "c"]}), stage.amend({"members": ["a", "b"]})
    lead(stage, 2, "a", "b")
    with stage.database.read() as session:
        row, other = session.get_one(AmendmentRow, refused), session.get_one(AmendmentRow, fine)
    assert (row.state, other.state) == ("refused", "in_force")
    assert (row.reason or {})["code"] == "amendment_leaves_too_few"
    assert (row.reason or {})["params"]["sites"] == "c"
    while stage.run("p/dimat").state == "running":
        lead(stage, 1, "a", "b")
    assert stage.run("p/dimat").state == "completed"
    assert not counted_rounds_short(stage)


def test_the_last_round_counts_only_where_two_have_finished_it(stage: Stage) -> None:
    """Who falls silent in it is absent from no round, but owes what it would have made."""
    stage.launch(pilot("skip", rounds=2))
    until_round(stage, 1)
    assert stage.run("p/dimat").rounds_done == 1
    lead(stage, int(LIMIT_S) + 12, "a")
    assert ended(stage) == ("failed", "too_few_sites_left")
    assert not counted_rounds_short(stage)


def test_a_run_that_opens_absences_again_ends_before_a_round_that_would_leave_too_few(stage: Stage) -> None:
    """Here c was back in time for the change of members; in the run that goes on after an earlier round it is not."""
    stage.launch(pilot("skip", rounds=16))
    until_round(stage, 1)
    lead(stage, int(LIMIT_S) + 8, "a", "b")
    ((_, _, began, _, _),) = absences(stage)
    lead(stage, 6, *SITES)
    id = stage.amend({"members": ["b", "c"]})
    lead(stage, 6, *SITES)
    with stage.database.read() as session:
        row = session.get_one(AmendmentRow, id)
    assert row.state == "in_force"
    assert row.from_round is not None
    while stage.run("p/dimat").state == "running":
        lead(stage, 1, *SITES)
    lead(stage, int(LIMIT_S), "a", "b")
    with stage.database.write() as session:
        child = restart(session, BOSS, "p/dimat", "k", Restart(from_round=began), lambda _: True).run.id
    for _ in range(20):
        lead(stage, 1, "a", "b")
    run = stage.run(child)
    assert (run.state, (run.reason or {})["code"]) == ("failed", "too_few_sites_in_round")
    assert run.rounds_done == row.from_round - 1


def test_who_has_nobody_left_to_merge_with_trains_on_and_it_is_said(stage: Stage) -> None:
    stage.launch(pilot("skip", rounds=5))
    until_round(stage, 1)
    lead(stage, int(LIMIT_S) + 30, "a", "c")
    assert stage.run("p/dimat").state == "completed"
    assert stage.events("p/dimat")["site_alone"] == 2


def test_a_site_that_never_came_is_left_out_from_the_start(stage: Stage) -> None:
    with stage.database.write() as session:
        site = session.scalars(select(SiteRow).where(SiteRow.name == "c")).one()
        site.state, site.last_seen_at = "invited", None
    stage.launch(pilot("skip"))
    lead(stage, int(LIMIT_S) + 30, "a", "b")
    assert stage.run("p/dimat").state == "completed"
    assert absences(stage) == [("p/dimat", "c", 1, None, [])]


def test_a_run_that_goes_on_after_a_round_of_another_knows_who_was_left_out_of_it(stage: Stage) -> None:
    stage.launch(pilot("skip", rounds=8))
    until_round(stage, 1)
    while stage.run("p/dimat").state != "completed":
        lead(stage, 1, "a", "b")
    (first,) = absences(stage)
    round = first[2] + 1
    with stage.database.write() as session:
        child = restart(session, BOSS, "p/dimat", "k", Restart(from_round=round), lambda _: True).run.id
    for _ in range(20):
        lead(stage, 1, *SITES)
    run = stage.run(child)
    assert (run.state, run.rounds_done) == ("completed", 8)
    assert absences(stage)[1][:3] == (child, "c", first[2])
    taken = {step.round for step in stage.steps(child) if step.site_index == 2 and step.kind == "train"}
    assert not taken & set(range(first[2], round + 1))
    assert 8 in taken  # it is back, and sooner than in the run before


def test_gains_are_told_of_the_sites_that_take_part(stage: Stage) -> None:
    stage.launch(pilot("skip", arms=("local_only", "dimat")))
    until_round(stage, 1)
    while any(stage.run(f"p/{arm}").state != "completed" for arm in ("local_only", "dimat")):
        lead(stage, 1, "a", "b")
    with stage.database.read() as session:
        facts = roi.pilot_facts(session, "p")
    (run,) = facts.runs_of("dimat")
    control = facts.control_of(run)
    assert control is not None
    accuracies, gains = run.after_train("own_site"), calculator.gains(run, control, "own_site")
    assert set(accuracies) == set(gains) == set(range(5))
    assert (
        [value is None for value in accuracies[4]]
        == [gain is None for gain in gains[4]]
        == [False, False, True]
    )
    assert None not in accuracies[1]
    (_, outcome) = summarise(facts).arms
    assert outcome.round == 4
    assert outcome.own_site_mean == pytest.approx(sum(value or 0 for value in accuracies[4]) / 2)
    assert outcome.by_site[2].own_site is None


@pytest.mark.parametrize("is_restored", [False, True], ids=["stopped", "restored"])
def test_time_in_which_nobody_coordinated_is_no_silence(stage: Stage, is_restored: bool) -> None:
    stage.launch(pilot("stop"))
    until_round(stage, 1)
    lead(stage, 20, "a", "b")  # c is silent, and then the server is off, or what follows is another one
    stage.let_pass(24 * 3600)
    if is_restored:
        with stage.database.write() as session:
            session.execute(delete(HeartbeatRow))
    stage.restart()
    left = int(LIMIT_S) - (
        0 if is_restored else 20
    )  # of another place nobody knows for how long it was silent
    lead(stage, left - 5, "a", "b")
    assert stage.run("p/dimat").state == "running"
    stage.restart()  # at once: that is no break
    lead(stage, 25, "a", "b")
    assert (stage.run("p/dimat").reason or {}).get("code") == "stopped_for_silent_site"
