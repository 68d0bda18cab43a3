"""The description of the API is the golden file, and the API keeps to it whatever it is sent."""

import json
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from backend.auth import service as auth
from backend.db.migrate import migrate
from backend.docs import render
from backend.main import create_app
from backend.openapi import as_text
from backend.pilots.schemas import PilotCreate
from backend.settings import Settings
from backend.sites.schemas import SiteCreate
from backend.topologies.schemas import TopologyCreate

GOLDEN = Path(__file__).parent / "openapi.json"


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    described: dict[str, Any] = create_app(
        Settings(database_url_given="sqlite:///:memory:", broker_url=None)
    ).openapi()
    return described


def test_golden_file_is_what_the_server_says(described: dict[str, Any]) -> None:
    hint = "Changed on purpose? python -m backend.openapi > tests/contracts/openapi.json"
    assert GOLDEN.read_text(encoding="utf-8") == as_text(described), hint


def test_names_that_others_rely_on_are_there(described: dict[str, Any]) -> None:
    paths = described["paths"]
    for path in (
        "/sites", "/topologies", "/pilots", "/runs", "/tokens", "/events", "/health", "/pilots/{pilot_id}/launch",
        "/pilots/{pilot_id}/runs", "/pilots/{pilot_id}/roi", "/pilots/{pilot_id}/figures/{name}",
        "/runs/{run_id}/steps", "/runs/{run_id}/metrics", "/runs/{run_id}/exchanges", "/runs/{run_id}/roi",
        "/runs/{run_id}/figures/{name}", "/runs/{run_id}/cancel",
    ):  # fmt: skip
        assert f"/api/v1{path}" in paths


def test_every_list_has_items_cursor_and_total(described: dict[str, Any]) -> None:
    pages = {
        name: schema for name, schema in described["components"]["schemas"].items() if name.endswith("Page")
    }
    assert len(pages) >= 9
    for name, schema in pages.items():
        assert set(schema["properties"]) == {"items", "next_cursor", "total"}, name


def test_examples_can_be_sent_as_they_are(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    for body in (PilotCreate, SiteCreate, TopologyCreate):
        for example in schemas[body.__name__]["examples"]:
            body.model_validate_json(json.dumps(example))
            assert example["spec" if body is PilotCreate else "name"]
    page = render(described)
    assert "scrap-2026" in page


def test_every_error_is_described_as_a_problem(described: dict[str, Any]) -> None:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    assert list(response["content"]) == ["application/problem+json"], (method, path, status)
    assert "HTTPValidationError" not in json.dumps(described)


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The schema bound to a server with a database, and an administrator's token."""
    url = f"sqlite:///{tmp_path_factory.mktemp('contracts') / 'awase.sqlite'}"
    migrate(url)
    app = create_app(Settings(database_url_given=url, broker_url=None))
    with app.state.database.write() as session:
        token = auth.token_for_command_line(session, "contract", "admin")
    loaded = schemathesis.openapi.from_asgi("/api/openapi.json", app)
    loaded.config.update(headers={"Authorization": f"Bearer {token}"})
    yield loaded
    app.state.database.close()


def _operations() -> list[tuple[str, str]]:
    described = json.loads(GOLDEN.read_text(encoding="utf-8"))
    # A stream of events has no end that a generated request could wait for; and this server is not ready, as it says.
    return [
        (path, method)
        for path, methods in described["paths"].items()
        for method in methods
        if path not in ("/api/v1/events", "/api/v1/ready")
    ]


@pytest.mark.parametrize(("path", "method"), _operations())
def test_nothing_that_is_sent_breaks_the_server(schema: Any, path: str, method: str) -> None:
    @settings(
        max_examples=12,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=schema[path][method].as_strategy())
    def whatever_is_sent(case: schemathesis.Case) -> None:
        answer = case.call()
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == ["application/problem+json"]

    whatever_is_sent()
