"""Sites that join and leave, or fall silent, between rounds."""

import random
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dimat import told
from dimat.absence import Absence
from dimat.errors import HubTakesNoPart, TooFewMembers, UnknownMember
from dimat.members import among
from dimat.parts import MergePatch
from dimat.plan import Amendment, Patch, effective_spec
from dimat.results import as_json
from dimat.schedule import Schedule, StepKey
from dimat.simulate import RowsOf, simulate
from dimat.spec import PilotSpec, spec_sha256
from dimat.topology import metropolis
from dimat.topology_spec import TopologySpec
from tests.dimat.test_schedule import prepared, walk

MakeSpec = Callable[..., PilotSpec]
N, ROUNDS = 5, 6
NAMES = [f"site-{i}" for i in range(N)]
METHODS = ["local_only", "plain_average", "dimat_guarded", "slowmo", "regmean"]
GRAPHS = st.sampled_from(["ring", "full", "star", "line", "one_peer", "exponential"])


def amended(from_round: int, members: Sequence[str] | None = None, **patch: Any) -> Amendment:
    patch["members"] = members and tuple(members)
    return Amendment(from_round=from_round, patch=Patch(**patch), by="manager", why="a new factory")


def of(*sites: int) -> list[str]:
    return [NAMES[site] for site in sites]


MEMBERS = st.lists(st.sampled_from(NAMES), min_size=2, unique=True)
AMENDMENTS = st.lists(
    st.builds(
        amended,
        from_round=st.integers(1, ROUNDS),
        members=MEMBERS,
        method=st.sampled_from([None, None, *METHODS]),
        merge=st.builds(
            MergePatch,
            merge_every=st.none() | st.integers(1, 2),
            over=st.sampled_from([None, None, "tree"]),
        ),
    ),
    max_size=3,
)


@st.composite
def absences(draw: st.DrawFn) -> list[Absence]:
    """Of different sites, as a coordinator would write them."""
    found = []
    for site in draw(st.lists(st.sampled_from(NAMES), max_size=2, unique=True)):
        begins = draw(st.integers(1, ROUNDS))
        ends = draw(st.none() | st.integers(begins + 1, ROUNDS + 1))
        undone = draw(st.sampled_from([(), ("train",), ("merge", "train")])) if begins > 1 else ()
        owed = tuple((begins - 1, kind) for kind in undone)
        found.append(Absence(site=site, from_round=begins, until_round=ends, undone=owed))
    return found


def check(schedule: Schedule, rng: random.Random) -> None:
    """Any order of completion ends complete, nothing waits for what nobody makes, whoever reads a step hears of it, and what is read of
    rounds long over is known."""
    walk(schedule, rng)
    every = schedule.all_steps()
    readers: dict[StepKey, list[StepKey]] = {step: [] for step in (*prepared(schedule), *every)}
    older = [schedule.older_inputs(round) for round in range(ROUNDS + 1)]
    for step in every:
        assert step.kind == "evaluate" or step.site in schedule.members_of(step.round)
        for needed in schedule.inputs(step):
            readers[needed].append(step)
            assert all(needed in older[over] for over in range(needed.round + 1, step.round))
    assert {step: sorted(schedule.followers(step)) for step in readers} == readers


@settings(max_examples=50, deadline=None)
@given(
    method=st.sampled_from(METHODS),
    waiting=st.lists(st.sampled_from(NAMES), max_size=3, unique=True),
    amendments=AMENDMENTS,
    kind=GRAPHS,
    rng=st.randoms(use_true_random=False),
)
def test_whoever_joins_and_leaves_every_run_can_end(
    method: str, waiting: list[str], amendments: list[Amendment], kind: str, rng: random.Random, make_spec: MakeSpec
) -> None:  # fmt: skip
    arms = [{"name": method, "method": method}]
    spec = make_spec(N, rounds=ROUNDS, topology={"kind": kind}, waiting=waiting, arms=arms)
    check(Schedule.of(spec, method, amendments), rng)


@settings(max_examples=50, deadline=None)
@given(
    method=st.sampled_from(METHODS),
    amendments=st.lists(AMENDMENTS.filter(bool).map(lambda some: some[0]), max_size=1),
    gone=absences(),
    kind=GRAPHS,
    rng=st.randoms(use_true_random=False),
)
def test_whoever_falls_silent_and_comes_back_every_run_can_end(
    method: str, amendments: list[Amendment], gone: list[Absence], kind: str, rng: random.Random, make_spec: MakeSpec
) -> None:  # fmt: skip
    spec = make_spec(N, rounds=ROUNDS, topology={"kind": kind}, arms=[{"name": method, "method": method}])
    schedule = Schedule.of(spec, method, amendments, gone)
    assume(all(schedule.plan_of(round).over == "neighbours" for round in range(1, ROUNDS + 1)))
    assume(all(len(schedule.ends(round)) >= 2 for round in range(ROUNDS + 1)))
    before = Schedule.of(spec, method, amendments)
    owed = {(NAMES.index(one.site), round) for one in gone for round, _ in one.undone}
    assume(all(site in before.members_of(round) for site, round in owed))
    check(schedule, rng)


