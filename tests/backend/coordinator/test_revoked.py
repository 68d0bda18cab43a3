"""What becomes of runs when a site is revoked, or cannot prepare: those that need it end, the others go on."""

from collections.abc import Sequence

import pytest
from sqlalchemy import func, select, update

from backend.db.tables import EventRow, SiteRow
from backend.errors import Invalid
from backend.runs import amending
from backend.runs.asks import CANCEL, PAUSE, RESUME
from backend.runs.schemas import AmendmentCreate
from dimat.spec import PilotSpec
from tests.backend.coordinator.stage import BOSS, SITES, Stage, spec
from tests.backend.coordinator.test_amending import decided
from tests.backend.coordinator.test_restart import restarted
from tests.backend.coordinator.test_silence import lead, pilot, until_round
from worker.messages.keys import recall_key


def move(stage: Stage, state: str, *names: str) -> None:
    with stage.database.write() as session:
        session.execute(update(SiteRow).where(SiteRow.name.in_(names)).values(state=state))


def waiting_for_c(arms: Sequence[str] = ("dimat", "local_only")) -> PilotSpec:
    """`c` may join later; nobody has asked it to."""
    given = spec(rounds=6, arms=arms).model_dump(mode="json")
    return PilotSpec.model_validate({**given, "waiting": ["c"]})


@pytest.mark.parametrize("rounds_of_work", [0, 1])
def test_sites_that_are_revoked_together_end_their_run_with_that_reason(
    stage: Stage, rounds_of_work: int
) -> None:
    """With several steps under way each."""
    stage.launch(spec(rounds=3))
    stage.turn()
    for _ in range(rounds_of_work):
        for message in stage.waiting():
            stage.finish(message, stage.begin(stage.take(message)))
        stage.turn()
    move(stage, "revoked", "a", "b")
    for _ in range(3):
        stage.turn(after_s=5)
    run = stage.run("p/dimat")
    assert run.reason is not None
    assert (run.state, run.reason["code"]) == ("failed", "site_revoked")
    assert {step.state for step in stage.steps()} <= {"completed", "cancelled"}


def test_a_site_that_takes_part_in_no_round_ends_no_run_when_it_is_revoked(stage: Stage) -> None:
    stage.launch(waiting_for_c())
    move(stage, "invited", "c")
    while stage.run("p/dimat").rounds_done < 2:
        lead(stage, 1, "a", "b")
    move(stage, "revoked", "c")
    lead(stage, 30, "a", "b")
    assert {stage.run(f"p/{arm}").state for arm in ("dimat", "local_only")} == {"completed"}


def test_a_site_that_takes_part_in_no_round_ends_no_run_when_it_cannot_prepare(stage: Stage) -> None:
    stage.launch(waiting_for_c())
    stage.turn()
    message = next(one for one in stage.waiting() if one.context.site.name == "c")
    stage.fail(stage.begin(stage.take(message)), "data_missing", False)
    lead(stage, 40, "a", "b")
    assert {stage.run(f"p/{arm}").state for arm in ("dimat", "local_only")} == {"completed"}


@pytest.mark.parametrize("ends", ["revoked", "cannot prepare"])
def test_a_site_that_was_left_out_before_it_had_prepared_ends_no_run_afterwards(
    stage: Stage, ends: str
) -> None:
    stage.launch(pilot("skip", rounds=9))
    stage.turn()
    (message,) = [one for one in stage.waiting() if one.context.site.name == "c"]
    lead(stage, 45, "a", "b")
    assert stage.run("p/dimat").rounds_done > 0
    if ends == "revoked":
        move(stage, "revoked", "c")
    else:
        stage.beat("w", *SITES)
        stage.fail(stage.begin(stage.take(message)), "data_missing", False)
    for _ in range(40):
        stage.beat("w", *SITES)
        lead(stage, 1, "a", "b")
    assert stage.run("p/dimat").state == "completed"


def test_when_all_runs_have_ended_nobody_makes_start_models_any_more(stage: Stage) -> None:
    stage.launch(waiting_for_c())
    stage.turn()
    (message,) = [one for one in stage.waiting() if one.context.site.name == "c"]
    while stage.run("p/dimat").state == "running" or stage.run("p/local_only").state == "running":
        assert not stage.post.flags
        lead(stage, 1, "a", "b")
    assert {step.state for step in stage.steps()} == {"completed", "cancelled"}
    assert stage.post.flags == {recall_key(message.step_id, message.attempt)}


