"""Runs that go on after a round of an earlier one: nothing up to it is done again, and the bits are the same."""

import pytest
from sqlalchemy import func, select

from backend.db.tables import AmendmentRow, ExchangeRow, MetricRow, RunRow, StepRow
from backend.errors import Conflict, Invalid
from backend.roi import service as roi
from backend.runs import results
from backend.runs.asks import CANCEL, PAUSE, RESUME
from backend.runs.restart import Restarted, restart
from backend.runs.schemas import Restart
from dimat.spec import PilotSpec
from tests.backend.coordinator.stage import BOSS, MODEL_BYTES, SITES, Stage, spec
from tests.backend.coordinator.test_joining import joiner_never_connected
from tests.backend.coordinator.test_silence import lead, pilot

RUN = "p/dimat"


def restarted(stage: Stage, run_id: str, round: int, key: str = "k", gone: str = "") -> Restarted:
    """From a store that has all but the artifact `gone`."""
    with stage.database.write() as session:
        return restart(session, BOSS, run_id, key, Restart(from_round=round), lambda ref: ref.sha256 != gone)


def artifacts(stage: Stage, run_id: str) -> dict[tuple[int, str, int], str | None]:
    return {(s.round, s.kind, s.site_index): s.artifact_sha256 for s in stage.steps(run_id)}


def count(stage: Stage, table: type[MetricRow | ExchangeRow], run_id: str) -> int:
    with stage.database.read() as session:
        return session.scalar(select(func.count()).where(table.run_id == run_id)) or 0


def rich() -> PilotSpec:
    """With everything that a step may leave for a later one: momentum, second moments, what a merge remembers, what was sent last."""
    made = spec(rounds=4, arms=("dimat", "regmean", "slowmo", "plain_average"))
    body = made.model_dump(mode="json")
    body["train"]["keep_momentum"] = True
    body["arms"][2]["merge"] = {"merge_every": 2}
    body["arms"][3]["merge"] = {"wire": {"compress": True, "deltas": True}}
    return PilotSpec.model_validate(body)


def test_a_run_that_would_have_nothing_to_do_is_not_made_but_one_that_was_restarted_may_count_again(
    stage: Stage,
) -> None:
    stage.launch(spec())
    stage.work_until_quiet()
    with pytest.raises(Invalid, match="restart_does_nothing"):
        restarted(stage, RUN, 2)
    child = restarted(stage, RUN, 1).run.id
    stage.work_until_quiet()
    again = restarted(stage, RUN, 2, key="again").run.id
    stage.work_until_quiet()
    assert (stage.run(again).state, stage.run(child).replaced_by) == ("completed", again)


@pytest.mark.parametrize("round", range(4))
def test_a_restarted_run_ends_in_the_bits_of_its_parent_and_does_nothing_twice(
    stage: Stage, round: int
) -> None:
    pilot = rich()
    stage.launch(pilot)
    stage.work_until_quiet()
    for arm in ("dimat", "regmean", "slowmo", "plain_average"):
        parent_id = f"p/{arm}"
        child_id = restarted(stage, parent_id, round).run.id
        before = len(stage.steps())
        done: list[int] = []
        for _ in range(60):
            stage.turn()
            for message in stage.waiting():
                done.append(getattr(message, "round", 0))
                stage.finish(message, stage.begin(stage.take(message)))
        parent, child = stage.run(parent_id), stage.run(child_id)
        assert (child.state, child.rounds_done, child.reason) == ("completed", 4, parent.reason)
        assert artifacts(stage, child_id) == artifacts(stage, parent_id)
        assert min(done, default=99) > round
        assert len(stage.steps()) - before == len(stage.steps(parent_id))
        for table in (MetricRow, ExchangeRow):
            assert count(stage, table, child_id) == count(stage, table, parent_id)
        for name in ("bytes_exchanged", "bytes_wasted", "busy_s", "cpu_s", "gpu_s"):
            assert getattr(child, name) == getattr(parent, name), name
        assert (parent.replaced_by, child.parent_run_id, child.from_round) == (child_id, parent_id, round)
        events = stage.events(child_id)
        assert (events["run_restarted"], events["round_finished"]) == (1, 4 - round)


