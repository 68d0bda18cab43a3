"""What an amendment is said to change is what the plans that runs follow do from round to round, whatever overlaps."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from backend.pilots.amendments import InForce
from backend.runs import effects
from backend.runs.settings_changed import fields_changed, words
from dimat.plan import Amendment, Patch, amended_plan
from dimat.spec import PilotSpec
from tests.backend.coordinator.stage import spec

SPEC: PilotSpec = spec(rounds=12, arms=("local_only", "plain_average", "dimat"))
PATCHES = st.fixed_dictionaries(
    {},
    optional={
        "train": st.fixed_dictionaries(
            {},
            optional={
                "epochs": st.integers(1, 4),
                "loss": st.sampled_from(["cross_entropy", "balanced_softmax"]),
                "class_weights": st.sampled_from(["none", "balanced"]),
            },
        ),
        "merge": st.fixed_dictionaries({}, optional={"merge_every": st.integers(1, 3)}),
        "method": st.sampled_from(["dimat", "plain_average", "regmean"]),
        "topology": st.sampled_from([{"kind": "ring"}, {"kind": "full"}, {"kind": "star"}]),
    },
)
AMENDMENTS = st.lists(
    st.tuples(st.sampled_from([None, "local_only", "dimat"]), st.integers(1, 12), PATCHES), max_size=5
)


def known(*given: tuple[str | None, int, dict[str, Any]]) -> list[InForce]:
    return [
        InForce(
            str(place),
            Amendment(arm=arm, from_round=round, patch=Patch.model_validate(patch), by="aiko", why="To see."),
            frozenset(),
        )
        for place, (arm, round, patch) in enumerate(given)
    ]


def told(of: effects.Effect) -> list[tuple[int, list[str], list[tuple[str, Any, Any, Any]]]]:
    return [
        (
            change.round,
            change.arms,
            [
                (s.field, s.old, s.new, ("stays, not", s.otherwise) if s.stays else None)
                for s in change.settings
            ],
        )
        for change in of.changes
    ]


@settings(max_examples=60)
@given(AMENDMENTS)
def test_rows_together_tell_every_turn_of_every_arm_and_no_other(
    asked: list[tuple[str | None, int, dict[str, Any]]],
) -> None:
    all_of = known(*(one for one in asked if not (one[0] == "local_only" and one[2].keys() - {"train"})))
    amendments = [one.amendment for one in all_of]
    try:
        plans = {
            (arm.name, round): amended_plan(SPEC, arm.name, amendments, round)
            for arm in SPEC.arms
            for round in range(13)
        }
        found = effects.of_all(SPEC, all_of)
    except ValueError:  # settings that exclude each other were never in force
        return
    said: dict[tuple[str, int, str], tuple[Any, Any]] = {}
    for effect in found.values():
        for change in effect.changes:
            for arm in change.arms:
                for one in change.settings:
                    assert (arm, change.round, one.field) not in said, "told by two amendments"
                    said[arm, change.round, one.field] = (one.old, one.new)
                    assert one.stays == (one.old == one.new)
                    assert not one.stays or one.otherwise != one.new
    for (arm, round), plan in plans.items():
        if round == 0:
            continue
        before = plans[arm, round - 1]
        turns = {
            "train.epochs": (before.train.epochs, plan.train.epochs),
            "train.loss": (before.train.loss, plan.train.loss),
        }
        if plan.method != "local_only":
            turns |= {
                "merge.merge_every": (before.merge.merge_every, plan.merge.merge_every),
                "method": (before.method, plan.method),
                "topology.kind": (before.topology.kind, plan.topology.kind),
            }
        for field, (old, new) in turns.items():
            assert said.get((arm, round, field), (old, old)) == (old, new)


def decided_by(arm: str, amendments: Sequence[Amendment], round: int) -> dict[str, int]:
    """By field the place of who decides it: the last that sets another value than was set before it."""
    found: dict[str, int] = {}
    for place, one in enumerate(amendments):
        if one.from_round <= round:
            before, after = (amended_plan(SPEC, arm, amendments[:end], round) for end in (place, place + 1))
            found |= dict.fromkeys(fields_changed(before, after), place)
    return found


@settings(max_examples=60)
@given(AMENDMENTS)
def test_effects_are_those_of_plans_that_are_made_anew_for_each_question(
    asked: list[tuple[str | None, int, dict[str, Any]]],
) -> None:
    mine = known(*(one for one in asked if one[0] != "local_only"))
    amendments = [one.amendment for one in mine]
    expected: dict[str, tuple[dict[int, list[str]], dict[str, list[str]]]] = {}
    try:
        for place, one in enumerate(mine):
            others = [*amendments[:place], *amendments[place + 1 :]]
            first, changes = amendments[place].from_round, dict[int, list[str]]()
            for round in sorted({first, *(a.from_round for a in amendments[:place] if a.from_round > first)}):
                old, now = (amended_plan(SPEC, "dimat", amendments, at) for at in (round - 1, round))
                before, without = (amended_plan(SPEC, "dimat", others, at) for at in (round - 1, round))
                turned, would_turn = fields_changed(old, now), fields_changed(before, without)
                stays = [name for name in fields_changed(without, now) if name in would_turn]
                decided = decided_by("dimat", amendments, round)
                fields = [name for name in dict.fromkeys([*turned, *stays]) if decided.get(name) == place]
                changes |= {round: fields} if fields else {}
            meant, now = (
                amended_plan(SPEC, "dimat", some, first) for some in (amendments[: place + 1], amendments)
            )
            wanted = fields_changed(amended_plan(SPEC, "dimat", amendments[:place], first), meant)
            overruled: dict[str, list[str]] = {}
            for name in wanted:
                if name in fields_changed(meant, now):
                    overruled.setdefault(str(decided_by("dimat", amendments, first)[name]), []).append(name)
            expected[one.id] = changes, overruled
        found = effects.of_all(SPEC, mine)
    except ValueError:  # settings that exclude each other were never in force
        return
    for id, (changes, overruled) in expected.items():
        told_of = [change for change in found[id].changes if "dimat" in change.arms]
        assert {change.round: [one.field for one in change.settings] for change in told_of} == changes
        lost = [one for one in found[id].overruled if "dimat" in one.arms]
        assert {one.amendment_id: one.fields for one in lost} == overruled


def test_one_made_later_that_begins_sooner_overrules_for_its_arm() -> None:
    found = effects.of_all(
        SPEC, known((None, 9, {"train": {"epochs": 2}}), ("dimat", 7, {"train": {"epochs": 5}}))
    )
    assert told(found["0"]) == [(9, ["local_only", "plain_average"], [("train.epochs", 1, 2, None)])]
    overruled = found["0"].overruled
    assert [(one.arms, one.fields, one.amendment_id, one.from_round) for one in overruled] == [
        (["dimat"], ["train.epochs"], "1", 7)
    ]
    assert told(found["1"]) == [
        (7, ["dimat"], [("train.epochs", 1, 5, None)]),
        (9, ["dimat"], [("train.epochs", 5, 5, ("stays, not", 2))]),
    ]
    assert found["1"].overruled == []


def test_differences_are_told_as_begun_and_ended_though_specs_say_nothing_of_them_while_off() -> None:
    wire = {"compress": True, "deltas": True}
    begun, ended = {"merge": {"wire": wire}}, {"merge": {"wire": {"compress": True}}}
    found = effects.of_all(SPEC, known(("dimat", 3, begun), ("dimat", 7, ended)))
    assert told(found["0"]) == [
        (3, ["dimat"], [("merge.wire.compress", False, True, None), ("merge.wire.deltas", False, True, None)])
    ]
    assert told(found["1"]) == [(7, ["dimat"], [("merge.wire.deltas", True, False, None)])]
    (change,) = found["1"].changes
    assert words("en", change.settings[0]) == "As differences from the last model: Yes → No"


def test_one_that_only_keeps_what_there_is_takes_hold_where_the_other_would() -> None:
    found = effects.of_all(
        SPEC, known((None, 9, {"train": {"epochs": 2}}), ("dimat", 4, {"train": {"epochs": 1}}))
    )
    assert told(found["1"]) == [(9, ["dimat"], [("train.epochs", 1, 1, ("stays, not", 2))])]
    assert told(found["0"]) == [(9, ["local_only", "plain_average"], [("train.epochs", 1, 2, None)])]


def test_a_change_is_that_of_who_asked_first_where_another_asks_for_the_same_again() -> None:
    """As a form does that sends a topology whole to change how many bits travel, or a method for every arm that one has already."""
    star = {"topology": {"kind": "star", "hub": "site-0"}}
    found = effects.of_all(
        SPEC,
        known(
            ("dimat", 3, {"method": "regmean", **star}),
            ("dimat", 3, {"merge": {"wire": {"numbers": "float16"}}, **star}),
            (None, 3, {"method": "regmean"}),
        ),
    )
    assert [(field, arms) for _, arms, fields in told(found["0"]) for field, *_ in fields] == [
        ("method", ["dimat"]), ("topology.kind", ["dimat"]), ("topology.hub", ["dimat"])
    ]  # fmt: skip
    assert [[field for field, *_ in fields] for *_, fields in told(found["1"])] == [["merge.wire.numbers"]]
    assert [arms for _, arms, _ in told(found["2"])] == [["plain_average"]]
    assert not any(found[id].overruled for id in found)


def test_of_an_arm_that_had_ended_nothing_is_said_to_change() -> None:
    late = [
        InForce(one.id, one.amendment, frozenset({"r2"}))
        for one in known((None, 9, {"train": {"epochs": 2}}))
    ]
    found = effects.of_all(SPEC, late, [("r1", "local_only"), ("r2", "dimat"), ("r3", "plain_average")])
    assert told(found["0"]) == [(9, ["local_only", "plain_average"], [("train.epochs", 1, 2, None)])]


def test_an_arm_that_merges_no_more_is_not_said_to_lose_its_settings() -> None:
    found = effects.of_all(SPEC, known(("dimat", 3, {"method": "local_only"})))
    assert told(found["0"]) == [(3, ["dimat"], [("method", "dimat", "local_only", None)])]
