"""What is served beside the API: pages, reference, headers; and what building the server must not load."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from backend import __version__, pages
from backend.security import HEADERS
from tests.backend.conftest import Api


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>Awase</title>")
    (folder / "assets" / "app-1a2b.js").write_text("export {}")
    (tmp_path / "secret.txt").write_text("secret")
    return folder


@pytest.fixture
def browser(dist: Path) -> TestClient:
    app = FastAPI()
    pages.install(app, dist)
    return TestClient(app)


def test_addresses_that_pages_route_get_the_index_fresh(browser: TestClient) -> None:
    for path in ("/", "/pilots/some-id", "/sign-in"):
        answer = browser.get(path)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
        assert "<title>Awase" in answer.text


def test_hashed_files_are_kept_for_ever_and_missing_ones_are_not_the_index(browser: TestClient) -> None:
    assert "immutable" in browser.get("/assets/app-1a2b.js").headers["cache-control"]
    assert browser.get("/assets/app-old.js").status_code == 404
    assert browser.get("/api/v1/nothing").status_code == 404


def test_address_too_long_for_a_file_is_one_that_pages_route(browser: TestClient) -> None:
    for path in ("/" + "x" * 300, "/pilots" * 1000):
        assert "<title>Awase" in browser.get(path).text
    assert browser.get("/assets/" + "x" * 300).status_code == 404


def test_pages_whose_names_begin_like_the_api_are_pages(browser: TestClient) -> None:
    assert browser.get("/apiary").status_code == 200
    assert browser.get("/api").status_code == 404
    assert browser.post("/api/v1/nothing").status_code == 404
    assert browser.post("/apiary").status_code == 405


@pytest.mark.parametrize("path", ["/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/%00"])
def test_nothing_outside_the_pages_is_served(browser: TestClient, path: str) -> None:
    assert "secret" not in browser.get(path).text


def test_without_built_pages_the_server_says_how_to_build_them(tmp_path: Path) -> None:
    app = FastAPI()
    pages.install(app, tmp_path)
    answer = TestClient(app).get("/")
    assert answer.status_code == 503
    assert "./awase setup" in answer.text


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_answer_carries_the_security_headers(api: Api) -> None:
    for path in ("/api/v1/health", "/api/v1/sites", "/api/docs", "/api/openapi.json", "/nowhere"):
        answer = api.anonymous.get(path)
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_large_answers_are_compressed(api: Api) -> None:
    assert api.anonymous.get("/api/openapi.json").headers["content-encoding"] == "gzip"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_reference_lists_every_operation_and_loads_nothing(api: Api) -> None:
    text = api.anonymous.get("/api/docs").text
    for path, methods in api.app.openapi()["paths"].items():
        assert path in text
        assert all(operation["operationId"] in text for operation in methods.values())
    assert "<script" not in text
    assert "http://" not in text
    assert "https://" not in text


def test_version_is_the_one_of_the_package() -> None:
    root = Path(__file__).resolve().parents[2]
    assert tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"] == __version__


def test_building_the_server_loads_neither_torch_nor_scipy() -> None:
    script = (
        "import sys; from backend.main import create_app; create_app();"
        "print([name for name in ('torch', 'scipy', 'plotly') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
