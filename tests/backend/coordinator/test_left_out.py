"""Sites that are left out, or come back, at moments in which little tells that a run waits for them."""

from typing import Any

from sqlalchemy import select

from backend.db.tables import EventRow, SiteRow
from backend.explain.service import explain
from backend.roi import service as roi
from backend.runs.restart import restart
from backend.runs.schemas import Restart
from backend.settings import Settings
from backend.summary.outcome import summarise
from backend.summary.schemas import PilotSummary
from tests.backend.coordinator.stage import BOSS, SITES, Stage
from tests.backend.coordinator.test_amending import decided
from tests.backend.coordinator.test_restart import restarted
from tests.backend.coordinator.test_revoked import move
from tests.backend.coordinator.test_silence import LIMIT_S, absences, lead, pilot, until_round
from tests.backend.coordinator.test_timers import HOURLY, to_hour

A_WHILE = int(LIMIT_S) + 25


def trained_by_c(stage: Stage, run_id: str = "p/dimat") -> set[int]:
    return {
        step.round
        for step in stage.steps(run_id)
        if (step.site_name, step.kind, step.state) == ("c", "train", "completed")
    }


def told(stage: Stage) -> list[tuple[str, dict[str, Any]]]:
    with stage.database.read() as session:
        codes = EventRow.code.in_(("site_left_out", "start_not_judged"))
        rows = session.scalars(select(EventRow).where(codes).order_by(EventRow.id))
        return [(row.code, row.params) for row in rows]


def summary_of(stage: Stage) -> PilotSummary:
    with stage.database.read() as session:
        return summarise(roi.pilot_facts(session, "p"))


def all_but_the_start_of_c(stage: Stage, turns: int) -> None:
    """It never says how its start is judged."""
    for _ in range(turns):
        stage.beat("w", *SITES)
        stage.turn()
        for message in stage.waiting():
            about = stage.begin(stage.take(message))
            if (message.kind, message.context.index) != ("evaluate", 2):
                stage.finish(message, about)


def test_a_site_that_owes_only_how_its_start_is_judged_holds_up_no_run(stage: Stage) -> None:
    """No model waits for it, but no round is done before."""
    stage.launch(pilot("skip", rounds=2))
    all_but_the_start_of_c(stage, 30)
    assert stage.run("p/dimat").rounds_done == -1
    lead(stage, A_WHILE, "a", "b")
    assert stage.run("p/dimat").state == "completed"
    assert [(site, undone) for _, site, _, _, undone in absences(stage)] == [("c", [[0, "evaluate"]])]
    assert [code for code, _ in told(stage)] == ["start_not_judged"]
    assert [arm.left_out for arm in summary_of(stage).arms] == [[]]  # no mean of a round is without it


def test_a_site_that_is_left_out_of_the_rest_of_a_round_is_said_to_be_left_out_of_that_round(
    stage: Stage,
) -> None:
    """Also of the last one: nobody is left out of rounds that are none."""
    stage.launch(pilot("skip", rounds=3))
    while not any(step.round == 3 and step.kind == "merge" for step in stage.steps("p/dimat")):
        lead(stage, 1, *SITES)
    lead(stage, A_WHILE, "a", "b")
    assert [(begun, undone) for _, _, begun, _, undone in absences(stage)] == [(4, [[3, "train"]])]
    assert [(code, about["round"]) for code, about in told(stage)] == [("site_left_out", 3)]
    assert [[one.from_round for one in arm.left_out] for arm in summary_of(stage).arms] == [[3]]


def test_a_site_that_was_left_out_twice_comes_back_into_a_run_that_is_restarted_between(stage: Stage) -> None:
    """Of two absences that are open one would keep it out for ever."""
    stage.launch(pilot("skip", rounds=40))
    until_round(stage, 1)
    lead(stage, A_WHILE, "a", "b")
    stage.beat("w", *SITES)
    stage.turn()
    stage.turn()  # its return is settled, and it falls silent again before it has begun
    lead(stage, A_WHILE, "a", "b")
    _, (_, _, again, until, _) = absences(stage)
    assert until is None
    while stage.run("p/dimat").state == "running":
        lead(stage, 1, *SITES)
    with stage.database.write() as session:
        child = restart(session, BOSS, "p/dimat", "k", Restart(from_round=again - 1), lambda _: True).run.id
    while stage.run(child).state in ("queued", "running"):
        lead(stage, 1, *SITES)
    assert stage.run(child).state == "completed"
    assert max(trained_by_c(stage, child)) == 40


