"""`[sweep]` in a pilot file: which settings it makes, and what is refused before anything runs."""

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.data.pilot_file import PilotFileError, read_pilot
from worker.data.samples import DATA_DIR
from worker.data.sweep import combinations, put, read_sweep

DEMO = DATA_DIR / "pilots" / "demo.toml"
BARE = """
name = "bare"
rounds = 4
sites = [{ name = "a", data = { dataset = "pendigits" } }, { name = "b", data = { dataset = "pendigits" } }]
arms = [{ name = "alone", method = "local_only" }, { name = "mean", method = "plain_average" }]
"""


def pilot(tmp_path: Path, sweep: str, base: str = BARE) -> Path:
    path = tmp_path / "pilot.toml"
    path.write_text(f"{base}\n[sweep]\n{sweep}\n", encoding="utf-8")
    return path


def test_every_combination_is_a_setting_and_the_last_place_varies_fastest(tmp_path: Path) -> None:
    sweep = read_sweep(
        pilot(
            tmp_path,
            '"train.lr" = [0.01, 0.05]\n"topology.kind" = ["ring", "full"]\n"data.partition.alpha" = [0.1, 0.5]\n',
        )
    )
    found = [
        (s.spec.train.lr, s.spec.topology.kind, s.spec.data.partition.alpha)  # type: ignore[union-attr]
        for s in sweep.settings
    ]
    assert found == list(itertools.product([0.01, 0.05], ["ring", "full"], [0.1, 0.5]))
    assert [s.number for s in sweep.settings] == list(range(1, 9))
    assert str(sweep.settings[1]) == (
        'setting 2 (train.lr = 0.01, topology.kind = "ring", data.partition.alpha = 0.5)'
    )


def test_a_file_without_a_sweep_is_a_single_setting_of_the_pilot_itself() -> None:
    sweep = read_sweep(DEMO)
    assert sweep.is_single
    assert [s.spec for s in sweep.settings] == [read_pilot(DEMO)[0]]


def test_places_may_be_tables_and_values_may_be_tables(tmp_path: Path) -> None:
    sweep = read_sweep(
        pilot(tmp_path, 'train.lr = [0.1]\n"data.partition" = [{ kind = "iid" }, { kind = "shards" }]')
    )
    assert [s.spec.data.partition.kind for s in sweep.settings] == ["iid", "shards"]
    assert {s.spec.train.lr for s in sweep.settings} == {0.1}


@pytest.mark.parametrize("arm", ["mean", "1"])
def test_an_arm_is_named_or_counted(arm: str, tmp_path: Path) -> None:
    sweep = read_sweep(pilot(tmp_path, f'"arms.{arm}.merge.merge_every" = [1, 2]'))
    patches = [s.spec.arm("mean").merge for s in sweep.settings]
    assert [patch.merge_every for patch in patches if patch] == [1, 2]
    assert all(s.spec.arm("alone").merge is None for s in sweep.settings)


@pytest.mark.parametrize(
    ("sweep", "words"),
    [
        ('"train.lr" = [0.1, 99.0]', r"1 of 2 settings .*\n setting 2 \(train.lr = 99.0\):\n  train.lr: .*less than or equal to 10 \(given: 99.0\)"),
        ('"train.speed" = [1, 2]', r"2 of 2 settings .*\n.*\n  train.speed: is no setting of a pilot; check its spelling \(given: 1\)"),
        ('"merge.merge_every" = [1, 9]', r"setting 2 \(merge.merge_every = 9\):\n  merge.merge_every: .*would never merge"),
        ('"assumptions.currency" = ["EUR"]', "assumptions: is no setting of a pilot"),
        ('"rounds.many" = [1]', "sweeps 'rounds.many', but there stands 4, which has no parts"),
        ('"arms.other.method" = ["dimat"]', r"'other' is none of the 2 entries there \(alone, mean\)"),
        ('"arms.2.method" = ["dimat"]', "'2' is none of the 2 entries"),
        ('"train.lr" = 0.1', r"over 0.1, which must be a list of values, such as \"train.lr\" = \[1, 2\]"),
        ('"train.lr" = []', "must be a list of values"),
        ("", "has an empty"),
        ('"train.lr" = [0.1]\n"train" = [{ lr = 0.2 }]', "'train' and 'train.lr' in it: one would undo the other"),
        ('"train.lr" = [0.1]\ntrain.lr = [0.2]', "sweeps 'train.lr' twice"),
        ('"train.lr" = [0.1, 0.1]', r"same pilot twice: setting 1 \(train.lr = 0.1\) and setting 2"),
        ('"title" = [2001-01-01]', r"title = \"2001-01-01\""),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_refused_with_setting_place_value_and_remedy(
    sweep: str, words: str, tmp_path: Path
) -> None:
    with pytest.raises(PilotFileError, match=words) as caught:
        read_sweep(pilot(tmp_path, sweep))
    assert str(caught.value).startswith(f"'{tmp_path / 'pilot.toml'}' ")


def test_a_sweep_that_is_too_large_names_its_size_without_being_built(tmp_path: Path) -> None:
    many = list(range(1, 1001))
    with pytest.raises(
        PilotFileError, match="makes 1000 x 1000 x 1000 = 1000000000 settings; the most is 1000"
    ):
        read_sweep(pilot(tmp_path, f'"rounds" = {many}\n"seeds" = {many}\n"train.epochs" = {many}'))


def test_of_many_wrong_settings_a_few_are_told(tmp_path: Path) -> None:
    with pytest.raises(PilotFileError, match="and 15 more settings") as caught:
        read_sweep(pilot(tmp_path, f'"train.lr" = {[-1.0 - k for k in range(20)]}'))
    assert str(caught.value).count("train.lr = ") == 5


def test_a_table_instead_of_a_list_of_sweeps(tmp_path: Path) -> None:
    path = tmp_path / "pilot.toml"
    path.write_text(f"sweep = 3\n{BARE}", encoding="utf-8")
    with pytest.raises(PilotFileError, match="which must be a table"):
        read_sweep(path)


def test_nothing_else_takes_a_file_with_a_sweep_for_a_pilot(tmp_path: Path) -> None:
    with pytest.raises(PilotFileError, match=r"has a \[sweep\].*run all of them with ./awase simulate"):
        read_pilot(pilot(tmp_path, '"train.lr" = [0.1, 0.2]'))


NAMES = st.text("abc", min_size=1, max_size=3)
PLACES = st.lists(NAMES, min_size=1, max_size=3).map(".".join)


@given(st.dictionaries(PLACES, st.lists(st.integers(), min_size=1, max_size=4, unique=True), max_size=4))
def test_combinations_are_all_and_each_once_in_the_order_given(values: dict[str, list[int]]) -> None:
    found = list(combinations(values))
    assert [tuple(one.values()) for one in found] == list(itertools.product(*values.values()))
    assert all(list(one) == list(values) for one in found)
    assert len({tuple(one.items()) for one in found}) == len(found)


@given(PLACES, st.integers(), st.dictionaries(NAMES, st.integers()))
def test_what_is_put_stands_at_its_place_and_everything_else_stays(
    place: str, value: int, other: dict[str, int]
) -> None:
    first, *_ = place.split(".")
    content: dict[str, Any] = {name: one for name, one in other.items() if name != first}
    before = dict(content)
    put(content, place, value)
    here: Any = content
    for part in place.split("."):
        here = here[part]
    assert here == value
    assert {name: one for name, one in content.items() if name != first} == before
