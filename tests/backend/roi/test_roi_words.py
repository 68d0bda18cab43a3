"""Every code that ROI can say has its words in both languages, with the same places."""

import re
from pathlib import Path

import pytest

from backend.text.catalogue import catalogue

PACKAGES = ("roi", "figures", "summary")
ROOT = Path(__file__).parents[3]


def _places(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)[^{}]*\}", text))


@pytest.mark.parametrize("section", PACKAGES)
def test_both_languages_have_the_same_sentences(section: str) -> None:
    english, japanese = catalogue("en")[section], catalogue("ja")[section]
    assert english.keys() == japanese.keys()
    for code, text in english.items():
        if isinstance(text, str):
            # A language may leave a value out, but cannot name one that the code does not give.
            assert _places(japanese[code]) - _places(text) <= {"all_points", "own_points", "symbol"}, code


@pytest.mark.parametrize("section", ["roi", "summary"])
def test_every_code_in_the_source_has_words(section: str) -> None:
    source = "".join(path.read_text() for path in (ROOT / "backend" / section).glob("*.py"))
    codes = (
        set(re.findall(r'"(disagree_\w+)"', source))
        | set(re.findall(r'code="(\w+)"', source))
        | set(re.findall(r'code = "(\w+)"', source))
    )
    assert codes
    assert codes <= catalogue("en")[section].keys() | {""}


def test_every_text_of_figures_has_words() -> None:
    source = "".join(path.read_text() for path in (ROOT / "backend" / "figures").glob("*.py"))
    codes = set(re.findall(r'\bt\(\s*"(\w+)"', source))
    assert codes
    assert codes <= catalogue("en")["figures"].keys()