@pytest.mark.parametrize("is_revoked", [True, False])
def test_a_site_that_cannot_take_part_cannot_join(stage: Stage, is_revoked: bool) -> None:
    stage.launch(waiting_for_c())
    stage.turn()
    message = next(one for one in stage.waiting() if one.context.site.name == "c")
    if is_revoked:
        move(stage, "revoked", "c")
    else:
        stage.fail(stage.begin(stage.take(message)), "data_missing", False)
    lead(stage, 5, "a", "b")
    asked = stage.amend({"members": ["a", "b", "c"]})
    lead(stage, 5, "a", "b")
    row = decided(stage, asked)
    assert (row.state, row.reason) == (
        "refused",
        {"code": "member_cannot_take_part", "params": {"name": "c"}},
    )
    lead(stage, 40, "a", "b")
    assert stage.run("p/dimat").state == "completed"


def test_a_restarted_run_has_the_start_models_made_of_which_nobody_had_need_before(stage: Stage) -> None:
    stage.launch(waiting_for_c(("dimat",)))
    move(stage, "invited", "c")
    while stage.run("p/dimat").rounds_done < 2:
        lead(stage, 1, "a", "b")
    stage.ask("p/dimat", CANCEL)
    lead(stage, 30, "a", "b")
    assert stage.run("p/dimat").state == "cancelled"
    child = restarted(stage, "p/dimat", 2).run.id
    move(stage, "online", "c")
    lead(stage, 40, *SITES)
    assert stage.run(child).state == "completed"
    assert {step.state for step in stage.steps() if step.kind == "prepare"} == {"completed"}


def test_a_run_is_restarted_without_a_site_that_was_revoked_where_it_takes_no_part(stage: Stage) -> None:
    stage.launch(pilot("wait", rounds=8))
    until_round(stage, 2)
    stage.amend({"members": ["a", "b"]})
    until_round(stage, 6)
    move(stage, "revoked", "c")
    lead(stage, 30, "a", "b")
    assert stage.run("p/dimat").state == "completed"
    child = restarted(stage, "p/dimat", 5).run.id
    lead(stage, 30, "a", "b")
    assert stage.run(child).state == "completed"
    with pytest.raises(Invalid, match="revoked"):
        restarted(stage, "p/dimat", 1, key="another")


def test_a_site_that_is_left_out_is_told_to_stop_what_it_still_does(stage: Stage) -> None:
    stage.launch(pilot("skip", rounds=9))
    until_round(stage, 1)
    lead(stage, 60, "a", "b")
    skipped = [step for step in stage.steps("p/dimat") if step.state == "skipped"]
    assert skipped
    assert {recall_key(step.id, step.attempt) for step in skipped} <= stage.post.flags
    begun = next(iter(stage.post.queues["c"]))
    stage.post.flags.clear()  # a day later the broker has forgotten
    stage.begin(stage.take(begun))
    stage.turn()
    assert stage.post.flags == {recall_key(begun.step_id, begun.attempt)}


def test_an_amendment_that_takes_in_a_revoked_site_is_refused_before_the_first_turn_too(stage: Stage) -> None:
    """When nothing of the site is there yet but its name in the spec."""
    stage.launch(waiting_for_c())
    move(stage, "revoked", "c")
    asked = AmendmentCreate.model_validate({"patch": {"members": list(SITES)}, "why": "x"})
    with stage.database.write() as session, pytest.raises(Invalid, match="member_cannot_take_part"):
        amending.ask(session, BOSS, "p", asked)
    id = stage.amend({"members": list(SITES)})
    stage.turn()
    assert (decided(stage, id).reason or {})["code"] == "member_cannot_take_part"
    lead(stage, 2, "a", "b")
    assert stage.run("p/dimat").state == "running"


def test_that_a_site_cannot_join_is_told_once(stage: Stage) -> None:
    """However often a run goes on."""
    stage.launch(waiting_for_c(["dimat"]))
    lead(stage, 1, "a", "b")
    move(stage, "revoked", "c")
    lead(stage, 2, "a", "b")
    for _ in range(2):
        stage.ask("p/dimat", PAUSE)
        lead(stage, 3, "a", "b")
        stage.ask("p/dimat", RESUME)
        lead(stage, 2, "a", "b")
    with stage.database.read() as session:
        told = select(func.count()).where(EventRow.code == "site_cannot_join")
        assert session.scalar(told) == 1
