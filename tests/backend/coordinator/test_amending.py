"""Amendments of pilots that run: from the first round on that changes no step that is there, the same for all runs, and every message as
`dimat` would have it."""

import random
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import event, select

from backend.coordinator.plans import Made, RunPlan, StepId
from backend.db.tables import AmendmentRow, EventRow, PilotRow, RunRow
from backend.errors import Invalid
from backend.pilots import stages
from backend.pilots.amendments import amendments_of
from backend.pilots.schemas import NextStage
from backend.runs.amending import ask
from backend.runs.asks import CANCEL
from backend.runs.schemas import AmendmentCreate
from dimat import told
from dimat.plan import Amendment, Patch
from dimat.schedule import Schedule, StepKey
from dimat.spec import PilotSpec
from tests.backend.coordinator.stage import BOSS, SITES, Stage, spec
from tests.backend.coordinator.test_silence import lead, until_round
from worker.messages.refs import ArtifactRef, DeltaRef
from worker.messages.steps import StepMessage


def decided(stage: Stage, id: str) -> AmendmentRow:
    with stage.database.read() as session:
        return session.get_one(AmendmentRow, id)


def noted(stage: Stage) -> list[tuple[str, dict[str, Any]]]:
    with stage.database.read() as session:
        rows = session.scalars(select(EventRow).where(EventRow.code.startswith("amendment")))
        return [(row.code, row.params) for row in rows]


def work(stage: Stage, rng: random.Random, log: dict[str, StepMessage], num_turns: int = 1000) -> None:
    """Workers that take some of what there is, in any order, so that sites run ahead of each other."""
    for _ in range(num_turns):
        stage.turn()
        messages = stage.waiting()
        if not messages:
            return
        for message in rng.sample(messages, rng.randint(1, len(messages))):
            log[message.step_id] = message
            stage.finish(message, stage.begin(stage.take(message)))


def assert_every_message_is_as_the_amended_plan_has_it(
    stage: Stage, pilot: PilotSpec, arm: str, log: dict[str, StepMessage]
) -> None:
    """Whatever was sent before or after an amendment came into force is what one would have sent who knew of it from the start."""
    run_id = f"p/{arm}"
    with stage.database.read() as session:
        amendments = amendments_of(session, "p", run_id)
    plan = RunPlan(pilot, arm, 1, amendments)
    steps = [step for step in stage.steps() if step.run_id in (None, run_id)]
    keys = {step.id: StepKey(step.round, step.kind, step.site_index) for step in steps}  # type: ignore[arg-type]
    assert sorted(key for key in keys.values() if key.kind != "prepare") == plan.schedule.all_steps()
    for id, key in keys.items():
        message, schedule = log[id], plan.schedule
        expected = plan.schedule.plan_of(max(key.round, 1))
        assert message.wire == told.wire_of(schedule, key)
        if message.kind == "train":
            assert (message.train, message.tell) == (expected.train, told.tells(schedule, key))
        elif message.kind in ("align", "merge", "merge_all", "gather"):
            assert message.merge == expected.merge
        if message.kind == "merge":
            assert message.method == expected.method
            assert [n.index for n in message.neighbours] == [other.site for other in schedule.inputs(key)[1:]]


def test_changes_in_the_middle_of_a_run_are_those_of_the_plan_whatever_the_sites_do(stage: Stage) -> None:
    """Method, graph, rhythm, numbers, epochs, one after the other, under a coordinator that is started anew now and then."""
    pilot = spec(rounds=30, arms=("local_only", "dimat"))
    stage.launch(pilot)
    rng, log = random.Random(7), dict[str, StepMessage]()
    ids = []
    for patch in (
        {"merge": {"wire": {"numbers": "int8"}}},
        {"method": "regmean"},
        {"topology": {"kind": "ring"}, "merge": {"merge_every": 2}},
        {"train": {"epochs": 2}},
        {"method": "common_basis", "merge": {"over": "tree"}},
    ):
        work(stage, rng, log, num_turns=7)
        ids.append(stage.amend(patch))
        if rng.random() < 0.5:
            stage.restart()
    work(stage, rng, log)
    rows = [decided(stage, id) for id in ids]
    assert [row.reason for row in rows] == [None] * 5
    assert {row.state for row in rows} == {"in_force"}
    rounds = [row.from_round or 0 for row in rows]
    assert min(rounds) >= 2
    for arm in ("local_only", "dimat"):
        assert stage.run(f"p/{arm}").state == "completed"
        assert_every_message_is_as_the_amended_plan_has_it(stage, pilot, arm, log)
    code, params = noted(stage)[0]
    assert (code, params) == ("amendment_in_force", {"round": rounds[0], "who": "aiko"})


