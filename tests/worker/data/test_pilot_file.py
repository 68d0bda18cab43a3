"""Pilots as TOML files."""

from pathlib import Path

import pytest

from worker.data.pilot_file import PilotFileError, read_pilot
from worker.data.samples import DATA_DIR

DEMO = DATA_DIR / "pilots" / "demo.toml"


def changed(tmp_path: Path, old: str, new: str) -> Path:
    text = DEMO.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "pilot.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def test_demo_is_a_valid_pilot_with_marked_example_money() -> None:
    spec, assumptions = read_pilot(DEMO)
    assert [arm.name for arm in spec.arms] == [
        "local_only",
        "plain_average",
        "dimat",
        "common_basis",
        "regmean",
    ]
    assert [site.name for site in spec.sites] == [f"site-{i:02}" for i in range(1, 9)]
    assert all(site.display_name for site in spec.sites)
    assert (spec.rounds, spec.seeds) == (8, (1,))
    assert assumptions["example"] is True
    assert assumptions["value_basis"] == "own_site"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("rounds = 8", "rounds = 0", r"rounds: .*greater than or equal to 1 \(given: 0\)"),
        ("rounds = 8", 'rounds = "many"', r"rounds: .*valid integer.* \(given: 'many'\)"),
        ('name = "site-02"', 'name = "site-01"', "The site name 'site-01' is used more than once"),
        ("lr = 0.02", "speed = 0.02", "train.speed: is no setting of a pilot"),
        ('kind = "full"', 'kind = "star"\nhub = "Osaka"', "topology.hub: String should match pattern"),
        ("rounds = 8", "rounds = ", "is not a TOML file"),
        ("[assumptions]", "[[assumptions]]", "'assumptions' must be a table"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_value(
    old: str, new: str, words: str, tmp_path: Path
) -> None:
    path = changed(tmp_path, old, new)
    with pytest.raises(PilotFileError, match=words) as caught:
        read_pilot(path)
    assert "pilot.toml" in str(caught.value)


def test_wrong_entries_of_a_list_are_told_and_not_their_number(tmp_path: Path) -> None:
    text = DEMO.read_text(encoding="utf-8").replace('dataset = "pendigits"', 'dataset = "pen"')
    (tmp_path / "pilot.toml").write_text(text, encoding="utf-8")
    with pytest.raises(PilotFileError) as caught:
        read_pilot(tmp_path / "pilot.toml")
    _, *lines = str(caught.value).splitlines()
    assert [line.split(":")[0].strip() for line in lines] == [
        f"sites.{site}.data.dataset" for site in range(8)
    ]
    assert all("There is no sample data set 'pen'" in line for line in lines)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PilotFileError, match=r"nowhere\.toml.*No such file"):
        read_pilot(tmp_path / "nowhere.toml")
