"""What options and environment make of the settings."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

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