def test_a_method_without_alignment_may_begin_while_the_sites_still_prepare(stage: Stage) -> None:
    """What follows the models that are prepared already is another step then, and nobody else would ask for it."""
    pilot = spec(rounds=1, arms=("common_basis",))
    stage.launch(pilot)
    stage.turn()
    first = next(m for m in stage.waiting() if m.context.index == 0)  # not the root: it would wait for it
    stage.finish(first, stage.begin(stage.take(first)))
    stage.turn()
    id = stage.amend({"method": "dimat"})
    stage.turn()
    assert decided(stage, id).from_round == 1
    assert [m.kind for m in stage.waiting() if m.context.index == 0] == ["evaluate"]
    stage.work_until_quiet()
    assert stage.run("p/common_basis").state == "completed"


def until_only_c_trains_round_2(stage: Stage) -> None:
    stage.launch(spec(rounds=8, topology={"kind": "full"}))
    stage.turn()
    while open_ := [m for m in stage.waiting() if (m.kind, m.context.index) != ("train", 2) or m.round < 2]:
        for message in open_:
            stage.finish(message, stage.begin(stage.take(message)))
        stage.turn()
    (held,) = stage.waiting()
    assert (held.round, max(step.round for step in stage.steps("p/dimat"))) == (2, 2)


def test_sites_that_wait_for_others_go_on_when_an_amendment_has_them_merge_later(stage: Stage) -> None:
    """Their last report came long ago: nothing but the amendment makes them ready."""
    until_only_c_trains_round_2(stage)
    id = stage.amend({"merge": {"merge_every": 4}})
    stage.turn()
    assert decided(stage, id).from_round == 3
    waiting = sorted((m.context.index, m.kind, m.round) for m in stage.waiting())
    assert waiting == [(0, "train", 3), (1, "train", 3), (2, "train", 2)]
    stage.work_until_quiet()
    assert stage.run("p/dimat").state == "completed"


def test_of_two_that_are_asked_for_at_once_both_begin_as_was_told(stage: Stage) -> None:
    """The first makes steps of its round ready: the second must not find that round begun."""
    until_only_c_trains_round_2(stage)
    told = []
    for patch in ({"merge": {"merge_every": 4}}, {"train": {"epochs": 3}}):
        body = AmendmentCreate.model_validate({"patch": patch, "why": "To see.", "from_round": 3})
        with stage.database.write() as session:
            told.append(ask(session, BOSS, "p", body))
    stage.turn()
    found = [decided(stage, one.id) for one in told]
    assert [(row.state, row.from_round) for row in found] == [("in_force", 3)] * 2
    assert {m.train.epochs for m in stage.waiting() if m.kind == "train" and m.round == 3} == {3}


def test_what_cannot_be_is_told_also_where_hardly_a_round_is_left(stage: Stage) -> None:
    stage.launch(spec(rounds=3))
    while not any(step.kind == "train" and step.round == 2 for step in stage.steps("p/dimat")):
        stage.turn()
        for message in stage.waiting():
            stage.finish(message, stage.begin(stage.take(message)))
    body = AmendmentCreate.model_validate({"patch": {"members": ["a", "zz"]}, "why": "To see."})
    with stage.database.write() as session, pytest.raises(Invalid) as error:
        ask(session, BOSS, "p", body)
    assert error.value.code == "unknown_member"


