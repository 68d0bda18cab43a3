"""Who may do which step now."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dimat import told
from dimat.parts import MergePatch, TrainPatch, WireSpec
from dimat.plan import Amendment, Patch
from dimat.schedule import Schedule, StepKey
from dimat.spec import PilotSpec
from dimat.topology_spec import TopologySpec

MakeSpec = Callable[..., PilotSpec]
METHODS = ["local_only", "plain_average", "dimat", "common_basis", "regmean"]
GRAPHS = st.sampled_from(["ring", "full", "star", "line", "one_peer"])
ROUNDS = 6


def amended(from_round: int, **patch: Any) -> Amendment:
    return Amendment(from_round=from_round, patch=Patch(**patch), by="manager", why="to see its effect")


AMENDMENTS = st.lists(
    st.builds(
        amended,
        from_round=st.integers(1, ROUNDS),
        method=st.sampled_from([None, *METHODS[1:], "slowmo"]),
        topology=st.none() | GRAPHS.map(lambda kind: TopologySpec(kind=kind)),
        merge=st.builds(
            MergePatch,
            merge_every=st.none() | st.integers(1, 3),
            over=st.sampled_from([None, "neighbours", "tree"]),
            align=st.sampled_from([None, None, True, False]),
        ),
    ),
    max_size=3,
)


def prepared(schedule: Schedule) -> set[StepKey]:
    return {StepKey(0, "prepare", site) for site in range(schedule.num_sites)}


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=25, deadline=None)
@given(rng=st.randoms(use_true_random=False), kind=GRAPHS)
def test_any_order_of_completion_ends_complete(
    method: str, rng: random.Random, kind: str, make_spec: MakeSpec
) -> None:
    walk(Schedule.of(make_spec(5, rounds=3, topology={"kind": kind}), method), rng)


@settings(max_examples=60, deadline=None)
@given(
    method=st.sampled_from(METHODS[1:]),
    amendments=AMENDMENTS,
    rng=st.randoms(use_true_random=False),
    kind=GRAPHS,
)
def test_any_order_of_completion_ends_complete_whatever_was_amended(
    method: str, amendments: list[Amendment], rng: random.Random, kind: str, make_spec: MakeSpec
) -> None:
    schedule = Schedule.of(make_spec(5, rounds=ROUNDS, topology={"kind": kind}), method, amendments)
    walk(schedule, rng)
    every = schedule.all_steps()
    readers: dict[StepKey, list[StepKey]] = {step: [] for step in (*prepared(schedule), *every)}
    for step in every:
        for needed in schedule.inputs(step):
            readers[needed].append(step)
    assert {step: sorted(schedule.followers(step)) for step in readers} == readers


def walk(schedule: Schedule, rng: random.Random) -> None:
    """Finishes steps in some order that the schedule allows: each once, and all of them."""
    done, known = prepared(schedule), set[StepKey]()
    open_steps = schedule.ready_steps(done)
    order = []
    while open_steps:
        known.update(open_steps)
        step = open_steps.pop(rng.randrange(len(open_steps)))
        assert all(needed in done for needed in schedule.inputs(step))
        done.add(step)
        order.append(step)
        fresh = schedule.ready_after(step, done, known)
        assert sorted(fresh) == schedule.ready_steps(done, known)
        open_steps += fresh
    assert sorted(order) == schedule.all_steps()


def test_a_start_state_waits_for_nobody(make_spec: MakeSpec) -> None:
    assert Schedule.of(make_spec(), "dimat").inputs(StepKey(0, "prepare", 0)) == []


def test_merge_waits_for_every_neighbour(make_spec: MakeSpec) -> None:
    schedule = Schedule.of(make_spec(5), "dimat")
    merge = StepKey(2, "merge", 0)
    first = {StepKey(1, kind, site) for site in range(5) for kind in ("merge", "train")}
    done = prepared(schedule) | first
    for missing in (0, 1, 4):
        assert merge not in schedule.ready_steps(done - {StepKey(1, "train", missing)})
    assert merge in schedule.ready_steps(done)


def test_merge_does_not_wait_for_sites_that_are_no_neighbours(make_spec: MakeSpec) -> None:
    schedule = Schedule.of(make_spec(5), "dimat")
    done = prepared(schedule)
    done |= {StepKey(1, kind, site) for site in (0, 1, 4) for kind in ("merge", "train")}
    assert StepKey(2, "merge", 0) in schedule.ready_steps(done)


def test_control_arm_never_waits_for_others(make_spec: MakeSpec) -> None:
    schedule = Schedule.of(make_spec(), "local_only")
    assert {step.kind for step in schedule.all_steps()} == {"evaluate", "train"}
    assert schedule.ready_steps({StepKey(0, "prepare", 2)}) == [
        StepKey(0, "evaluate", 2),
        StepKey(1, "train", 2),
    ]


def test_rounds_without_a_merge_only_train(make_spec: MakeSpec) -> None:
    schedule = Schedule.of(make_spec(rounds=5, merge={"merge_every": 2}), "dimat")
    assert {step.round for step in schedule.all_steps() if step.kind == "merge"} == {2, 4}
    assert schedule.inputs(StepKey(1, "train", 0)) == [StepKey(0, "prepare", 0)]
    assert schedule.inputs(StepKey(3, "train", 0)) == [StepKey(2, "train", 0)]


def test_a_site_aligns_after_its_parent(make_spec: MakeSpec) -> None:
    schedule = Schedule.of(make_spec(topology={"kind": "line"}), "common_basis")
    assert [schedule.parent(site) for site in range(4)] == [1, None, 1, 2]
    assert schedule.ready_steps(prepared(schedule)) == [StepKey(0, "align", 1)]
    assert schedule.inputs(StepKey(0, "align", 3)) == [StepKey(0, "prepare", 3), StepKey(0, "align", 2)]
    assert schedule.inputs(StepKey(1, "merge", 0)) == [StepKey(0, "align", 0), StepKey(0, "align", 1)]


def is_common(schedule: Schedule, round: int) -> bool:
    return schedule.plan_of(round).in_common_basis


def before_training(schedule: Schedule, model: StepKey) -> StepKey:
    """What the site made last that was no training: a merge, an align step or its start."""
    while model.kind == "train":
        model = schedule.inputs(model)[0]
    return model


@settings(max_examples=100, deadline=None)
@given(method=st.sampled_from(METHODS), amendments=AMENDMENTS, kind=GRAPHS)
def test_what_is_merged_in_a_common_basis_was_brought_into_it_and_only_once(
    method: str, amendments: list[Amendment], kind: str, make_spec: MakeSpec
) -> None:
    for_arm = [a.model_copy(update={"arm": method}) for a in amendments]
    schedule = Schedule.of(make_spec(5, rounds=ROUNDS, topology={"kind": kind}), method, for_arm)
    for step in schedule.all_steps():
        own, *others = schedule.inputs(step) or [step]
        if step.kind == "merge" and is_common(schedule, step.round):
            models = [own] if schedule.tree_of(step.round) else [own, *others]
            for made in (before_training(schedule, model) for model in models):
                assert made.kind == "align" or (made.kind == "merge" and is_common(schedule, made.round))
        if step.kind == "align" and step.round > 0:
            made = before_training(schedule, own)
            assert made.kind == "prepare" or (made.kind == "merge" and not is_common(schedule, made.round))


@settings(max_examples=60, deadline=None)
@given(amendments=AMENDMENTS, later=AMENDMENTS)
def test_an_amendment_changes_no_step_before_its_round(
    amendments: list[Amendment], later: list[Amendment], make_spec: MakeSpec
) -> None:
    spec = make_spec(5, rounds=ROUNDS)
    first = min((amendment.from_round for amendment in later), default=ROUNDS + 1)
    before, after = (
        [step for step in Schedule.of(spec, "dimat", known).all_steps() if step.round < first]
        for known in (amendments, [*amendments, *later])
    )
    if first > 1:  # what the first round is like decides what is done before it
        assert before == after


def test_sites_align_before_the_first_merge_of_a_method_that_an_amendment_brings_in(
    make_spec: MakeSpec,
) -> None:
    merge = MergePatch(merge_every=2, wire=WireSpec(numbers="int8"))
    train = TrainPatch(keep_momentum=True)
    changed = amended(2, method="regmean", merge=merge, train=train).model_copy(update={"arm": "local_only"})
    schedule = Schedule.of(make_spec(rounds=4, topology={"kind": "line"}), "local_only", [changed])
    aligning = [step for step in schedule.all_steps() if step.kind == "align"]
    assert aligning == [StepKey(2, "align", site) for site in range(4)]
    assert [schedule.parent(site, 2) for site in range(4)] == [1, None, 1, 2]
    child, root = StepKey(2, "align", 2), StepKey(2, "align", 1)
    assert schedule.inputs(root) == [StepKey(1, "train", 1)]
    assert schedule.inputs(child) == [StepKey(1, "train", 2), root]
    assert schedule.inputs(StepKey(2, "merge", 3)) == [StepKey(2, "align", 3), child]
    assert schedule.inputs(StepKey(4, "merge", 3)) == [StepKey(3, "train", 3), StepKey(3, "train", 2)]
    # What travels, and what goes with it, is what the align step made.
    trained = StepKey(1, "train", 2)
    assert (told.tells(schedule, trained), told.tells(schedule, child)) == (None, "gram")
    assert told.wire_of(schedule, trained).is_plain
    assert told.wire_of(schedule, child).numbers == "int8"
    assert told.residual_of(schedule, child) is None
    assert told.residual_of(schedule, StepKey(3, "train", 2)) == child
    assert told.momentum_of(schedule, child) == trained
    assert told.momentum_of(schedule, StepKey(2, "train", 2)) == child


def test_what_rounding_left_over_before_sites_aligned_is_not_added_after(make_spec: MakeSpec) -> None:
    arms = [{"name": "turning", "method": "dimat", "merge": {"wire": {"numbers": "int8"}}}]
    plain = amended(3, method="common_basis", merge=MergePatch(wire=WireSpec()))
    again = amended(5, merge=MergePatch(wire=WireSpec(numbers="int8")))
    spec, last = make_spec(rounds=5, arms=arms), StepKey(4, "train", 0)
    assert told.residual_of(Schedule.of(spec, "turning", [plain, again]), last) is None
    never = plain.model_copy(update={"patch": plain.patch.model_copy(update={"method": None})})
    assert told.residual_of(Schedule.of(spec, "turning", [never, again]), last) == StepKey(1, "train", 0)


def test_slow_momentum_starts_afresh_where_sites_align(make_spec: MakeSpec) -> None:
    arms = [{"name": "slow", "method": "slowmo", "merge": {"align": False}}]
    turned = amended(3, merge=MergePatch(align=True))
    schedule = Schedule.of(make_spec(rounds=4, arms=arms), "slow", [turned])
    assert {step.round for step in schedule.all_steps() if step.kind == "align"} == {3}
    kept = {round: told.momentum_of(schedule, StepKey(round, "merge", 0)) for round in (2, 3, 4)}
    assert kept == {2: StepKey(1, "merge", 0), 3: None, 4: StepKey(3, "merge", 0)}


def test_steps_already_started_are_not_given_again(make_spec: MakeSpec) -> None:
    schedule = Schedule.of(make_spec(), "dimat")
    done = prepared(schedule)
    started = set(schedule.ready_steps(done))
    assert started
    assert schedule.ready_steps(done, started) == []


@pytest.mark.parametrize("method", METHODS)
def test_followers_are_those_who_read_the_artifact(method: str, make_spec: MakeSpec) -> None:
    schedule = Schedule.of(make_spec(rounds=3, merge={"merge_every": 2}), method)
    for step in [*prepared(schedule), *schedule.all_steps()]:
        readers = [other for other in schedule.all_steps() if step in schedule.inputs(other)]
        assert sorted(schedule.followers(step)) == readers


@pytest.mark.parametrize("every", [1, 2])
def test_followers_along_a_tree_are_those_who_read_the_artifact(every: int, make_spec: MakeSpec) -> None:
    merge = {"over": "tree", "merge_every": every}
    schedule = Schedule.of(make_spec(5, topology={"kind": "line"}, rounds=3, merge=merge), "regmean")
    assert {step.kind for step in schedule.all_steps()} >= {"gather", "merge", "train"}
    for step in schedule.all_steps():
        readers = sorted(other for other in schedule.all_steps() if step in schedule.inputs(other))
        assert sorted(schedule.followers(step)) == readers, step


def test_the_optimiser_goes_on_from_the_round_before_where_momentum_is_kept(make_spec: MakeSpec) -> None:
    arms = [
        {"name": "keeps", "method": "dimat", "train": {"keep_momentum": True}},
        {"name": "forgets", "method": "dimat"},
    ]
    keeps, forgets = (Schedule.of(make_spec(arms=arms, rounds=3), arm["name"]) for arm in arms)
    trains = [StepKey(round, "train", 2) for round in (1, 2, 3)]
    assert [told.momentum_of(keeps, step) for step in trains] == [None, *trains[:2]]
    assert [told.momentum_of(forgets, step) for step in trains] == [None] * 3


def test_amendment_changes_rhythm_and_links_from_its_round_on(make_spec: MakeSpec) -> None:
    patch = Patch(merge=MergePatch(merge_every=2), topology=TopologySpec(kind="full"))
    amendment = Amendment(from_round=3, patch=patch, by="manager", why="weekly is enough")
    schedule = Schedule.of(make_spec(rounds=4), "dimat", [amendment])
    assert {step.round for step in schedule.all_steps() if step.kind == "merge"} == {1, 2, 4}
    assert len(schedule.inputs(StepKey(2, "merge", 0))) == 3
    assert len(schedule.inputs(StepKey(4, "merge", 0))) == 4


@pytest.mark.parametrize("num_sites", [4, 5])
def test_one_peer_reads_another_site_at_each_merge(num_sites: int, make_spec: MakeSpec) -> None:
    spec = make_spec(num_sites, rounds=4, topology={"kind": "one_peer"})
    schedule = Schedule.of(spec, "dimat")
    read = {round: schedule.inputs(StepKey(round, "merge", 0))[1].site for round in (1, 2, 3, 4)}
    assert read == ({1: 1, 2: 2, 3: 1, 4: 2} if num_sites == 4 else {1: 1, 2: 2, 3: 4, 4: 1})
    for step in [*prepared(schedule), *schedule.all_steps()]:
        readers = [other for other in schedule.all_steps() if step in schedule.inputs(other)]
        assert sorted(schedule.followers(step)) == readers
    for step in schedule.all_steps():
        if step.kind == "merge":
            row = schedule.weights(step)
            assert {site for site in range(num_sites) if row[site]} == {
                step.site, *schedule.topology_of(step.round).neighbours(step.site),
            }  # fmt: skip


@pytest.mark.parametrize("merge_every", [1, 2, 3])
def test_no_turn_of_one_peer_is_left_out_where_only_some_rounds_merge(
    merge_every: int, make_spec: MakeSpec
) -> None:
    spec = make_spec(4, rounds=12, topology={"kind": "one_peer"}, merge={"merge_every": merge_every})
    schedule = Schedule.of(spec, "dimat")
    merging = range(merge_every, 13, merge_every)
    read = [schedule.topology_of(round).neighbours(0)[0] for round in merging]
    assert read == [1, 2] * (len(read) // 2)


CHANGED_INTERVALS = st.lists(
    st.builds(
        amended,
        from_round=st.integers(1, 24),
        method=st.sampled_from([None, None, "plain_average", "local_only"]),
        merge=st.builds(MergePatch, merge_every=st.none() | st.integers(1, 5)),
    ),
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(merge_every=st.integers(1, 4), amendments=CHANGED_INTERVALS)
def test_no_turn_of_one_peer_is_left_out_where_amendments_change_the_interval(
    merge_every: int, amendments: list[Amendment], make_spec: MakeSpec
) -> None:
    spec = make_spec(8, rounds=24, topology={"kind": "one_peer"}, merge={"merge_every": merge_every})
    schedule = Schedule.of(spec, "dimat", amendments)
    merging = [round for round in range(1, 25) if schedule.merges_in(round)]
    read = [schedule.topology_of(round).neighbours(0)[0] for round in merging]
    assert read == ([1, 2, 4] * 8)[: len(merging)]


def test_a_pilot_without_amendments_keeps_the_turns_of_its_end(make_spec: MakeSpec) -> None:
    spec = make_spec(
        8, rounds=10, topology={"kind": "one_peer"}, merge={"merge_every": 3, "ridge_head": True},
        arms=[{"name": "regmean", "method": "regmean"}],
    )  # fmt: skip
    schedule = Schedule.of(spec, "regmean")
    read = {round: schedule.topology_of(round).neighbours(0)[0] for round in (3, 6, 9, 10)}
    assert read == {3: 1, 6: 2, 9: 4, 10: 1}


def test_sites_align_over_the_links_of_a_whole_period(make_spec: MakeSpec) -> None:
    schedule = Schedule.of(make_spec(8, topology={"kind": "one_peer"}), "common_basis")
    parents = [schedule.parent(site) for site in range(8)]
    assert parents == [None, 0, 0, 1, 0, 1, 2, 3]


def test_weights_are_those_of_the_topology_in_force(make_spec: MakeSpec) -> None:
    patch = Patch(topology=TopologySpec(kind="line", mixing="optimised"))
    amendment = Amendment(from_round=2, patch=patch, by="manager", why="fewer links")
    schedule = Schedule.of(make_spec(3, rounds=2), "dimat", [amendment])
    assert schedule.weights(StepKey(1, "merge", 0)) == pytest.approx([1 / 3, 1 / 3, 1 / 3])
    assert schedule.weights(StepKey(2, "merge", 0)) == pytest.approx([0.5, 0.5, 0], abs=0.02)


def test_slow_momentum_goes_on_from_the_last_merge_of_its_kind(make_spec: MakeSpec) -> None:
    arms = [{"name": method, "method": method} for method in ("slowmo", "dimat")]
    spec = make_spec(rounds=4, merge={"merge_every": 2}, arms=arms)
    slow = Schedule.of(spec, "slowmo")
    assert told.momentum_of(slow, StepKey(2, "merge", 1)) is None
    assert told.momentum_of(slow, StepKey(4, "merge", 1)) == StepKey(2, "merge", 1)
    assert told.momentum_of(Schedule.of(spec, "dimat"), StepKey(4, "merge", 1)) is None
    turned = Amendment(from_round=3, patch=Patch(method="slowmo"), by="manager", why="to compare")
    assert told.momentum_of(Schedule.of(spec, "dimat", [turned]), StepKey(4, "merge", 1)) is None


def test_permutations_go_on_from_the_last_merge_that_remembered_them(make_spec: MakeSpec) -> None:
    arms = [{"name": m, "method": m} for m in ("dimat", "dimat_guarded", "weight_matching")]
    spec = make_spec(rounds=4, merge={"merge_every": 2, "warm_start": True}, arms=arms)
    for arm in ("dimat_guarded", "weight_matching"):
        assert told.momentum_of(Schedule.of(spec, arm), StepKey(2, "merge", 1)) is None
        assert told.momentum_of(Schedule.of(spec, arm), StepKey(4, "merge", 1)) == StepKey(2, "merge", 1)
    assert told.momentum_of(Schedule.of(spec, "dimat"), StepKey(4, "merge", 1)) is None
    cold = Amendment(from_round=3, patch=Patch(merge=MergePatch(warm_start=False)), by="manager", why="-")
    assert told.momentum_of(Schedule.of(spec, "dimat_guarded", [cold]), StepKey(4, "merge", 1)) is None


def test_where_alignment_is_left_out_no_site_has_a_parent(make_spec: MakeSpec) -> None:
    arms = [{"name": "regmean", "method": "regmean"}]
    schedule = Schedule.of(make_spec(merge={"align": False}, arms=arms), "regmean")
    assert [schedule.parent(site) for site in range(4)] == [None] * 4
    assert schedule.inputs(StepKey(0, "align", 3)) == [StepKey(0, "prepare", 3)]