def test_the_restarted_run_counts_once_and_what_its_parent_did_after_the_round_was_in_vain(
    stage: Stage,
) -> None:
    stage.launch(spec(rounds=3, arms=("local_only", "dimat")))
    stage.work_until_quiet()
    child = restarted(stage, RUN, 1).run.id
    stage.work_until_quiet()
    with stage.database.read() as session:
        assert [run.arm for run in results.of_pilot(session, "p").runs] == ["local_only", "dimat"]
        facts = roi.pilot_facts(session, "p")
        (ours,) = facts.runs_of("dimat")
        assert ours.id == child
        spent = dict.fromkeys(range(4), 0.0)
        vain = dict(spent)
        for (round, _), usage in ours.usage.items():
            spent[round] += usage.num_bytes / MODEL_BYTES
            vain[round] += usage.wasted_bytes / MODEL_BYTES
        assert (spent, vain) == ({0: 0, 1: 4, 2: 8, 3: 8}, {0: 0, 1: 0, 2: 4, 3: 4})
        assert {run.id for run in roi.pilot_facts(session, "p", with_run=RUN).runs} == {RUN, "p/local_only"}


def test_a_paused_run_that_is_restarted_ends_as_replaced(stage: Stage) -> None:
    stage.launch(spec())
    for _ in range(30):
        if stage.run(RUN).rounds_done >= 1:
            break
        stage.turn()
        for message in stage.waiting():
            stage.finish(message, stage.begin(stage.take(message)))
    stage.ask(RUN, PAUSE)
    stage.pass_time(2)
    assert stage.run(RUN).state == "paused"
    child = restarted(stage, RUN, 1).run.id
    stage.work_until_quiet()
    parent = stage.run(RUN)
    assert (parent.state, parent.reason and parent.reason["code"]) == ("cancelled", "replaced")
    assert stage.run(child).state == "completed"
    stage.launch(spec("q"))
    stage.work_until_quiet()
    assert artifacts(stage, child) == artifacts(stage, "q/dimat")


def test_a_failed_run_goes_on_from_its_last_round(stage: Stage) -> None:
    stage.launch(spec())
    failed = False
    while stage.run(RUN).state != "failed":
        stage.turn()
        for message in stage.waiting():
            about = stage.begin(stage.take(message))
            if message.kind == "merge" and message.round == 2 and not failed:
                failed = True
                stage.fail(about, "non_finite_params", retryable=False)
            else:
                stage.finish(message, about)
    child = restarted(stage, RUN, stage.run(RUN).rounds_done).run.id
    stage.work_until_quiet()
    assert stage.run(child).state == "completed"


def test_a_restarted_run_is_paused_cancelled_and_restarted_like_any_other(stage: Stage) -> None:
    stage.launch(spec())
    stage.work_until_quiet()
    first = restarted(stage, RUN, 0).run.id
    stage.ask(first, PAUSE)  # before it has begun
    stage.pass_time(2)
    stage.ask(first, RESUME)
    stage.turn()
    stage.ask(first, CANCEL)
    stage.pass_time(25)
    assert stage.run(first).state == "cancelled"
    again = restarted(stage, RUN, 1, key="another").run.id
    stage.work_until_quiet()
    assert stage.run(again).state == "completed"
    assert (stage.run(first).replaced_by, stage.run(RUN).replaced_by) == (again, first)
    assert artifacts(stage, again) == artifacts(stage, RUN)


def test_the_same_key_restarts_once(stage: Stage) -> None:
    stage.launch(spec())
    stage.work_until_quiet()
    first, second = restarted(stage, RUN, 1), restarted(stage, RUN, 1)
    assert (first.run.id, first.now, second.now) == (second.run.id, True, False)
    with pytest.raises(Conflict) as refused:
        restarted(stage, RUN, 1, key="another")
    assert (refused.value.code, refused.value.params["state"]) == ("restart_while_at_work", "queued")


def test_what_cannot_be_gone_on_from_is_refused_in_words_and_changes_nothing(stage: Stage) -> None:
    stage.launch(spec())
    stage.turn()
    with pytest.raises(Conflict, match="restart_while_at_work"):
        restarted(stage, RUN, 0)
    stage.work_until_quiet()
    with pytest.raises(Invalid, match="restart_round"):
        restarted(stage, RUN, 3)
    model = next(s for s in stage.steps(RUN) if (s.round, s.kind) == (1, "train")).artifact_sha256
    assert model is not None
    with pytest.raises(Conflict) as refused:
        restarted(stage, RUN, 1, gone=model)
    assert (refused.value.code, refused.value.params["missing"]) == ("restart_models_missing", 1)
    restarted(stage, RUN, 0, gone=model)  # nothing after round 0 reads it
    with stage.database.read() as session:
        assert session.scalar(select(func.count()).select_from(RunRow)) == 2