def test_an_amendment_does_not_begin_in_a_round_of_which_a_silent_site_owes_steps(stage: Stage) -> None:
    """Although nobody has begun it: what the site owes there is settled."""
    stage.leap()
    stage.launch(pilot("skip", rounds=6, timetable=HOURLY, merge={"merge_every": 2}))
    stage.turn()
    for _ in range(3):
        stage.beat("w", *SITES)
        stage.turn()
        for message in stage.waiting():
            if message.kind == "prepare" or message.context.index != 2:
                stage.finish(message, stage.begin(stage.take(message)))
    lead(stage, A_WHILE, "a", "b")
    assert [undone for *_, undone in absences(stage)] == [[[0, "evaluate"], [1, "train"]]]
    id = stage.amend({"merge": {"merge_every": 1}})
    lead(stage, 2, "a", "b")
    assert decided(stage, id).from_round == 2
    to_hour(stage, 1, "a", "b")
    lead(stage, A_WHILE, "a", "b")
    for number in range(2, 7):
        to_hour(stage, number, *SITES)
        lead(stage, 20, *SITES)
    assert len(absences(stage)) == 1
    assert max(trained_by_c(stage)) == 6


def test_a_round_that_would_be_short_ends_its_run_only_when_it_is_due(stage: Stage) -> None:
    """Until then the site may be back."""
    stage.leap()
    stage.launch(pilot("skip", rounds=5, timetable=HOURLY))
    stage.amend({"members": ["b", "c"]}, round=4)
    lead(stage, 5, *SITES)
    to_hour(stage, 1, *SITES)
    lead(stage, 5, *SITES)
    for number in (2, 3):
        to_hour(stage, number, "a", "b")
        lead(stage, A_WHILE, "a", "b")
    run = stage.run("p/dimat")
    assert (run.state, run.rounds_done) == ("running", 3)
    assert len(absences(stage)) == 1
    to_hour(stage, 4, "a", "b")
    stage.turn()
    run = stage.run("p/dimat")
    assert (run.state, (run.reason or {})["code"]) == ("failed", "too_few_sites_in_round")


def test_an_amendment_of_a_restarted_run_reckons_with_the_sites_left_out_before_it_has_begun(
    stage: Stage,
) -> None:
    stage.launch(pilot("skip", rounds=40))
    until_round(stage, 1)
    lead(stage, A_WHILE, "a", "b")
    while stage.run("p/dimat").state == "running":
        lead(stage, 1, "a", "b")
    with stage.database.write() as session:
        restart(session, BOSS, "p/dimat", "k", Restart(from_round=20), lambda _: True)
    id = stage.amend({"members": ["b", "c"]})
    stage.turn()
    assert (decided(stage, id).reason or {})["code"] == "amendment_leaves_too_few"


def test_a_restarted_run_keeps_its_absences_whatever_is_asked_of_it_before_it_begins(stage: Stage) -> None:
    """A site that has never been there is revoked in the turn in which the run begins: does it need that site?"""
    here = {"data": {"kind": "sample", "dataset": "pendigits"}}
    sites = [{"name": name, **here} for name in (*SITES, "d")]
    with stage.database.write() as session:
        session.add(SiteRow(name="d", **here))
    stage.launch(pilot("skip", rounds=12, arms=("dimat", "local_only"), sites=sites, waiting=["d"]))

    def lead_dimat(seconds: int, *online: str) -> None:
        """The other run waits, and lives."""
        for _ in range(seconds):
            stage.beat("w", *online, concurrency=16)
            stage.turn()
            for message in stage.waiting():
                if message.run_id != "p/local_only" and message.context.site.name in online:
                    stage.finish(message, stage.begin(stage.take(message)))

    while stage.run("p/dimat").rounds_done < 1:
        lead_dimat(1, *SITES)
    while stage.run("p/dimat").state == "running":
        lead_dimat(1, "a", "b")
    child = restarted(stage, "p/dimat", 8).run.id
    move(stage, "revoked", "d")
    lead_dimat(A_WHILE, "a", "b")
    assert stage.run(child).state == "completed"
    assert not [step for step in stage.steps(child) if step.round > 8 and step.site_name == "c"]


def test_a_run_that_is_restarted_knows_of_a_site_that_never_judged_its_start(stage: Stage) -> None:
    """Although that site was there for the round after which it goes on, and is there again."""
    stage.launch(pilot("skip"))
    all_but_the_start_of_c(stage, 25)
    lead(stage, A_WHILE, "a", "b")
    child = restarted(stage, "p/dimat", 2).run.id
    stage.beat("w", *SITES)
    stage.turn()
    assert [(site, until, undone) for id, site, _, until, undone in absences(stage) if id == child] == [
        ("c", None, [[0, "evaluate"]])
    ]
    doing = set()
    while stage.run(child).state == "running":
        lead(stage, 1, *SITES)
        with stage.database.read() as session:
            told_of = explain(session, child, Settings(), "en", stage.now())
            doing.add(next(one.doing for one in told_of.sites if one.site == "c"))
    assert "left" not in doing
    assert trained_by_c(stage, child) == {1, 2, 3, 4}
    with stage.database.read() as session:
        (run,) = roi.pilot_facts(session, "p").runs
        (start,) = (point for point in run.points if point.round == 0)
    assert start.complete("own_site") == (0.9, 0.9, None)
