"""A start that cannot succeed is refused before minutes of installing."""

from pathlib import Path

import preflight
import pytest
import typer.main
from shell import Problem

from backend.cli.main import app


def _check(tmp_path: Path, *options: str) -> None:
    preflight.check(["demo", "--data-dir", str(tmp_path / "data"), "--port", "0", *options], {})


@pytest.mark.parametrize("option", ["--prot", "--jsn=x", "-p", "extra"])
def test_an_option_that_does_not_exist_is_named(tmp_path: Path, option: str) -> None:
    with pytest.raises(Problem, match=option.partition("=")[0]):
        _check(tmp_path, option)
    assert not (tmp_path / "data").exists()


def test_a_port_that_is_no_number_is_named(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="'abc'"):
        _check(tmp_path, "--port", "abc")


def test_every_option_of_a_start_is_known_here(tmp_path: Path) -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    options = [param for name in ("up", "demo") for param in commands[name].params]
    assert {"--json", "--exit", "--host"} <= {name for param in options for name in param.opts}
    for param in options:
        value = {"--port": "0", "--host": "127.0.0.1", "--data-dir": str(tmp_path / "data")}.get(
            param.opts[0], "x"
        )
        _check(tmp_path, param.opts[0], *([] if param.is_flag else [value]))
