"""From which round on an amendment may count, and whether it can."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dimat import told
from dimat.amending import (
    changes,
    clash,
    comparison_ends,
    concerns,
    first_free_round,
    leaves_as_told,
)
from dimat.parts import MergePatch, TrainPatch, WireSpec
from dimat.plan import Amendment, Patch
from dimat.schedule import Schedule, StepKey
from dimat.spec import PilotSpec
from dimat.topology_spec import LinkSpec, TopologySpec

MakeSpec = Callable[..., PilotSpec]
ROUNDS = 6
METHODS = ["local_only", "plain_average", "federated_average", "dimat_guarded", "common_basis", "slowmo", "regmean", "fisher"]  # fmt: skip
GRAPHS = st.sampled_from(["ring", "full", "star", "line", "one_peer"])


def amended(from_round: int, arm: str | None = None, **patch: Any) -> Amendment:
    return Amendment(arm=arm, from_round=from_round, patch=Patch(**patch), by="manager", why="to see")


PATCHES = st.builds(
    Patch,
    method=st.sampled_from([None, *METHODS]),
    topology=st.none() | GRAPHS.map(lambda kind: TopologySpec(kind=kind)),
    train=st.builds(
        TrainPatch,
        epochs=st.sampled_from([None, 0, 3]),
        keep_momentum=st.sampled_from([None, True, False]),
        own_model=st.sampled_from([None, True, False]),
        loss=st.sampled_from([None, "balanced_softmax"]),
    ),
    merge=st.builds(
        MergePatch,
        merge_every=st.sampled_from([None, 1, 2, 3]),
        over=st.sampled_from([None, "neighbours", "tree"]),
        align=st.sampled_from([None, True, False]),
        wire=st.none()
        | st.builds(WireSpec, numbers=st.sampled_from(["float32", "float16", "int8"]), compress=st.booleans())
        | st.just(WireSpec(compress=True, deltas=True)),
        final_merge=st.sampled_from([None, True]),
        ridge_head=st.sampled_from([None, True, False]),
        warm_start=st.sampled_from([None, True]),
    ),
)

MEMBERS = st.lists(st.sampled_from([f"site-{i}" for i in range(5)]), min_size=2, unique=True)


def amendments(from_rounds: st.SearchStrategy[int], most: int) -> st.SearchStrategy[list[Amendment]]:
    one = st.builds(Amendment, from_round=from_rounds, patch=PATCHES, by=st.just("m"), why=st.just("w"),
                    arm=st.none() | st.just("arm"))  # fmt: skip
    moved = st.builds(Amendment, from_round=from_rounds, patch=st.builds(Patch, members=MEMBERS), by=st.just("m"),
                      why=st.just("w"))  # fmt: skip
    return st.lists(one | moved, max_size=most)


def some_history(schedule: Schedule, rng: random.Random) -> set[StepKey]:
    """Steps that are there at some moment of a run: done, or begun."""
    done = {StepKey(0, "prepare", site) for site in range(schedule.num_sites) if rng.random() < 0.9}
    known = set(done)
    for _ in range(rng.randrange(120)):
        open_steps = schedule.ready_steps(done, known - done)
        ready = [step for step in open_steps if step not in known]
        begun = [*(known - done), *ready]
        if not begun:
            break
        known.update(ready)
        # Some sites run ahead of the others.
        done.add(max(begun) if rng.random() < 0.5 else rng.choice(begun))
    return known


@settings(max_examples=100, deadline=None)
@given(
    method=st.sampled_from(METHODS),
    kind=GRAPHS,
    before=amendments(st.integers(1, ROUNDS), 2),
    later=amendments(st.integers(1, ROUNDS), 2),
    seed=st.integers(0, 2**32),
)
def test_no_message_of_a_step_that_is_there_is_changed(
    method: str, kind: str, before: list[Amendment], later: list[Amendment], seed: int, make_spec: MakeSpec
) -> None:  # fmt: skip
    spec = make_spec(5, rounds=ROUNDS, topology={"kind": kind}, arms=[{"name": "arm", "method": method}])
    old = Schedule.of(spec, "arm", before)
    # A random of hypothesis's own would hardly get beyond the start.
    known = some_history(old, random.Random(seed))
    last, free = max((step.round for step in known), default=0), first_free_round(known)
    for begins in {free, last + 1}:
        counted = [a.model_copy(update={"from_round": begins + a.from_round - 1}) for a in later]
        new = Schedule.of(spec, "arm", [*before, *counted])
        if begins == free or leaves_as_told(old, new, last):
            assert {step: told.all_of(old, step) for step in known} == {
                step: told.all_of(new, step) for step in known
            }
            assert known <= {*new.all_steps(), *(StepKey(0, "prepare", site) for site in range(5))}


@pytest.mark.parametrize(
    ("arm", "patch", "is_left"),
    [
        ("dimat", Patch(train=TrainPatch(epochs=3)), True),
        ("dimat", Patch(method="common_basis"), True),
        ("dimat", Patch(topology=TopologySpec(kind="full")), True),
        ("dimat", Patch(merge=MergePatch(merge_every=2)), True),
        ("dimat", Patch(members=("site-0", "site-1")), True),
        ("dimat", Patch(merge=MergePatch(wire=WireSpec(numbers="float16"))), False),  # was sent as float32
        # Sites align before it, which sends all that is needed.
        ("dimat", Patch(method="regmean", merge=MergePatch(over="neighbours")), True),
        # Neighbours go by second moments, which nobody has made.
        ("common_basis", Patch(method="regmean", merge=MergePatch(over="neighbours")), False),
    ],
)
def test_from_the_next_round_on_counts_what_leaves_all_that_was_sent_for_it(
    arm: str, patch: Patch, is_left: bool, make_spec: MakeSpec
) -> None:
    spec = make_spec(rounds=ROUNDS)
    next = Amendment(from_round=4, patch=patch, by="m", why="w")
    assert leaves_as_told(Schedule.of(spec, arm), Schedule.of(spec, arm, [next]), 3) == is_left


def test_before_the_first_round_counts_what_leaves_the_start_models_as_they_were_sent(
    make_spec: MakeSpec,
) -> None:
    spec, longer = make_spec(rounds=ROUNDS), amended(1, train=TrainPatch(epochs=3))
    for arm, patch, is_left in (
        ("dimat", longer.patch, True),
        ("common_basis", longer.patch, True),
        ("dimat", Patch(method="common_basis"), False),  # another start: sites align first
        ("dimat", Patch(members=("site-0", "site-1")), False),
    ):
        first = longer.model_copy(update={"patch": patch})
        assert leaves_as_told(Schedule.of(spec, arm), Schedule.of(spec, arm, [first]), 0) == is_left


@pytest.mark.parametrize(
    ("step", "patch"),
    [
        (StepKey(2, "train", 0), Patch(merge=MergePatch(wire=WireSpec(numbers="int8")))),
        (StepKey(2, "merge", 0), Patch(merge=MergePatch(wire=WireSpec(numbers="int8")))),
        (StepKey(0, "evaluate", 0), Patch(method="regmean")),
    ],
)
def test_a_round_sooner_would_change_one(step: StepKey, patch: Patch, make_spec: MakeSpec) -> None:
    spec = make_spec(rounds=ROUNDS)
    sooner = Amendment(from_round=first_free_round([step]) - 1, patch=patch, by="m", why="w")
    assert told.all_of(Schedule.of(spec, "dimat"), step) != told.all_of(
        Schedule.of(spec, "dimat", [sooner]), step
    )


def test_all_rounds_are_free_before_a_run_has_steps_of_its_own_and_none_after_the_last_training() -> None:
    assert first_free_round([]) == first_free_round([StepKey(0, "prepare", 1)]) == 1
    assert first_free_round([StepKey(ROUNDS, "train", 0)]) > ROUNDS


def clashes(
    spec: PilotSpec, arm: str, new: Amendment, known: Sequence[Amendment] = ()
) -> tuple[str, str] | None:
    found = clash(spec, arm, [*known, new], new)
    return None if found is None else (found.code, found.place)


def test_what_excludes_itself_is_found_in_whichever_round_it_comes(make_spec: MakeSpec) -> None:
    spec = make_spec(rounds=6)
    balanced = amended(2, train=TrainPatch(class_weights="balanced"))
    loss = amended(4, train=TrainPatch(loss="balanced_softmax"))
    assert clashes(spec, "dimat", loss) is None
    assert clashes(spec, "dimat", loss, [balanced]) == ("classes_counted_twice", "train.class_weights")
    final = amended(2, merge=MergePatch(final_merge=True))
    fourth = amended(3, merge=MergePatch(merge_every=4))
    assert clashes(spec, "dimat", fourth) is None
    assert clashes(spec, "dimat", fourth, [final]) == ("final_merge_missed", "merge.merge_every")
    head = amended(2, merge=MergePatch(ridge_head=True))
    assert clashes(spec, "dimat", head) == ("ridge_head_needs_basis", "merge.ridge_head")
    assert clashes(spec, "regmean", head) is None
    assert clashes(spec, "regmean", amended(4, method="dimat"), [head]) == (
        "ridge_head_needs_basis", "merge.ridge_head"
    )  # fmt: skip
    late = amended(6, merge=MergePatch(ridge_head=True))
    assert clashes(spec, "regmean", late) == ("ridge_head_too_late", "merge.ridge_head")
    assert clashes(spec, "regmean", amended(6, merge=MergePatch(ridge_head=False)), [head]) == (
        "ridge_head_too_late", "merge.ridge_head"
    )  # fmt: skip
    links = (LinkSpec(a="site-0", b="elsewhere"),)
    there = amended(2, topology=TopologySpec(kind="custom", links=links))
    assert clashes(spec, "dimat", there) == ("unknown_site", "topology")


def test_a_loss_for_classes_does_not_go_with_numbers(make_spec: MakeSpec) -> None:
    sites = [{"name": f"s{i}", "data": {"kind": "given"}} for i in range(3)]
    spec = make_spec(rounds=3, sites=sites, train={"loss": "mse"})
    assert clashes(spec, "dimat", amended(2, train=TrainPatch(loss="cross_entropy"))) == (
        "targets_are_numbers", "train.loss"
    )  # fmt: skip


def test_who_takes_part_must_be_sites_of_the_pilot_that_can_be_linked(make_spec: MakeSpec) -> None:
    spec = make_spec(4, rounds=6, topology={"kind": "star", "hub": "site-3"})
    assert clashes(spec, "dimat", amended(2, members=("site-0", "nowhere"))) == ("unknown_member", "members")
    assert clashes(spec, "local_only", amended(2, members=("site-0", "site-0"))) == (
        "too_few_members",
        "members",
    )
    assert clashes(spec, "dimat", amended(2, members=("site-0", "site-1"))) == (
        "hub_takes_no_part",
        "members",
    )
    line = TopologySpec(
        kind="custom", links=tuple(LinkSpec(a=f"site-{i}", b=f"site-{i + 1}") for i in range(3))
    )
    parted = [amended(2, topology=line), amended(3, members=("site-0", "site-1", "site-3"))]
    found = clash(spec, "dimat", parted, parted[-1])
    assert found is not None
    assert found.place == "topology"


def test_a_pilot_that_skips_silent_sites_cannot_come_to_add_up_all(make_spec: MakeSpec) -> None:
    arms = [{"name": name, "method": name} for name in ("local_only", "dimat")]
    spec = make_spec(rounds=6, silent={"policy": "skip"}, arms=arms)
    tree = amended(2, method="regmean", merge=MergePatch(over="tree"))
    assert clashes(spec, "dimat", tree) == ("skip_needs_neighbours", "merge.over")
    assert clashes(spec, "dimat", amended(2, "dimat", method="federated_average")) == (
        "skip_needs_neighbours",
        "method",
    )


def test_differences_are_refused_where_nobody_could_send_one(make_spec: MakeSpec) -> None:
    arms = [{"name": name, "method": name} for name in ("local_only", "dimat", "federated_average")]
    spec = make_spec(rounds=6, arms=arms)
    deltas = MergePatch(wire=WireSpec(compress=True, deltas=True))
    refused = ("deltas_need_neighbours", "merge.wire.deltas")
    assert clashes(spec, "federated_average", amended(2, "federated_average", merge=deltas)) == refused
    assert clashes(spec, "dimat", amended(2, "dimat", merge=deltas)) is None
    # For every arm: one of them has something of it, and the others stay comparable.
    assert clashes(spec, "federated_average", amended(2, merge=deltas)) is None
    turned = amended(2, "dimat", method="regmean", merge=MergePatch(over="tree"))
    assert clashes(spec, "dimat", amended(3, merge=deltas), [turned]) == refused
    # What an arm does otherwise from now on is no fault of what it was asked before.
    asked = amended(2, "dimat", merge=deltas)
    assert clashes(spec, "dimat", turned, [asked]) is None


def test_an_arm_that_would_merge_no_more_is_told_unless_it_is_meant(make_spec: MakeSpec) -> None:
    spec = make_spec(rounds=6)
    rarely = amended(4, merge=MergePatch(merge_every=9))
    assert clashes(spec, "dimat", rarely) == ("merges_no_more", "merge.merge_every")
    assert clashes(spec, "dimat", amended(4, "dimat", method="local_only")) is None
    assert clashes(spec, "dimat", amended(4, merge=MergePatch(merge_every=6))) is None
    assert clashes(spec, "local_only", rarely) is None
    # Where none came any more, another change is not to blame.
    assert clashes(spec, "dimat", amended(5, train=TrainPatch(lr=0.1)), [rarely]) is None


def test_the_control_arm_is_changed_by_who_takes_part_and_what_changes_training_alone(
    make_spec: MakeSpec,
) -> None:
    spec = make_spec(rounds=6)
    rarer, longer = amended(2, merge=MergePatch(merge_every=2)), amended(2, train=TrainPatch(epochs=3))
    turned, fewer = amended(2, method="regmean"), amended(2, members=("site-0", "site-1"))
    assert concerns(spec, "local_only", fewer, [])
    assert changes(spec, "local_only", [], [fewer])
    assert [concerns(spec, "local_only", one, []) for one in (rarer, longer, turned)] == [False, True, False]
    turned_before = [amended(1, "local_only", method="dimat")]
    assert [concerns(spec, "local_only", one, turned_before) for one in (rarer, longer)] == [True, True]
    assert [changes(spec, "local_only", [], [one]) for one in (rarer, longer, turned)] == [False, True, False]
    assert all(changes(spec, "dimat", [], [one]) for one in (rarer, longer, turned))
    assert not changes(spec, "dimat", [longer], [longer, amended(3, train=TrainPatch(epochs=3))])
    assert not changes(spec, "dimat", [], [amended(3, "regmean", train=TrainPatch(epochs=3))])


def test_a_comparison_ends_where_only_one_of_both_trains_otherwise(make_spec: MakeSpec) -> None:
    spec = make_spec(rounds=6)
    every, ours = amended(2, train=TrainPatch(epochs=3)), amended(4, "dimat", train=TrainPatch(epochs=5))
    theirs = amended(5, "local_only", train=TrainPatch(epochs=5))

    def ends(arm: Sequence[Amendment], control: Sequence[Amendment]) -> int | None:
        return comparison_ends(spec, "dimat", arm, "local_only", control)

    assert ends([every], [every]) is None
    assert ends([every], []) == 2  # the control arm's run had ended
    assert ends([every, ours], [every, ours]) == 4
    assert ends([ours, theirs], [ours, theirs]) == 4
    # How the arm merges, and that it ends with a merge instead of training, is what is compared.
    assert ends([amended(2, "dimat", method="regmean", merge=MergePatch(final_merge=True))], []) is None
