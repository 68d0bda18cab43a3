"""What options and environment make of the settings."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.cli.local import settings
from backend.cli.main import app
from backend.settings import Settings


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8765"),
        ("::1", "http://[::1]:8765"),
        ("0.0.0.0", "http://127.0.0.1:8765"),
        ("::", "http://[::1]:8765"),
        ("server.example", "http://server.example:8765"),
    ],
)
def test_links_can_be_opened_whatever_it_listens_on(host: str, address: str) -> None:
    assert Settings(host=host, port=8765).origin == address


def test_links_lead_to_the_public_address_where_there_is_one() -> None:
    assert Settings(host="0.0.0.0", public_url="https://awase.example/").origin == "https://awase.example"


@pytest.mark.parametrize(
    ("host", "public_url", "is_open"),
    [
        ("127.0.0.1", None, False),
        ("::1", None, False),
        ("0.0.0.0", None, True),
        ("192.0.2.7", None, True),
        ("0.0.0.0", "https://awase.example", False),
    ],
)
def test_a_server_that_others_reach_without_tls_knows_it(
    host: str, public_url: str | None, is_open: bool
) -> None:
    assert Settings(host=host, public_url=public_url).is_open_without_tls is is_open


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWASE_DATA_DIR", "")
    assert Settings().data_dir == Path("var")


def test_an_empty_data_directory_is_not_the_folder_one_is_in() -> None:
    done = CliRunner().invoke(app, ["token", "create", "--role", "viewer", "--data-dir", ""])
    assert done.exit_code == 2
    assert "it is empty; name a directory" in done.output


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_is_taken_in_every_way_in_which_hosts_write_it(scheme: str) -> None:
    assert Settings(DATABASE_URL=f"{scheme}://a:b@h/d").database_url == "postgresql+psycopg://a:b@h/d"  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("DATABASE_URL", "mysql://a:hidden@h/d", "use sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"),
        ("DATABASE_URL", "hidden", "use sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"),
        ("BROKER_URL", "amqp://a:hidden@h", "use redis://:PASSWORD@HOST:6379/0"),
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_used_is_told_in_one_line_without_its_password(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as ended:
        settings(None, None, None)
    assert ended.value.code == 1
    assert capsys.readouterr().err == f"awase: {variable} cannot be used: {said}.\n"


def test_a_link_into_a_directory_without_data_is_not_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with pytest.raises(SystemExit) as ended:
        app(["sign-in-link", "--data-dir", str(tmp_path / "typo")], standalone_mode=False)
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith(
        f"awase: there is no Awase in {tmp_path / 'typo'}. Name its data"
    )
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize("command", [["token", "create", "--role", "viewer"], ["sign-in-link"]])
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql+psycopg://awase@127.0.0.1:1/awase", "Connection refused"),
        ("sqlite:////proc/nope/awase.sqlite", "No such file or directory"),
    ],
)
def test_a_command_whose_database_refuses_says_so_in_one_line(
    command: list[str], url: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(SystemExit) as ended:
        app([*command, "--data-dir", str(tmp_path)], standalone_mode=False)
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("awase: ")
    assert said in line