@settings(max_examples=60, deadline=None)
@given(gone=absences(), kind=GRAPHS, method=st.sampled_from(METHODS[1:]))
def test_an_absence_changes_nothing_for_those_who_would_not_have_read_the_silent_site(
    gone: list[Absence], kind: str, method: str, make_spec: MakeSpec
) -> None:
    spec = make_spec(N, rounds=ROUNDS, topology={"kind": kind})
    whole, left = Schedule.of(spec, method), Schedule.of(spec, method, (), gone)
    for round in range(1, ROUNDS + 1):
        present = left.members_of(round)
        for site in present:
            near = set(whole.topology_of(round).neighbours(site))
            assert set(left.topology_of(round).neighbours(site)) == near & present
            row, full = (of.weights(StepKey(round, "merge", site)) for of in (left, whole))
            if near <= present:
                assert row.tolist() == full.tolist()
            others = [j for j in near if j in present]
            assert row[others].tolist() == full[others].tolist()
            assert row.sum() == pytest.approx(1)
            assert row[site] == pytest.approx(1 - sum(full[others]))


def test_a_ring_stays_a_ring_when_a_site_leaves(make_spec: MakeSpec) -> None:
    spec = make_spec(N, rounds=4)
    schedule = Schedule.of(spec, "dimat", [amended(3, of(4, 3, 1, 0))])
    assert schedule.topology_of(2).neighbours(1) == (0, 2)
    assert schedule.topology_of(3).neighbours(1) == (0, 3)
    assert schedule.topology_of(3).neighbours(2) == ()
    W_NN = schedule.mixing_of(3)
    ring = metropolis(TopologySpec(kind="ring").build(of(0, 1, 3, 4)))
    np.testing.assert_array_equal(W_NN[np.ix_([0, 1, 3, 4], [0, 1, 3, 4])], ring)
    assert W_NN[2].tolist() == [0, 0, 1, 0, 0]


def test_who_joins_takes_over_the_model_of_its_first_neighbour_and_the_control_arm_its_own(
    make_spec: MakeSpec,
) -> None:
    spec = make_spec(N, rounds=5, topology={"kind": "line"}, waiting=of(4))
    joins = [amended(3, NAMES)]
    adopt = StepKey(3, "adopt", 4)
    schedule = Schedule.of(spec, "dimat", joins)
    assert schedule.inputs(adopt) == [StepKey(0, "prepare", 4), StepKey(2, "train", 3)]
    assert schedule.inputs(StepKey(3, "merge", 3)) == [StepKey(2, "train", 3), StepKey(2, "train", 2), adopt]
    assert schedule.inputs(StepKey(3, "train", 4)) == [StepKey(3, "merge", 4)]
    alone = Schedule.of(spec, "local_only", joins)
    assert adopt not in alone.all_steps()
    assert alone.inputs(StepKey(3, "train", 4)) == [StepKey(0, "prepare", 4)]


def test_who_joins_beside_others_that_join_looks_further_for_a_model(make_spec: MakeSpec) -> None:
    spec = make_spec(N, rounds=5, topology={"kind": "line"}, waiting=of(3, 4))
    schedule = Schedule.of(spec, "dimat", [amended(2, NAMES)])
    assert schedule.inputs(StepKey(2, "adopt", 4))[1] == StepKey(1, "train", 2)


def test_who_comes_back_goes_on_afresh(make_spec: MakeSpec) -> None:
    changes = {
        "train": {"warmup_epochs": 1, "keep_momentum": True, "own_model": True},
        "merge": {"wire": {"numbers": "int8"}},
    }
    spec = make_spec(N, rounds=6, **changes)
    away = Absence(site=NAMES[1], from_round=3, until_round=5, undone=((2, "train"),))
    schedule = Schedule.of(spec, "slowmo", (), [away])
    assert StepKey(2, "merge", 1) in schedule.all_steps()
    assert StepKey(2, "train", 1) not in schedule.all_steps()
    train = StepKey(5, "train", 1)
    assert told.momentum_of(schedule, train) is told.momentum_of(schedule, StepKey(5, "merge", 1)) is None
    assert told.alone_of(schedule, train) == told.residual_of(schedule, train) == StepKey(5, "adopt", 1)
    assert told.momentum_of(schedule, StepKey(6, "train", 1)) == train
    assert told.momentum_of(schedule, StepKey(6, "merge", 1)) == StepKey(5, "merge", 1)


