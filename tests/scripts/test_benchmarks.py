"""Benchmarks are run by hand; that each one still finds what it is made of is seen here."""

from importlib import import_module
from pathlib import Path

import pytest

from benchmarks import merge

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