def test_a_round_that_lacks_what_an_amended_round_reads_is_refused(stage: Stage) -> None:
    """Models without second moments, where the next merge goes by them."""
    stage.launch(spec(arms=("regmean",)))
    stage.work_until_quiet()
    with stage.database.write() as session:
        for row in session.scalars(select(StepRow).where(StepRow.round == 1, StepRow.kind == "train")):
            row.extras = None
    with pytest.raises(Conflict, match="restart_not_foreseen"):
        restarted(stage, "p/regmean", 1)
    restarted(stage, "p/regmean", 0)


def test_a_run_that_ended_as_a_site_that_joins_was_silent_is_restarted_and_lets_it_prepare(
    stage: Stage,
) -> None:
    joiner_never_connected(stage, "stop")
    while stage.run(RUN).state == "running":
        lead(stage, 1, "a", "b")
    assert (stage.run(RUN).reason or {})["code"] == "stopped_for_silent_site"
    lead(stage, 15, *SITES)
    child = restarted(stage, RUN, 4).run.id
    while stage.run(child).state in ("queued", "running"):
        lead(stage, 1, *SITES)
    assert stage.run(child).state == "completed"
    assert {(s.round, s.kind) for s in stage.steps(child) if s.site_name == "c"} >= {
        (5, "merge"),
        (6, "train"),
    }


def test_a_round_after_which_a_site_takes_part_that_could_not_prepare_is_refused_by_its_name(
    stage: Stage,
) -> None:
    stage.launch(pilot("stop", rounds=6, waiting=["c"]))
    while stage.run(RUN).rounds_done < 2:
        lead(stage, 1, "a", "b")
    stage.amend({"members": ["a", "b", "c"]}, round=5)
    while stage.run(RUN).state == "running":
        lead(stage, 1, "a", "b")
        stage.beat("w", *SITES)
        for message in stage.waiting():
            if message.context.site.name == "c":
                stage.fail(stage.begin(stage.take(message)), "data_unreadable", retryable=False)
    assert stage.run(RUN).state == "failed"
    with pytest.raises(Conflict) as refused:
        restarted(stage, RUN, stage.run(RUN).rounds_done)
    assert (refused.value.code, refused.value.params["site"]) == ("restart_site_unprepared", "c")


def test_that_a_site_could_not_prepare_for_another_seed_keeps_no_run_from_being_restarted(
    stage: Stage,
) -> None:
    joiner_never_connected(stage, "wait")
    lead(stage, 60, "a", "b")
    with stage.database.write() as session:
        session.add(
            StepRow(
                pilot_id="p", run_id=None, run_key="", seed=2, round=0, kind="prepare", site_index=2, site_name="c",
                state="failed",
            )
        )  # fmt: skip
    assert restarted(stage, RUN, stage.run(RUN).rounds_done).run.id != RUN


def test_a_restarted_run_goes_on_under_the_amendments_of_the_one_it_stands_for(stage: Stage) -> None:
    """One that came when the run had ended is none of its rounds'; one that comes before its steps are brought over begins after them."""
    stage.launch(spec(rounds=6, arms=("dimat", "common_basis")))
    while stage.run(RUN).state != "completed":
        stage.turn()
        for message in stage.waiting():
            if message.run_id != "p/common_basis":
                stage.finish(message, stage.begin(stage.take(message)))
    late = stage.amend({"merge": {"guard": 0.5}})
    stage.turn()
    child = restarted(stage, RUN, 3).run.id
    early = stage.amend({"merge": {"guard": 0.7}})
    stage.work_until_quiet()
    with stage.database.read() as session:
        known = {row.id: row for row in session.scalars(select(AmendmentRow))}
        assert known[late].left_out == [RUN, child]
        assert (known[early].state, known[early].from_round, known[early].left_out) == ("in_force", 4, [RUN])
    assert (stage.run(child).state, stage.run(child).rounds_done) == ("completed", 6)