def finish_next(stage: Stage, run_id: str) -> None:
    """The first step of the run that waits."""
    message = next(m for m in stage.waiting() if m.run_id in (run_id, None))
    stage.finish(message, stage.begin(stage.take(message)))
    stage.beat("w", *SITES, concurrency=16)  # room for what other runs have to do, and nobody does
    stage.turn()


def ahead(stage: Stage) -> PilotSpec:
    """Arm `dimat` is in its third round, `local_only` in its first, of five."""
    pilot = spec(rounds=5, arms=("dimat", "local_only"))
    stage.launch(pilot)
    stage.beat("w", *SITES, concurrency=16)
    stage.turn()
    while stage.run("p/dimat").rounds_done < 2:
        stage.beat("w", *SITES, concurrency=16)
        finish_next(stage, "p/dimat")
    return pilot


def test_all_arms_change_in_the_round_that_is_free_in_all_of_them(stage: Stage) -> None:
    ahead(stage)
    with stage.database.read() as session:
        last = max(s.round for s in stage.steps("p/dimat"))
        assert session.get_one(RunRow, "p/local_only").rounds_done < 1
    longer, rarer = (
        stage.amend({"train": {"epochs": 2}}),
        stage.amend({"merge": {"wire": {"numbers": "float16"}}}),
    )
    alone = stage.amend({"train": {"lr": 0.5}}, arm="local_only")
    stage.turn()
    assert decided(stage, longer).from_round == last + 1
    assert decided(stage, rarer).from_round in (last + 1, last + 2)
    assert decided(stage, alone).from_round == 2
    stage.work_until_quiet()
    assert {stage.run(f"p/{arm}").state for arm in ("dimat", "local_only")} == {"completed"}


def test_what_comes_too_late_or_changes_nothing_is_refused_with_a_reason(stage: Stage) -> None:
    ahead(stage)
    asked = [
        stage.amend({"train": {"epochs": 2}}, round=1),
        stage.amend({"train": {"epochs": 1}}),
        stage.amend({"merge": {"ridge_head": True}}),
    ]
    stage.turn()
    reasons = [(row.state, (row.reason or {})["code"]) for row in (decided(stage, id) for id in asked)]
    assert reasons == [
        ("refused", "amendment_round_begun"),
        ("refused", "amendment_changes_nothing"),
        ("refused", "ridge_head_needs_basis"),
    ]
    stage.work_until_quiet()
    late = stage.amend({"train": {"epochs": 2}})
    stage.turn()
    assert (decided(stage, late).reason or {})["code"] == "amendment_runs_ended"
    assert [code for code, _ in noted(stage)] == ["amendment_refused"] * 4


def test_a_run_that_has_ended_stays_as_it_was_and_is_named(stage: Stage) -> None:
    pilot = ahead(stage)
    while stage.run("p/dimat").state != "completed":
        finish_next(stage, "p/dimat")
    id = stage.amend({"train": {"epochs": 2}})
    stage.turn()
    row = decided(stage, id)
    assert (row.state, row.left_out) == ("in_force", ["p/dimat"])
    with stage.database.read() as session:
        known = amendments_of(session, "p", "p/dimat"), amendments_of(session, "p", "p/local_only")
    assert [len(one) for one in known] == [0, 1]
    assert Schedule.of(pilot, "dimat", known[0]).plan_of(5).train.epochs == 1


def test_a_site_that_an_amendment_brings_in_takes_part_in_every_arm(stage: Stage) -> None:
    """Where sites train alone it goes on with what it prepared long ago, which makes nothing ready any more by itself."""
    body = spec(rounds=12, arms=("local_only", "dimat")).model_dump(mode="json")
    pilot = PilotSpec.model_validate({**body, "waiting": ["c"]})
    stage.launch(pilot)
    rng = random.Random(5)
    work(stage, rng, {}, num_turns=6)
    joining = stage.amend({"members": ["a", "b", "c"]})
    work(stage, rng, {})
    row = decided(stage, joining)
    assert row.state == "in_force"
    for arm in ("local_only", "dimat"):
        assert stage.run(f"p/{arm}").state == "completed"
        trained = {s.round for s in stage.steps(f"p/{arm}") if s.site_index == 2 and s.kind == "train"}
        assert row.from_round is not None
        assert trained == set(range(row.from_round, 13))


