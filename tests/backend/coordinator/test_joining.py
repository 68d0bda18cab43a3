"""Sites that join a run later and are not there, or only in time."""

import pytest
from sqlalchemy import update

from backend.db.tables import EventRow, SiteRow
from backend.runs import asks
from tests.backend.coordinator.stage import SITES, Stage
from tests.backend.coordinator.test_silence import LIMIT_S, absences, lead, pilot


def joiner_never_connected(stage: Stage, policy: str) -> None:
    """A run before the round which site c is to join, of which nothing was ever heard; the rounds before took longer than the limit."""
    stage.launch(pilot(policy, rounds=6, waiting=["c"]))
    with stage.database.write() as session:
        session.execute(update(SiteRow).where(SiteRow.name == "c").values(state="invited", last_seen_at=None))
    while stage.run("p/dimat").rounds_done < 2:
        lead(stage, 1, "a", "b")
    for _ in range(60):
        stage.beat("w", "a", "b")
        stage.turn()
    stage.amend({"members": ["a", "b", "c"]}, round=5)
    while stage.run("p/dimat").rounds_done < 4:
        lead(stage, 1, "a", "b")
    assert stage.run("p/dimat").state == "running"


@pytest.mark.parametrize("policy", ["wait", "stop"])
def test_a_site_that_joins_is_waited_for_from_its_round_on(stage: Stage, policy: str) -> None:
    joiner_never_connected(stage, policy)
    lead(stage, int(LIMIT_S) - 5, "a", "b")
    assert stage.run("p/dimat").state == "running"
    lead(stage, 10, "a", "b")
    run = stage.run("p/dimat")
    assert run.state == "failed"
    assert run.reason
    assert run.reason["params"]["seconds"] == pytest.approx(LIMIT_S, abs=4)


def test_a_site_that_joins_and_comes_in_time_takes_part(stage: Stage) -> None:
    joiner_never_connected(stage, "skip")
    lead(stage, int(LIMIT_S) - 8, "a", "b")
    for _ in range(40):
        lead(stage, 1, *SITES)
    assert stage.run("p/dimat").state == "completed"
    assert not absences(stage)
    trained = [s.round for s in stage.steps("p/dimat") if s.site_name == "c" and s.kind == "train"]
    assert trained == [5, 6]


def test_a_run_that_was_paused_waits_for_a_site_that_joins_from_then_on(stage: Stage) -> None:
    stage.launch(pilot("stop", rounds=6, arms=("dimat", "local_only"), waiting=["c"]))
    with stage.database.write() as session:
        session.execute(update(SiteRow).where(SiteRow.name == "c").values(state="invited", last_seen_at=None))
    stage.amend({"members": ["a", "b", "c"]}, 5)
    while stage.run("p/dimat").rounds_done < 4:
        lead(stage, 1, "a", "b")
    stage.ask("p/dimat", asks.PAUSE)
    lead(stage, 25, "a", "b")
    assert stage.run("p/dimat").state == "paused"
    stage.ask("p/dimat", asks.RESUME)
    lead(stage, 1, "a", "b")
    with stage.database.write() as session:  # events are told by the time of day, which is not the stage's
        resumed = update(EventRow).where(EventRow.run_id == "p/dimat", EventRow.code == "run_resumed")
        session.execute(resumed.values(at=stage.now()))
    lead(stage, 15, "a", "b")
    assert stage.run("p/dimat").state == "running"
    lead(stage, 25, "a", "b")
    assert stage.run("p/dimat").state == "failed"
