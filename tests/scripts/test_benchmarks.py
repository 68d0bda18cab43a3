"""Benchmarks are run by hand; that each one still finds what it is made of is seen here."""

from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import merge, study
from benchmarks.study_report import PAGES

NAMES = sorted(path.stem for path in (Path(__file__).parents[2] / "benchmarks").glob("[a-z]*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_can_be_loaded(name: str) -> None:
    import_module(f"benchmarks.{name}")


def test_a_result_that_could_not_be_kept_is_not_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(merge, "measure", lambda wanted: pytest.fail("it was measured"))
    monkeypatch.setattr("sys.argv", ["merge.py", "--json", str(tmp_path / "none" / "found.json")])
    with pytest.raises(SystemExit) as ended:
        merge.main()
    assert ended.value.code == 2
    assert f"There is no folder {tmp_path / 'none'}" in capsys.readouterr().err


@pytest.mark.parametrize("page", PAGES)
def test_every_page_of_the_study_has_settings_for_a_quick_look(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run: list[tuple[list[str], tuple[int, ...]]] = []
    monkeypatch.setattr(
        study, "run", lambda settings, seeds, *_: run.append(([s.name for s in settings], seeds))
    )
    where = ["--results", str(tmp_path / "none.json")]
    monkeypatch.setattr("sys.argv", ["study.py", "--page", page, "--quick", *where])
    assert study.main() == 0
    names, seeds = run[0]
    assert 0 < len(names) <= 3
    assert len(seeds) == 1
    monkeypatch.setattr("sys.argv", ["study.py", "--page", page, "--quick", "--only", names[-1], *where])
    assert study.main() == 0
    assert run[1] == (names[-1:], seeds)


@pytest.mark.parametrize(("quick", "kind"), [((), "setting"), (("--quick",), "quick setting")])
def test_a_word_that_no_setting_of_the_study_holds_is_told_with_the_names(
    quick: tuple[str, ...], kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(study, "run", lambda *_: pytest.fail("it was run"))
    monkeypatch.setattr("sys.argv", ["study.py", "--page", "study-heads", "--only", "pen-iid-rnig", *quick])
    with pytest.raises(SystemExit):
        study.main()
    said = " ".join(capsys.readouterr().err.split())
    assert f"No {kind} of the page study-heads has 'pen-iid-rnig' in its name. There are: " in said
    assert ("head-pen-iid, " in said) != bool(quick)
    assert "head-pen-few" in said
