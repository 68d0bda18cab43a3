"""The catalogue: both languages say the same keys with the same places, and every code we use is in it."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest

import dimat.errors
from backend.runs.progress import _DOING
from backend.runs.schemas import StepState
from backend.runs.states import MOVES
from backend.text.catalogue import LANGUAGES, catalogue, choose_language, find, say
from backend.text.schemas import Params
from dimat.methods import Method
from dimat.samples import SAMPLES
from dimat.schedule import StepKind


def _sentences(tree: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, str]]:
    for key, value in tree.items():
        if isinstance(value, str):
            yield place + key, value
        else:
            yield from _sentences(value, f"{place}{key}.")


def _places(sentence: str) -> set[str]:
    # What follows a comma is i18next's formatting of the value.
    return {name.split(",")[0].strip() for name in re.findall(r"\{([^{}]+)\}", sentence)}


def test_both_languages_have_the_same_keys() -> None:
    english, japanese = (dict(_sentences(catalogue(lang))) for lang in LANGUAGES)
    assert set(english) == set(japanese)


@pytest.mark.parametrize("number", [1, 2])
def test_a_noun_follows_its_number(number: int) -> None:
    said = say("en", "summary.who_some_gain", {"gaining": number, "num_sites": 8})
    assert (
        said == f"On their own data {number} of 8 sites {'gains' if number == 1 else 'gain'} and none loses."
    )
    alone = say("en", "ui.pilots.counts", {"sites": 2, "arms": number, "rounds": number})
    assert alone == ("2 sites · 1 arm · 1 round" if number == 1 else "2 sites · 2 arms · 2 rounds")


# Sentences in which the number before a plural is never 1, or is no count of it.
NEVER_ONE = {"num_sites", "sites", "site_rounds", "total", "needed", "n"}


def test_no_sentence_puts_a_bare_plural_after_a_number_that_may_be_one() -> None:
    nouns = "sites|runs|rounds|arms|seeds|seconds|rows|links|classes|entries|characters|attempts|values"
    bare = re.compile(r"\{(\w+)\} (?:[a-z-]+ )?(?:" + nouns + r")\b")
    found = {
        key: hit[1]
        for key, sentence in _sentences(catalogue("en"))
        for hit in bare.finditer(sentence)
        if hit[1] not in NEVER_ONE
    }
    assert found == {}


def test_japanese_needs_no_value_that_english_does_not_get() -> None:
    # The other way round is a matter of style: a language may leave out what its reader knows already.
    # The sentences of a summary are given a gain in two forms; each language takes the one it can say.
    english, japanese = (dict(_sentences(catalogue(lang))) for lang in LANGUAGES)
    keys = [key for key in japanese if key in english and not key.startswith("summary.")]
    unfilled = {key: _places(japanese[key]) - _places(english[key]) for key in keys}
    assert {key: places for key, places in unfilled.items() if places} == {}


@pytest.mark.parametrize(
    ("lang", "statistics"),
    [
        ("en", ("second moments", "closed-form head", "class")),
        ("ja", ("2次モーメント", "最終層の一括計算", "クラス")),
    ],
)
def test_what_goes_to_other_sites_is_told_whole(lang: str, statistics: tuple[str, ...]) -> None:
    """With regmean, fisher and a head in closed form it is more than models."""
    for key in ("ui.help.is.1", "ui.own_data.now"):
        said = say(lang, key, {})
        assert all(word in said for word in ("regmean", "fisher", *statistics)), key
    sentences = [sentence for _, sentence in _sentences(catalogue(lang))]
    sentences.append((Path(__file__).parents[3] / "docs" / "own-data.md").read_text("utf-8"))
    assert not [one for one in sentences if re.search("only models travel|モデルだけが送られ", one)]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("key", ["roi.no_control_arm", "summary.no_control", "summary.only_control"])
def test_an_arm_that_a_launched_pilot_lacks_is_added_to_a_copy(lang: str, key: str) -> None:
    assert say(lang, "ui.pilot.clone", {}) in say(lang, key, {"control": "alone"})


def test_what_was_wasted_is_said_beside_what_counts_and_not_as_a_part_of_it() -> None:
    """`bytes_exchanged` and `bytes_wasted` of a run add up to its ledger."""
    assert say("en", "ui.run.wasted", {"bytes": "150 kB"}) == "another 150 kB wasted"
    assert say("ja", "ui.run.wasted", {"bytes": "150 kB"}) == "ほかに150 kBが無効"


@pytest.mark.parametrize(("lang", "quoted"), [("en", '"alone"'), ("ja", "「alone」")])
def test_the_arm_that_somebody_waits_for_stands_in_quotation_marks(lang: str, quoted: str) -> None:
    """Without them a name reads as a word of the sentence."""
    params: Params = {"arm": "alone", "at": 5, "lead": 2, "round": 8, "rounds": 9}
    for key in (
        "progress.waiting_for_arm",
        "explain.wait.turn_behind_arm",
        "explain.wait.lead",
        "explain.run.running_until_arm",
    ):
        assert quoted in say(lang, key, params)
    for key in ("progress.waiting_for_arm_at_start", "explain.wait.lead_at_start"):
        assert quoted in say(lang, key, params)


def test_whoever_waits_for_the_end_of_a_step_is_not_told_to_wait_for_a_turn() -> None:
    assert say("ja", "explain.wait.turn_behind_arm", {"arm": "alone"}) == (
        "同じワーカーを使う、このパイロットの比較案「alone」の手順が終わるのを待っています。"
    )
    for behind in ("pilot", "pilots", "start", "run"):
        assert "順番" not in say("ja", f"explain.wait.turn_behind_{behind}", {"pilot": "p", "more": 2})


def test_the_button_that_makes_the_next_stage_says_what_it_does() -> None:
    assert say("en", "ui.stage.make", {}) == "Make the draft"
    assert say("ja", "ui.stage.make", {}) == "下書きを作成"


def test_the_japanese_page_has_the_brackets_of_its_language() -> None:
    page = (Path(__file__).parents[3] / "README.ja.md").read_text("utf-8")
    prose = re.sub(r"`[^`]*`|\]\([^)]*\)", "", re.sub(r"(?s)```.*?```", "", page))
    assert re.findall(r".{0,8}[()].{0,8}", prose) == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_remedy_is_to_launch_what_was_launched(lang: str) -> None:
    """Launching twice is refused: what goes on is a run from one of its rounds, or a copy of the pilot."""
    wrong = re.compile(
        r"launch (the pilot|it) again|run the pilot again|開始し直して|パイロットを再実行|もう一度開始"
    )
    assert [key for key, sentence in _sentences(catalogue(lang)) if wrong.search(sentence.lower())] == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_code_that_is_used_can_be_said(lang: str) -> None:
    errors = [cls.code for cls in _all_errors(dimat.errors.DimatError) if cls.template]
    keys = [f"errors.{code}.{part}" for code in errors for part in ("title", "remedy")]
    keys += [
        f"steps.{kind}.{state}" for kind in get_args(StepKind) for state in (*get_args(StepState), "retrying")
    ]
    keys += [
        f"progress.{doing}{end}" for doing in _DOING.values() for end in ("", "_waiting", "_waiting_more")
    ]
    keys += [f"states.{thing}.{state}" for thing, moves in MOVES.items() for state in moves]
    keys += [f"methods.{method}" for method in get_args(Method)]
    keys += [f"samples.{name}" for name in SAMPLES]
    assert [key for key in keys if find(lang, key) is None] == []


def test_missing_key_is_said_as_itself_and_missing_value_stays_a_place() -> None:
    assert say("en", "errors.unheard.title") == "errors.unheard.title"
    assert (
        say("en", "errors.name_taken.title", {"thing": "site"}) == "There is already a site named '{name}'."
    )


@pytest.mark.parametrize(
    ("asked", "header", "chosen"),
    [
        ("ja", "en", "ja"), (None, "ja-JP,ja;q=0.9,en;q=0.8", "ja"), (None, "fr;q=1,en;q=0.2,ja;q=0.5", "ja"),
        (None, None, "en"), ("xx", "", "en"), (None, "ja;q=nonsense,en", "en"),
    ],
)  # fmt: skip
def test_language_follows_the_query_then_the_header(
    asked: str | None, header: str | None, chosen: str
) -> None:
    assert choose_language(asked, header) == chosen


def _all_errors(base: type[dimat.errors.DimatError]) -> Iterator[type[dimat.errors.DimatError]]:
    for cls in base.__subclasses__():
        yield cls
        yield from _all_errors(cls)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_everything_that_is_audited_can_be_said(lang: str) -> None:
    source = "".join(
        path.read_text() for path in Path(dimat.errors.__file__).parents[1].glob("backend/*/*.py")
    )
    calls = re.findall(r"audit\.record\((.*?)\)\n", source, re.DOTALL)
    # Every text of a call up to the kind of thing is an action, or (in a choice) one of two.
    actions = {text for call in calls for text in re.findall(r'"(\w+_\w+|signed_in)"', call)}
    assert {"pilot_launched", "site_revoked", "site_updated"} <= actions
    assert [action for action in actions if find(lang, f"audit.{action}") is None] == []


@pytest.mark.parametrize(("lang", "where"), [("en", "on the pilot's page"), ("ja", "パイロットのページで")])
def test_advice_that_pages_of_runs_show_says_where_the_button_is_that_makes_a_copy(
    lang: str, where: str
) -> None:
    button = say(lang, "ui.pilot.clone")
    shown = {section: catalogue(lang)[section] for section in ("errors", "reasons", "roi")}
    naming = [(key, sentence) for key, sentence in _sentences(shown) if button in sentence]
    assert naming
    assert [key for key, sentence in naming if where not in sentence] == []
