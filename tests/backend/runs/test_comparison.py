"""Which amendment ends a comparison is what the ends under each part of the list say."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from backend.pilots.amendments import InForce
from backend.runs.amended import Amended
from backend.runs.comparison import ended_by, ends_of_comparison
from dimat.plan import Amendment, Patch
from tests.backend.coordinator.stage import spec

SPEC = spec(rounds=8, arms=("local_only", "plain_average", "dimat"))
RUNS = [(f"{arm.name}-{seed}", arm.name, seed) for arm in SPEC.arms for seed in (1, 2)]
PATCHES = st.sampled_from(
    [
        {"train": {"epochs": 1}}, {"train": {"epochs": 2}}, {"train": {"epochs": 3, "lr": 0.5}}, {"train": {"lr": 0.02}},
        {"merge": {"merge_every": 2}}, {"merge": {"final_merge": True}},
    ]
)  # fmt: skip
ARMS = st.sampled_from([None, None, "local_only", "dimat"])
TOO_LATE = st.frozensets(st.sampled_from([id for id, *_ in RUNS]), max_size=2)


@given(st.lists(st.tuples(ARMS, st.integers(1, 9), PATCHES, TOO_LATE), max_size=7))
def test_an_amendment_ends_a_comparison_where_it_brings_the_end_that_stands(
    asked: list[tuple[str | None, int, dict[str, Any], frozenset[str]]],
) -> None:
    known = [
        InForce(
            str(place),
            Amendment(arm=arm, from_round=round, patch=Patch.model_validate(patch), by="m", why="w"),
            late,
        )
        for place, (arm, round, patch, late) in enumerate(asked)
    ]
    found = ended_by(SPEC, known, RUNS, {arm.name: Amended.by_none(SPEC, arm.name) for arm in SPEC.arms})
    after_each = [ends_of_comparison(SPEC, known[:num], RUNS) for num in range(len(known) + 1)]
    stands = after_each[-1]
    for one, were, ends in zip(known, after_each, after_each[1:], strict=False):
        brought = [
            (arm, stands[id])
            for id, arm, _ in RUNS
            if id in stands and ends.get(id) == stands[id] != were.get(id)
        ]
        expected = {arm: min(round for name, round in brought if name == arm) for arm, _ in brought}
        assert {end.arm: end.round for end in found[one.id]} == expected
