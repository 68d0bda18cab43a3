"""Time in which nobody coordinated: it is nobody's silence, and makes no silence begin anew."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from backend.coordinator import listening
from backend.db.tables import BreakRow, HeartbeatRow, SiteRow
from backend.runs import asks
from dimat.spec import PilotSpec
from tests.backend.coordinator.stage import SITES, Stage, spec
from tests.backend.coordinator.test_silence import LIMIT_S, lead, pilot, until_round
from tests.backend.explain.test_explain import explained, of

AWAY_S = 15.0
"""Longer than a site has the time to say something."""


def test_a_server_that_is_away_again_and_again_reaches_the_limit_of_a_silent_site(stage: Stage) -> None:
    stage.launch(pilot("stop"))
    until_round(stage, 1)
    silent_since, away_s = stage.now(), 0.0
    while stage.run("p/dimat").state == "running":
        assert (stage.now() - silent_since).total_seconds() - away_s < 2 * LIMIT_S
        lead(stage, 13, "a", "b")
        if stage.run("p/dimat").state == "running":
            stage.let_pass(AWAY_S)
            stage.restart()
            away_s += AWAY_S
            lead(stage, 1, "a", "b")
            promised = of(explained(stage), "c").waits_for[0].then
    run = stage.run("p/dimat")
    assert run.reason is not None
    assert (run.reason["code"], away_s > AWAY_S) == ("stopped_for_silent_site", True)
    assert run.reason["params"]["seconds"] == pytest.approx(LIMIT_S, abs=AWAY_S)
    assert promised is not None
    assert run.finished_at == pytest.approx(promised.at, abs=timedelta(seconds=3))


@pytest.mark.parametrize("away_s", [0.0, AWAY_S])
def test_a_coordinator_that_begins_anew_again_and_again_ends_leases(stage: Stage, away_s: float) -> None:
    stage.launch(spec(rounds=4))  # it waits without a limit
    until_round(stage, 1)
    while not (messages := [one for one in stage.post.queues.get("c", ()) if one.round >= 2]):
        lead(stage, 1, "a", "b")
        stage.beat("w", *SITES)
        stage.turn()
    message = stage.take(messages[0])
    stage.begin(message)
    stage.turn()
    for _ in range(4):
        lead(stage, 25, "a", "b")
        stage.let_pass(away_s)
        stage.restart()
    assert stage.step(message).attempt > 1


def test_trouble_for_moments_again_and_again_puts_off_nothing(stage: Stage) -> None:
    """After each the coordinator begins anew."""
    stage.launch(pilot("stop"))
    until_round(stage, 1)
    silent_since, shown_after_s = stage.now(), 0.0
    while stage.run("p/dimat").state == "running":
        for _ in range(9):
            lead(stage, 1, "a", "b")
            if not shown_after_s and _state_of(stage, "c") == "silent":
                shown_after_s = (stage.now() - silent_since).total_seconds()
        stage.begin_anew()
        assert (stage.now() - silent_since).total_seconds() < 2 * LIMIT_S
    assert 0 < shown_after_s <= 15


def test_a_break_shorter_than_a_site_has_to_say_something_is_no_silence_of_it_either(stage: Stage) -> None:
    stage.launch(pilot("stop"))
    until_round(stage, 1)
    stage.beat("w", *SITES)
    lead(stage, 3, "a", "b")
    stage.let_pass(10)
    stage.restart()
    lead(stage, 3, "a", "b")
    assert _state_of(stage, "c") == "online"
    lead(stage, 11, "a", "b")
    assert _state_of(stage, "c") == "silent"


def _state_of(stage: Stage, name: str) -> str:
    with stage.database.read() as session:
        return session.scalars(select(SiteRow.state).where(SiteRow.name == name)).one()


def test_steps_that_a_clock_made_which_was_ahead_are_waited_for_as_long_as_others(stage: Stage) -> None:
    """c is sent a few steps at a time; those of the other arms are ready, and were made two hours from now."""
    stage.set_clock(7200)
    arms = [f"arm-{number}" for number in range(6)]
    given = pilot("stop", rounds=40).model_dump(mode="json")
    given["arms"] = [{"name": arm, "method": "local_only"} for arm in arms]
    stage.launch(PilotSpec.model_validate(given))
    while min(stage.run(f"p/{arm}").rounds_done for arm in arms) < 1:
        lead(stage, 1, *SITES)
    lead(stage, 15, "a", "b")
    stage.set_clock(-7200)
    lead(stage, int(LIMIT_S) + 5, "a", "b")
    assert {stage.run(f"p/{arm}").state for arm in arms} == {"failed"}


def test_a_run_that_went_on_by_a_clock_that_was_ahead_waits_as_long_as_others(stage: Stage) -> None:
    stage.set_clock(7200)
    stage.launch(pilot("stop"))
    until_round(stage, 1)
    for asked in (asks.PAUSE, asks.RESUME):
        stage.ask("p/dimat", asked)
        lead(stage, 2, "a", "b")
    stage.set_clock(-7200)
    lead(stage, int(LIMIT_S) + 5, "a", "b")
    assert stage.run("p/dimat").state == "failed"


def test_a_worker_heard_by_a_clock_that_was_ahead_is_not_taken_for_alive_until_then(stage: Stage) -> None:
    stage.set_clock(7200)
    stage.beat("w", *SITES)
    stage.turn()
    stage.set_clock(-7200)
    stage.restart()
    stage.turn()
    with stage.database.read() as session:
        assert session.get_one(HeartbeatRow, "worker:w").at <= stage.now()


def test_of_breaks_only_so_many_are_kept_and_none_that_lies_ahead(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "MOST", 3)
    for _ in range(5):
        stage.pass_time(2)
        stage.let_pass(AWAY_S)
        stage.restart()
    stage.pass_time(2)
    with stage.database.read() as session:
        assert session.scalar(select(func.count()).select_from(BreakRow)) == 3
    stage.set_clock(-40)
    stage.pass_time(2)
    with stage.database.read() as session:
        assert session.scalar(select(func.max(BreakRow.ended_at))) <= stage.now()
