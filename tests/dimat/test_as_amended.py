"""A pilot as its amendments left it: launched anew it runs from the start as it ran at last."""

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dimat.as_amended import as_amended
from dimat.methods import CONTROL_METHOD
from dimat.plan import Amendment, Patch, amended_plan
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
    {"merge": {"probe": {"rows": 64}, "guard": 0.1}},
)


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
    spec = make_spec(rounds=6)
    amendments = [
        Amendment(arm=arm, from_round=round, patch=Patch.model_validate(patch), by="m", why="w")
        for arm, round, patch in asked
    ]
    after = as_amended(spec, amendments)
    assert len({arm.name for arm in after.arms}) == len(spec.arms)
    for launched, arm in zip(spec.arms, after.arms, strict=True):
        expected = amended_plan(spec, launched.name, amendments, spec.rounds)
        found = amended_plan(after, arm.name, (), 1)
        assert (found.method, found.train) == (expected.method, expected.train)
        if expected.method != CONTROL_METHOD:
            assert (found.topology, found.merge) == (expected.topology, expected.merge)


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