def test_while_somebody_is_about_a_pilot_its_amendments_wait_for_the_next_turn(stage: Stage) -> None:
    """Who restarts a run copies what was decided. SQLite has one writer at a time anyway."""
    stage.launch(spec(rounds=6))
    stage.turn()
    id = stage.amend({"train": {"epochs": 3}})
    with stage.database.read() as session:
        locks_rows = session.get_bind().dialect.name == "postgresql"
        session.get_one(PilotRow, "p", with_for_update=locks_rows)
        stage.turn()
        assert decided(stage, id).state == ("asked" if locks_rows else "in_force")
    stage.turn()
    assert decided(stage, id).state == "in_force"


def test_of_a_pilot_that_is_let_go_meanwhile_the_later_amendment_is_not_decided_first(stage: Stage) -> None:
    """It applies after the other one, and would be judged without it."""
    stage.launch(spec(rounds=6))
    stage.turn()
    ids = [stage.amend({"train": {"epochs": epochs}}) for epochs in (3, 4)]
    with stage.database.read() as session:
        locks_rows = session.get_bind().dialect.name == "postgresql"
        session.get_one(PilotRow, "p", with_for_update=locks_rows)

        def let_go(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if "SKIP LOCKED" in statement:
                session.rollback()

        event.listen(stage.database.engine, "after_cursor_execute", let_go)
        stage.turn()
        event.remove(stage.database.engine, "after_cursor_execute", let_go)
    expected = "asked" if locks_rows else "in_force"
    assert [decided(stage, id).state for id in ids] == [expected] * 2
    stage.turn()
    assert [decided(stage, id).state for id in ids] == ["in_force"] * 2


def test_amendments_do_not_wait_for_who_only_writes_rows_that_refer_to_their_pilot(stage: Stage) -> None:
    stage.launch(spec(rounds=6))
    stage.turn()
    id = stage.amend({"train": {"epochs": 3}})
    with stage.database.read() as session:
        refers = {"key_share": True, "read": True}  # the lock that a foreign key takes
        is_locking = session.get_bind().dialect.name == "postgresql"
        session.get_one(PilotRow, "p", with_for_update=refers if is_locking else None)
        stage.turn()
        assert decided(stage, id).state == "in_force"


def test_a_run_in_its_last_round_does_not_keep_others_from_changing(stage: Stage) -> None:
    """Sites that train alone wait for nobody in their arm: they are nearly through while the others wait for the slowest."""
    stage.launch(spec(rounds=3, arms=("local_only", "dimat"), topology={"kind": "full"}))
    while not any(step.round == 3 for step in stage.steps("p/local_only")):
        stage.beat("w", *SITES, concurrency=16)
        stage.turn()
        for message in stage.waiting():
            is_alone = message.run_id == "p/local_only" and message.kind == "train" and message.round < 3
            if is_alone or message.kind in ("prepare", "evaluate"):
                stage.finish(message, stage.begin(stage.take(message)))
    id = stage.amend({"members": ["a", "b"]})
    stage.turn()
    row = decided(stage, id)
    assert (row.state, row.from_round, row.left_out) == ("in_force", 2, ["p/local_only"])
    late = stage.amend({"train": {"epochs": 3}}, arm="local_only")
    stage.turn()
    assert (decided(stage, late).reason or {})["code"] == "amendment_no_round_left"
    stage.work_until_quiet()
    assert {stage.run(f"p/{arm}").state for arm in ("dimat", "local_only")} == {"completed"}


def test_an_arm_that_trained_alone_and_was_turned_counts_like_any_that_merges(stage: Stage) -> None:
    """It may be further than the others: a change of them all must leave what its sites have merged as it is."""
    arms = [{"name": name, "method": "local_only"} for name in ("control", "turned")]
    given = spec(rounds=12).model_dump(mode="json")
    pilot = PilotSpec.model_validate({**given, "arms": [*arms, {"name": "dimat", "method": "dimat"}]})
    stage.launch(pilot)
    stage.amend({"method": "dimat"}, arm="turned")
    log: dict[str, StepMessage] = {}
    while stage.run("p/turned").rounds_done < 6:
        stage.beat("w", *SITES, concurrency=16)
        stage.turn()
        for message in stage.waiting():
            if message.run_id in (None, "p/turned"):
                log[message.step_id] = message
                stage.finish(message, stage.begin(stage.take(message)))
    of_all = stage.amend({"topology": {"kind": "full"}})
    stage.turn()
    assert (decided(stage, of_all).from_round or 0) > 6
    of_one = stage.amend({"topology": {"kind": "star", "hub": "b"}}, arm="turned")
    stage.turn()
    assert decided(stage, of_one).state == "in_force"
    work(stage, random.Random(3), log)
    assert {stage.run(f"p/{arm}").state for arm in ("turned", "dimat", "control")} == {"completed"}
    assert_every_message_is_as_the_amended_plan_has_it(stage, pilot, "turned", log)


class AllMade(dict[StepKey, Made]):
    """What any step might have left."""

    def __missing__(self, key: StepKey) -> Made:
        def ref(what: str) -> dict[str, Any]:
            return {"sha256": sha256(f"{key} {what}".encode()).hexdigest(), "num_bytes": 8}

        names = ("model", "momentum", "moments", "mean", "shared", "residual", "alone", "alone_momentum")
        beside = {name: ArtifactRef(**ref(name)) for name in names}
        return Made(**beside, delta=DeltaRef(**ref("delta"), against="0" * 64))


@pytest.mark.parametrize(
    "patch",
    [
        {"train": {"epochs": 2}},
        {"train": {"keep_momentum": True, "loss": "balanced_softmax", "own_model": True}},
        {"merge": {"wire": {"numbers": "int8", "compress": True, "deltas": True}}},
        {"merge": {"merge_every": 3}},
        {"method": "regmean", "merge": {"over": "neighbours"}},
        {"method": "slowmo"},
        {"topology": {"kind": "full", "mixing": "uniform"}},
        {"members": ["a", "b"]},
    ],
)
@pytest.mark.parametrize("arm", ["dimat", "common_basis"])
def test_steps_that_are_told_the_same_have_the_same_message(arm: str, patch: dict[str, Any]) -> None:
    """By `told.all_of` it is judged whether an amendment leaves what is there: nothing that a message holds may be missing in it."""
    pilot = spec(rounds=6, arms=(arm,))
    amendment = Amendment(from_round=4, patch=Patch.model_validate(patch), by="m", why="w")
    old, new = RunPlan(pilot, arm, 1), RunPlan(pilot, arm, 1, [amendment])
    both = set(old.schedule.all_steps()) & set(new.schedule.all_steps())
    same = {step for step in both if told.all_of(old.schedule, step) == told.all_of(new.schedule, step)}
    id = StepId("s", 1, "p", f"p/{arm}")
    assert same
    assert same != both
    for step in same:
        assert old.message(step, id, AllMade(), None) == new.message(step, id, AllMade(), None), step


def test_the_next_stage_knows_nothing_of_an_amendment_to_which_no_run_ever_came(stage: Stage) -> None:
    stage.launch(spec(rounds=8))
    until_round(stage, 1)
    id = stage.amend({"members": ["a", "b"]}, round=8)
    soon = stage.amend({"train": {"epochs": 3}})
    stage.turn()
    assert [decided(stage, one).state for one in (id, soon)] == ["in_force", "in_force"]
    until_round(stage, (decided(stage, soon).from_round or 0))
    stage.ask("p/dimat", CANCEL)
    lead(stage, 25, *SITES)
    assert stage.run("p/dimat").state == "cancelled"
    with stage.database.write() as session:
        following = stages.begin_next(session, BOSS, "p", NextStage()).spec
    assert (following.site_names, following.train.epochs) == (SITES, 3)
