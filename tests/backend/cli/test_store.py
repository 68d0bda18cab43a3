"""`awase adopt-store`."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.artifacts import store_repository
from backend.cli.main import app
from backend.db.migrate import migrate
from backend.db.session import Database
from backend.settings import Settings
from worker.artifacts import open_store
from worker.messages.refs import ArtifactRef


def test_another_store_takes_the_place_of_one_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = [ArtifactRef(sha256="0" * 64, num_bytes=1)]
    monkeypatch.setattr(store_repository, "artifacts_put_last", lambda _session, _most: lost)
    settings = Settings(data_dir=tmp_path)
    migrate(settings.database_url)
    database = Database(settings.database_url)
    with database.write() as session:
        store_repository.note(session, "gone")
    told = CliRunner().invoke(app, ["adopt-store", "--data-dir", str(tmp_path)])
    assert told.exit_code == 0
    assert settings.artifacts_url in told.output
    assert "Models that were put last are not in it." in told.output
    with database.read() as session:
        assert store_repository.noted(session) == open_store(settings.artifacts_url).identity()
    database.close()


def test_a_store_that_cannot_be_used_changes_nothing(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    migrate(settings.database_url)
    database = Database(settings.database_url)
    with database.write() as session:
        store_repository.note(session, "gone")
    (tmp_path / "artifacts").write_text("no folder")
    told = CliRunner().invoke(app, ["adopt-store", "--data-dir", str(tmp_path)])
    assert told.exit_code == 1
    assert "AWASE_ARTIFACTS" in told.output
    with database.read() as session:
        assert store_repository.noted(session) == "gone"
    database.close()
