"""A backup holds all that rows and store had, and becomes an Awase again on either kind of database, or changes nothing."""

import json
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from backend.backup import container, rows, service
from backend.backup.errors import BackupError
from backend.cli.main import app
from backend.db.migrate import migrate, migration_engine, revisions
from backend.db.session import Database
from backend.db.tables import ArtifactRow, Base, EventRow, RunRow, SessionRow, StepRow, UserRow, utc_now
from backend.settings import Settings
from tests.backend.building import create_pilot, launch, measure
from tests.backend.conftest import Api
from worker.artifacts import open_store
from worker.messages.refs import ArtifactRef

PASSWORD = "not-to-be-found"
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what does not depend on the kind."""


@pytest.fixture
def filled(api: Api) -> Settings:
    """An Awase with a measured pilot, two artifacts and somebody who is signed in."""
    (run, *_others) = launch(api.manager, create_pilot(api.manager))
    store = open_store(api.settings.artifacts_url)
    with api.database.write() as session:
        row = session.get_one(RunRow, run["id"])
        measure(session, row, 2)
        step = session.scalars(sa.select(StepRow)).first()
        assert step is not None
        for content in (b"one model", b"another"):
            session.add(ArtifactRow(**store.put(content).model_dump(), step_id=step.id, site_name="site-01"))
        session.add(EventRow(code="run_started", params={"arm": "alone"}, run_id=row.id))
        user = session.scalars(sa.select(UserRow)).first()
        assert user is not None
        session.add(
            SessionRow(secret_sha256=b"s" * 32, user_id=user.id, csrf_token="c", expires_at=utc_now())
        )
    return api.settings.model_copy(update={"broker_url": f"redis://:{PASSWORD}@127.0.0.1:6379/0"})


def other(url: str, folder: Path) -> Settings:
    return Settings(database_url_given=url, broker_url=None, data_dir=folder)


def all_rows(url: str) -> dict[str, list[sa.RowMapping]]:
    database = Database(url)
    with database.engine.connect() as connection:
        found = {
            table.name: sorted(connection.execute(sa.select(table)).mappings(), key=str)
            for table in Base.metadata.sorted_tables
        }
    database.close()
    return found


def test_all_comes_back_on_either_kind_of_database(
    filled: Settings, empty_database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "awase.backup"
    assert service.backup(filled, file).num_artifacts == 2
    restored = other(empty_database_url, tmp_path / "restored")
    service.restore(restored, file)
    before, after = all_rows(filled.database_url), all_rows(empty_database_url)
    assert len(before.pop("sessions")) == 1
    assert after.pop("sessions") == []
    before.pop("stores", None)
    assert after.pop("stores") == [{"identity": open_store(restored.artifacts_url).identity()}]
    assert before["metrics"]
    assert after == before
    for row in after["artifacts"]:
        ref = ArtifactRef(sha256=row["sha256"], num_bytes=row["num_bytes"])
        assert open_store(restored.artifacts_url).get(ref)


def test_what_is_numbered_is_counted_on(filled: Settings, empty_database_url: str, tmp_path: Path) -> None:
    service.backup(filled, tmp_path / "b")
    service.restore(other(empty_database_url, tmp_path / "restored"), tmp_path / "b")
    database = Database(empty_database_url)
    with database.write() as session:
        highest = session.scalar(sa.select(sa.func.max(EventRow.id)))
        session.add(added := EventRow(code="run_ended"))
        session.flush()
        assert highest is not None
        assert added.id > highest
    database.close()


def test_a_backup_is_of_one_moment(database_url: str) -> None:
    database = Database(database_url)

    def write() -> None:
        with database.write() as session:
            session.add(EventRow(code="run_started"))

    write()
    with rows.snapshot(database) as seen:
        count = sa.select(sa.func.count()).select_from(EventRow)
        assert seen.scalar(count) == 1
        write()
        assert seen.scalar(count) == 1
    database.close()


@on_sqlite
def test_the_file_holds_no_password_and_is_its_owners_alone(filled: Settings, tmp_path: Path) -> None:
    file = tmp_path / "b"
    service.backup(filled, file)
    content = file.read_bytes()
    assert PASSWORD.encode() not in content
    assert filled.database_url.encode() not in content
    assert file.stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@on_sqlite
def test_no_file_is_replaced(filled: Settings, tmp_path: Path) -> None:
    (tmp_path / "b").write_text("kept")
    with pytest.raises(BackupError, match="is there already"):
        service.backup(filled, tmp_path / "b")
    assert (tmp_path / "b").read_text() == "kept"


def test_a_file_that_cannot_be_written_is_named_as_it_was_asked_for(tmp_path: Path) -> None:
    """It had been named as what it is called while it is being written."""
    file = tmp_path / "nowhere" / "b"
    with pytest.raises(FileNotFoundError) as found, container.writing(file):
        pass
    assert found.value.filename == str(file)


@on_sqlite
def test_artifacts_that_the_store_lost_are_named_and_the_rest_is_kept(
    filled: Settings, tmp_path: Path
) -> None:
    lost = next((tmp_path / "artifacts").glob("??/*"))
    lost.write_bytes(b"damaged")
    made = service.backup(filled, tmp_path / "b")
    assert made.lacking == [lost.name]
    restored = service.restore(
        other(f"sqlite:///{tmp_path / 'new.sqlite'}", tmp_path / "restored"), tmp_path / "b"
    )
    assert (restored.num_artifacts, restored.lacking) == (1, [lost.name])


def test_a_database_with_rows_is_left_as_it_is(filled: Settings, tmp_path: Path) -> None:
    service.backup(filled, tmp_path / "b")
    before = all_rows(filled.database_url)
    with pytest.raises(BackupError, match=r"not empty: it has rows in .*pilots"):
        service.restore(filled.model_copy(update={"data_dir": tmp_path / "restored"}), tmp_path / "b")
    assert all_rows(filled.database_url) == before


def older(path: Path, folder: Path) -> None:
    """A backup of the schema 0011, with a site."""
    database = folder / "old.sqlite"
    migrate(f"sqlite:///{database}", "0011")
    engine = migration_engine(f"sqlite:///{database}")
    tables = sa.MetaData()
    with engine.begin() as connection:
        tables.reflect(connection, only=("sites",))
        connection.execute(
            tables.tables["sites"].insert().values(
                id="s", name="site-01", display_name="", placement="local", data={}, state="online",
                created_at=utc_now(), revision=1,
            )
        )  # fmt: skip
    engine.dispose()
    with container.writing(path) as writer:
        writer.finish(database, "0.0.1", "0011", utc_now(), [])


def test_an_older_backup_is_brought_to_the_schema_of_this_version(
    empty_database_url: str, tmp_path: Path
) -> None:
    older(tmp_path / "b", tmp_path)
    service.restore(other(empty_database_url, tmp_path / "restored"), tmp_path / "b")
    found = all_rows(empty_database_url)
    assert [row["name"] for row in found["sites"]] == ["site-01"]
    database = Database(empty_database_url)
    with rows.snapshot(database) as connection:
        assert rows.revision(connection) == revisions()[0]
    database.close()


def test_a_database_of_another_schema_is_not_taken_for_one_of_this(tmp_path: Path) -> None:
    migrate(f"sqlite:///{tmp_path / 'awase.sqlite'}", "0011")
    with pytest.raises(BackupError, match="schema 0011"):
        service.backup(Settings(data_dir=tmp_path), tmp_path / "b")
    assert not (tmp_path / "b").exists()


def rewritten(path: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """The same file, member by member as `change` says; None: without it."""
    new = path.with_name("changed")
    with tarfile.open(path) as source, tarfile.open(new, "w") as target:
        for member in source.getmembers():
            content = change(member.name, source.extractfile(member).read())  # type: ignore[union-attr]
            if content is not None:
                member.size = len(content)
                target.addfile(member, BytesIO(content))
    return new


def of_schema(revision: str) -> Callable[[str, bytes], bytes]:
    def change(name: str, content: bytes) -> bytes:
        return (
            json.dumps({**json.loads(content), "revision": revision}).encode()
            if name == "manifest.json"
            else content
        )

    return change


CHANGES: dict[str, tuple[Callable[[str, bytes], bytes | None], str]] = {
    "newer schema": (of_schema("9999"), "newer Awase"),
    "newer format": (lambda n, c: c.replace(b'"format": 1', b'"format": 2').replace(b'"format":1', b'"format":2'), "newer Awase"),
    "no manifest": (lambda n, c: None if n == "manifest.json" else c, "no whole backup"),
    "artifact missing": (lambda n, c: None if n.startswith("artifacts/") else c, "no whole backup"),
    "artifact damaged": (lambda n, c: c[:-1] + b"?" if n.startswith("artifacts/") else c, "no whole backup"),
    "rows damaged": (lambda n, c: c[:-1] + b"?" if n == "database.sqlite" else c, "no whole backup"),
}  # fmt: skip


@on_sqlite
@pytest.mark.parametrize("change", CHANGES)
def test_what_cannot_be_used_is_refused_and_leaves_nothing(
    change: str, filled: Settings, tmp_path: Path
) -> None:
    service.backup(filled, tmp_path / "b")
    how, said = CHANGES[change]
    place = tmp_path / "restored"
    done = CliRunner().invoke(
        app,
        ["restore", str(rewritten(tmp_path / "b", how)), "--data-dir", str(place)],
        env={"DATABASE_URL": ""},
    )
    assert done.exit_code == 1
    assert said in done.output
    assert not place.exists()


@on_sqlite
def test_a_data_directory_with_anything_in_it_is_left_as_it_is(filled: Settings, tmp_path: Path) -> None:
    service.backup(filled, tmp_path / "b")
    place = tmp_path / "used"
    (place / "logs").mkdir(parents=True)
    (place / "logs" / "api.log").write_text("said")
    done = CliRunner().invoke(
        app, ["restore", str(tmp_path / "b"), "--data-dir", str(place)], env={"DATABASE_URL": ""}
    )
    assert done.exit_code == 1
    assert "not empty: it has logs/api.log" in done.output
    assert [path.name for path in place.rglob("*")] == ["logs", "api.log"]


def test_anything_else_is_no_backup(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("a letter")
    with pytest.raises(BackupError, match="no whole backup"):
        service.restore(other(f"sqlite:///{tmp_path / 'new.sqlite'}", tmp_path), tmp_path / "b")
    assert not (tmp_path / "new.sqlite").exists()
