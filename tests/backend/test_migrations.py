"""Migrations lead to the tables the code knows, on both databases, and keep every row."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import IntegrityError

from backend.db.migrate import SCRIPTS, BrokenReferences, migrate, migration_engine
from backend.db.session import Database
from backend.db.tables import Base, RoleBindingRow, UserRow

REBUILDS_USERS = """
import sqlalchemy as sa

from alembic import op

revision = "0002_test"
down_revision = "{head}"


def upgrade():
    with op.batch_alter_table("users") as batch:
        batch.alter_column("name", type_=sa.String(300))
    {more}
"""


def test_migrations_make_exactly_the_tables_of_the_code(empty_database_url: str) -> None:
    migrate(empty_database_url)
    engine = migration_engine(empty_database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, Base.metadata)
    engine.dispose()
    assert differences == []


def test_migrating_twice_changes_nothing(database_url: str) -> None:
    migrate(database_url)
    database = Database(database_url)
    with database.read() as session:
        assert session.scalar(sa.text("SELECT count(*) FROM alembic_version")) == 1
    database.close()


def test_rebuilding_a_table_keeps_the_rows_that_refer_to_it(database_url: str, tmp_path: Path) -> None:
    _add_a_user_with_a_role(database_url)
    migrate(database_url, scripts=_scripts(tmp_path, "pass"))
    database = Database(database_url)
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(RoleBindingRow)) == 1
    database.close()


def test_a_migration_that_orphans_rows_is_undone(tmp_path: Path, sqlite_template: Path) -> None:
    url = f"sqlite:///{tmp_path / 'awase.sqlite'}"
    (tmp_path / "awase.sqlite").write_bytes(sqlite_template.read_bytes())
    _add_a_user_with_a_role(url)
    with pytest.raises(BrokenReferences, match="role_bindings"):
        migrate(url, scripts=_scripts(tmp_path, 'op.execute("DELETE FROM users")'))
    database = Database(url)
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(UserRow)) == 1
    database.close()


def test_the_running_server_keeps_foreign_keys_on(database_url: str) -> None:
    database = Database(database_url)
    with pytest.raises(IntegrityError), database.write() as session:
        session.add(RoleBindingRow(user_id="nobody", role="admin"))
    database.close()


def _add_a_user_with_a_role(url: str) -> None:
    database = Database(url)
    with database.write() as session:
        user = UserRow(name="someone")
        session.add(user)
        session.flush()
        session.add(RoleBindingRow(user_id=user.id, role="viewer"))
    database.close()


def _scripts(folder: Path, more: str) -> Path:
    """A copy of the migrations with one more at the end."""
    scripts = folder / "scripts"
    (scripts / "versions").mkdir(parents=True)
    for name in ("env.py", "script.py.mako"):
        (scripts / name).write_text((SCRIPTS / name).read_text())
    versions = sorted((SCRIPTS / "versions").glob("*.py"))
    for version in versions:
        (scripts / "versions" / version.name).write_text(version.read_text())
    head = versions[-1].name.split("_")[0]
    (scripts / "versions" / "0002_test.py").write_text(REBUILDS_USERS.format(head=head, more=more))
    return scripts
