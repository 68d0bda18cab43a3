"""Migrations lead to the tables the code knows, on both databases, and keep every row."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import IntegrityError

from backend.db.migrate import SCRIPTS, BrokenReferences, migrate, migration_engine
from backend.db.session import Database
from backend.db.tables import Base, RoleBindingRow, RunRow, SignInLinkRow, StepRow, TokenRow, UserRow, utc_now

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


def test_time_of_attempts_in_vain_is_taken_over_as_far_as_it_was_kept(empty_database_url: str) -> None:
    url = empty_database_url
    migrate(url, "0005")
    engine = migration_engine(url)
    tables = sa.MetaData()
    with engine.begin() as connection:
        tables.reflect(connection, only=("pilots", "arms", "runs", "steps"))
        pilots, arms, runs, steps = (tables.tables[name] for name in ("pilots", "arms", "runs", "steps"))
        now = utc_now()
        about = {"pilot_id": "p", "created_at": now}
        connection.execute(
            pilots.insert().values(
                id="p", name="p", title="", state="launched", spec={}, spec_sha256="", created_by="t", created_at=now,
                revision=1,
            )
        )  # fmt: skip
        connection.execute(arms.insert().values(id="a", pilot_id="p", position=0, name="a", method="dimat"))
        connection.execute(
            runs.insert().values(
                id="r", arm_id="a", arm="a", method="dimat", seed=1, rounds=1, num_sites=2, state="failed", rounds_done=0,
                bytes_exchanged=0, bytes_uploaded=0, bytes_evaluation=0, bytes_wasted=0, busy_s=10.0, cpu_s=9.0, gpu_s=8.0,
                revision=1, **about,
            )
        )  # fmt: skip
        for id, more in {
            "done": {"state": "completed", "seconds": 10.0, "cpu_s": 9.0, "attempt": 3},
            "failed": {
                "state": "failed",
                "seconds": 2.0,
                "device": "cuda:0",
                "attempt": 2,
                "started_at": now,
            },
            "stopped": {"state": "cancelled", "attempt": 1, "started_at": now},
            "never-begun": {"state": "cancelled", "attempt": 1},
        }.items():
            connection.execute(
                steps.insert().values(
                    id=id, run_id="r", run_key="r", seed=1, round=1, kind=id, site_index=0, site_name="s", strikes=0,
                    progress=0.0, **about, **more,
                )
            )  # fmt: skip
    engine.dispose()
    migrate(url)
    database = Database(url)
    with database.read() as session:
        found = {
            row.id: (row.wasted_cpu_s, row.wasted_gpu_s, row.unmeasured_attempts)
            for row in session.scalars(sa.select(StepRow))
        }
        run = session.get_one(RunRow, "r")
        assert (run.busy_s, run.cpu_s, run.gpu_s) == (12.0, 11.0, 10.0)
    database.close()
    assert found == {
        "done": (0, 0, 2), "failed": (2, 2, 1), "stopped": (0, 0, 1), "never-begun": (0, 0, 0),
    }  # fmt: skip


def test_tokens_and_links_made_before_their_maker_was_noted_stand_alone(empty_database_url: str) -> None:
    url = empty_database_url
    migrate(url, "0006")
    engine = migration_engine(url)
    tables = sa.MetaData()
    with engine.begin() as connection:
        tables.reflect(connection, only=("users", "tokens", "sign_in_links"))
        users, tokens, links = (tables.tables[name] for name in ("users", "tokens", "sign_in_links"))
        now = utc_now()
        connection.execute(users.insert().values(id="u", name="someone", created_at=now))
        connection.execute(
            tokens.insert().values(
                id="t", name="ci", role="admin", user_id="u", secret_sha256=b"t" * 32, created_at=now
            )
        )
        connection.execute(
            links.insert().values(secret_sha256=b"l" * 32, user_id="u", created_at=now, expires_at=now)
        )
    engine.dispose()
    migrate(url)
    database = Database(url)
    with database.read() as session:
        token, link = session.get_one(TokenRow, "t"), session.get_one(SignInLinkRow, b"l" * 32)
        assert (token.name, token.made_with, link.token_id) == ("ci", None, None)
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