def test_whoever_falls_silent_before_it_is_aligned_leaves_its_place_to_those_below(
    make_spec: MakeSpec,
) -> None:
    spec = make_spec(N, rounds=2, topology={"kind": "line"})
    whole = Schedule.of(spec, "common_basis")
    left = Schedule.of(spec, "common_basis", (), [Absence(site=NAMES[2], from_round=1)])
    assert [whole.parent(site) for site in range(N)] == [1, None, 1, 2, 3]
    assert [left.parent(site) for site in range(N)] == [1, None, None, 1, 3]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"waiting": ["nobody"]}, "unknown_member"),
        ({"waiting": of(0, 1, 2, 3)}, "too_few_members"),
        ({"waiting": of(2), "topology": {"kind": "star", "hub": NAMES[2]}}, "hub_takes_no_part"),
        ({"waiting": of(1, 1)}, "duplicate_name"),
        ({"silent": {"policy": "skip"}, "merge": {"over": "tree"}}, "skip_needs_neighbours"),
        ({"silent": {"policy": "stop", "limit_s": None}}, "limit_missing"),
        (
            {
                "waiting": of(1),
                "topology": {
                    "kind": "custom",
                    "links": [{"a": NAMES[i], "b": NAMES[i + 1]} for i in range(N - 1)],
                },
            },
            "topology_disconnected",
        ),
    ],
)
def test_a_pilot_that_could_not_go_on_is_refused(
    changes: dict[str, Any], code: str, make_spec: MakeSpec
) -> None:
    arms = [{"name": "alone", "method": "local_only"}, {"name": "basis", "method": "regmean"}]
    with pytest.raises(ValidationError) as refused:
        make_spec(N, arms=arms, **changes)
    assert [error["type"] for error in refused.value.errors()] == [code]


def test_members_that_cannot_be_are_refused(make_spec: MakeSpec) -> None:
    spec = make_spec(N, topology={"kind": "star", "hub": NAMES[0]})
    with pytest.raises(UnknownMember, match="next stage"):
        effective_spec(spec, "dimat", [amended(1, ["site-0", "site-9"])], 1)
    with pytest.raises(TooFewMembers):
        effective_spec(spec, "dimat", [amended(1, ["site-0", "site-0"])], 1)
    with pytest.raises(HubTakesNoPart):
        Schedule.of(spec, "dimat", [amended(1, of(1, 2))]).topology_of(1)
    with pytest.raises(ValidationError, match="only over the same sites"):
        Amendment(arm="dimat", from_round=1, patch=Patch(members=("a", "b")), by="m", why="w")


def test_a_policy_of_skipping_has_a_limit_of_its_own_and_pilots_without_say_nothing_new(
    make_spec: MakeSpec,
) -> None:
    arms = [{"name": "dimat", "method": "dimat"}]
    plain = make_spec(arms=arms)
    assert not {"silent", "waiting"} & plain.model_dump().keys()
    assert plain.silent.limit_s == 7 * 86_400
    assert make_spec(arms=arms, silent={"policy": "skip"}).silent.limit_s == 3600
    assert spec_sha256(make_spec(arms=arms, silent={"policy": "wait"})) == spec_sha256(plain)


def test_a_pilot_is_measured_over_those_who_take_part(make_spec: MakeSpec, rows_of: RowsOf) -> None:
    arms = [{"name": method, "method": method} for method in ("local_only", "regmean")]
    spec = make_spec(4, rounds=4, arms=arms, waiting=of(3))
    gone = Absence(site=NAMES[0], from_round=4, undone=((3, "train"),))
    found = simulate(spec, rows_of, lambda: 0.0, [amended(2, of(0, 1, 3))], absences={("regmean", 1): [gone]})
    alone, shared = as_json(found)["runs"]
    assert [run["state"] for run in (alone, shared)] == ["completed", "completed"]
    took_part = [list(item["after_train"]["own_site"]["by_site"]) for item in shared["rounds"]]
    assert took_part == [of(0, 1, 2), of(0, 1, 2), of(0, 1, 3), of(1, 3), of(1, 3)]
    assert list(shared["rounds"][3]["after_merge"]["own_site"]["by_site"]) == of(0, 1, 3)
    assert [len(item["after_train"]["own_site"]["by_site"]) for item in alone["rounds"]] == [3] * 5
    assert list(shared["final_artifacts"]) == of(0, 1, 2, 3)
    item = shared["rounds"][3]["after_train"]["own_site"]
    assert item["mean"] == pytest.approx(sum(item["by_site"].values()) / 2)
    never = simulate(spec, rows_of, lambda: 0.0).runs[1]
    assert never.final_artifacts[3] is None


@given(members=MEMBERS, weights=st.lists(st.floats(0.01, 1.0), min_size=N * N, max_size=N * N))
def test_of_given_weights_what_those_who_left_would_have_given_goes_to_the_own_model(
    members: list[str], weights: list[float]
) -> None:
    W_NN = np.array(weights).reshape(N, N)
    W_NN /= W_NN.sum(axis=1, keepdims=True)
    everybody = [[a, b] for a, b in combinations(NAMES, 2)]
    everyones = TopologySpec.model_validate(
        {
            "kind": "custom",
            "links": [{"a": a, "b": b} for a, b in everybody],
            "mixing": "custom",
            "weights": W_NN.tolist(),
        }
    )
    here = [i for i, name in enumerate(NAMES) if name in members]
    left = among(everyones, NAMES, of(*here))
    assert [(link.a, link.b) for link in left.links] == [
        tuple(two) for two in everybody if {*two} <= {*members}
    ]
    W_KK = np.array(left.weights)
    assert np.allclose(W_KK.sum(axis=1), 1.0)
    apart = ~np.eye(len(here), dtype=bool)
    assert np.array_equal(W_KK[apart], W_NN[np.ix_(here, here)][apart])
