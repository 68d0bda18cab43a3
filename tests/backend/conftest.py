"""A server with its database, and one signed-in caller per role."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from backend.auth import service as auth
from backend.auth.permissions import ROLES
from backend.db.session import Database
from backend.main import create_app
from backend.settings import Settings

ORIGIN = "http://127.0.0.1:8765"


@dataclass(frozen=True)
class Api:
    """The application and callers that share it."""

    app: FastAPI
    settings: Settings
    anonymous: TestClient
    viewer: TestClient
    manager: TestClient
    admin: TestClient

    @property
    def database(self) -> Database:
        database: Database = self.app.state.database
        return database

    def caller(self, **headers: str) -> TestClient:
        """A caller with these headers, such as Authorization."""
        return TestClient(self.app, base_url=ORIGIN, headers=headers, raise_server_exceptions=False)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(database_url_given=database_url, broker_url=None, data_dir=tmp_path, public_url=ORIGIN)


@pytest.fixture
def api(settings: Settings) -> Iterator[Api]:
    app = create_app(settings)
    with app.state.database.write() as session:
        tokens = {role: auth.token_for_command_line(session, role, role) for role in ROLES}
    with TestClient(app, base_url=ORIGIN, raise_server_exceptions=False) as anonymous:
        callers = {
            role: TestClient(
                app,
                base_url=ORIGIN,
                headers={"Authorization": f"Bearer {token}"},
                raise_server_exceptions=False,
            )
            for role, token in tokens.items()
        }
        yield Api(app, settings, anonymous, callers["viewer"], callers["manager"], callers["admin"])
