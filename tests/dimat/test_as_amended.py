"""A pilot as its amendments left it: launched anew it runs from the start as it ran at last."""

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dimat.amending import clash
from dimat.as_amended import as_amended
from dimat.methods import CONTROL_METHOD
from dimat.parts import WireSpec
from dimat.plan import Amendment, ArmPlan, Patch, amended_plan
from dimat.spec import PilotSpec

MakeSpec = Callable[..., PilotSpec]

PATCHES: Sequence[dict[str, Any]] = (
    {"method": "regmean"},
    {"method": "plain_average", "train": {"lr": 0.2}},
    {"topology": {"kind": "ring"}},
    {"topology": {"kind": "star", "hub": "site-1"}, "merge": {"merge_every": 2}},
    {"train": {"epochs": 3, "keep_momentum": True}},
    {"train": {"epochs": 1}},
    {"merge": {"wire": {"numbers": "int8"}}},
    {"merge": {"wire": {"compress": True, "deltas": True}}},
    {"merge": {"wire": {"compress": True}}},
    {"merge": {"merge_every": 9}},
    {"method": "federated_average"},
    {"method": "local_only"},
    {"merge": {"probe": {"rows": 64}, "guard": 0.1}},
)


def wire_in_effect(plan: ArmPlan) -> WireSpec:
    """Where all sites are taken in nobody sends differences."""
    wire = plan.merge.wire
    return wire.model_copy(update={"deltas": wire.deltas and plan.over == "neighbours"})


@settings(suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            st.sampled_from([None, None, "dimat", "local_only"]), st.integers(1, 6), st.sampled_from(PATCHES)
        ),
        max_size=6,
    )
)
def test_it_begins_as_the_amended_pilot_ended(
    make_spec: MakeSpec, asked: list[tuple[str | None, int, dict[str, Any]]]
) -> None:
    every = make_spec(rounds=6)
    spec = every.model_copy(update={"arms": tuple(map(every.arm, ("dimat", "fisher", "local_only")))})
    amendments: list[Amendment] = []
    for name, round, patch in asked:
        new = Amendment(arm=name, from_round=round, patch=Patch.model_validate(patch), by="m", why="w")
        if name == "local_only" and new.patch.method is not None:
            continue  # the control arm stays one
        if all(clash(spec, arm.name, [*amendments, new], new) is None for arm in spec.arms):
            amendments.append(new)
    after = as_amended(spec, amendments)
    assert len({arm.name for arm in after.arms}) == len(spec.arms)
    PilotSpec.model_validate(after.model_dump(mode="json"))
    assert after.control_arm is not None
    assert after.control_arm.name == "local_only"
    plans = {arm.name: amended_plan(spec, arm.name, amendments, spec.rounds) for arm in spec.arms}
    turned = {arm.name: plans[arm.name].method == CONTROL_METHOD != arm.method for arm in spec.arms}
    in_turn = sorted(spec.arms, key=lambda arm: turned[arm.name])
    for launched, arm in zip(in_turn, after.arms, strict=True):
        expected = plans[launched.name]
        found = amended_plan(after, arm.name, (), 1)
        assert (found.method, found.train) == (expected.method, expected.train)
        if expected.method != CONTROL_METHOD:
            assert found.topology == expected.topology
            assert found.merge.merge_every == min(expected.merge.merge_every, spec.rounds)
            assert wire_in_effect(found) == wire_in_effect(expected)
            rest = {"merge_every": 1, "wire": WireSpec()}
            assert found.merge.model_copy(update=rest) == expected.merge.model_copy(update=rest)


def test_what_was_changed_for_all_is_the_pilots_own_and_an_arm_is_named_for_its_method(
    make_spec: MakeSpec,
) -> None:
    every = make_spec(rounds=6)
    spec = every.model_copy(update={"arms": (every.arm("local_only"), every.arm("dimat"))})
    of_all = Patch.model_validate({"train": {"epochs": 4}, "topology": {"kind": "line"}})
    of_one = Patch.model_validate({"method": "regmean", "merge": {"merge_every": 2}})
    after = as_amended(
        spec,
        [
            Amendment(from_round=2, patch=of_all, by="m", why="w"),
            Amendment(arm="dimat", from_round=3, patch=of_one, by="m", why="w"),
        ],
    )
    assert (after.train.epochs, after.topology.kind) == (4, "line")
    arms = {arm.name: arm for arm in after.arms}
    assert set(arms) == {"local_only", "regmean"}
    assert arms["regmean"].merge is not None
    assert (arms["regmean"].merge.merge_every, arms["regmean"].train, arms["local_only"].train) == (
        2,
        None,
        None,
    )
    assert as_amended(spec, []) == spec


def test_an_arm_is_named_for_its_method_with_a_number_where_another_arm_has_that_name(
    make_spec: MakeSpec,
) -> None:
    every = make_spec(rounds=6)
    named = ("local_only", "dimat", "plain_average", "fisher")
    spec = every.model_copy(update={"arms": tuple(map(every.arm, named))})

    def names(launched: PilotSpec, **methods: str) -> list[str]:
        patches = {arm: Patch.model_validate({"method": method}) for arm, method in methods.items()}
        changed = [
            Amendment(arm=arm.replace("__", "-"), from_round=2, patch=patch, by="m", why="w")
            for arm, patch in patches.items()
        ]
        return [arm.name for arm in as_amended(launched, changed).arms]

    assert names(spec, plain_average="dimat") == ["local_only", "dimat", "dimat-2", "fisher"]
    assert names(spec, plain_average="dimat", fisher="dimat")[2:] == ["dimat-2", "dimat-3"]
    assert names(spec, plain_average="dimat", dimat="plain_average")[1:3] == ["plain_average", "dimat"]
    second = as_amended(
        spec, [Amendment(arm="fisher", from_round=2, patch=Patch(method="dimat"), by="m", why="w")]
    )
    assert names(second, **{"dimat__2": "regmean"})[-1] == "regmean"


def test_its_sites_are_those_that_take_part_at_last(make_spec: MakeSpec) -> None:
    spec = make_spec(rounds=6, topology={"kind": "star", "hub": "site-0"})
    stay = spec.site_names[1:]
    patches = [{"topology": {"kind": "ring"}}, {"members": stay}]
    amendments = [
        Amendment(from_round=2 + place, patch=Patch.model_validate(patch), by="m", why="w")
        for place, patch in enumerate(patches)
    ]
    after = as_amended(spec, amendments)
    assert (after.site_names, after.waiting, after.topology.kind) == (stay, (), "ring")
    PilotSpec.model_validate(after.model_dump(mode="json"))
