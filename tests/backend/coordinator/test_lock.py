"""Only one coordinator acts, and one that is no longer sure of it stops by itself."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from backend.coordinator.lock import AlreadyCoordinated, FolderRefused, LockLost, only_coordinator
from backend.db.session import Database
from tests import services

PATIENCE_S = 60
HOLDERS = "SELECT pid FROM pg_locks JOIN pg_database d ON d.oid = database WHERE locktype = 'advisory' AND datname = current_database()"  # fmt: skip


def end_the_holder(database: Database) -> int:
    """Ends the connection that holds the lock; how many there were."""
    with database.write() as session:
        return len(
            session.scalars(text(f"SELECT pg_terminate_backend(h.pid, 5000) FROM ({HOLDERS}) h")).all()
        )


def test_a_second_coordinator_is_refused_until_the_first_is_through(database_url: str) -> None:
    first, second = Database(database_url), Database(database_url)
    with only_coordinator(first) as still_alone:
        still_alone()
        with pytest.raises(AlreadyCoordinated), only_coordinator(second):
            pass
        still_alone()
    with only_coordinator(second) as still_alone:
        still_alone()
    first.close()
    second.close()


def test_a_second_name_of_the_same_file_is_the_same_database(tmp_path: Path) -> None:
    for folder in ("real", "other"):
        (tmp_path / folder).mkdir()
    (tmp_path / "real" / "awase.db").touch()
    (tmp_path / "other" / "awase.db").symlink_to(tmp_path / "real" / "awase.db")
    first, second = (Database(f"sqlite:///{tmp_path / folder / 'awase.db'}") for folder in ("real", "other"))
    with only_coordinator(first), pytest.raises(AlreadyCoordinated), only_coordinator(second):
        pass
    first.close()
    second.close()


def test_a_folder_that_takes_no_lock_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    database = Database(f"sqlite:///{tmp_path / 'file' / 'awase.db'}")
    with pytest.raises(FolderRefused, match=r"file', where the database is"), only_coordinator(database):
        pass
    database.close()


def test_a_coordinator_whose_lock_went_with_its_connection_may_not_act(
    postgres: services.Postgres, postgres_template: str
) -> None:
    name = postgres.create(postgres_template)
    first, second = Database(postgres.url(name)), Database(postgres.url(name))
    try:
        with only_coordinator(first) as still_alone:
            assert end_the_holder(second) == 1
            with only_coordinator(second) as second_is_alone:
                for _ in range(2):  # asked again, a connection made anew must not count for the old one
                    with pytest.raises(LockLost):
                        still_alone()
                second_is_alone()
    finally:
        first.close()
        second.close()
        postgres.drop(name)


def test_the_process_ends_with_a_clear_word_when_it_lost_the_lock(
    postgres: services.Postgres, postgres_template: str, broker_url: str, tmp_path: Path
) -> None:
    name = postgres.create(postgres_template)
    database = Database(postgres.url(name))
    environment = {
        **os.environ, "DATABASE_URL": postgres.url(name), "BROKER_URL": broker_url,
        "AWASE_DATA_DIR": str(tmp_path),
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "backend.coordinator.main"], env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        until = time.monotonic() + PATIENCE_S
        while not (ended := end_the_holder(database)):
            assert time.monotonic() < until, "no coordinator takes the lock"
            time.sleep(0.1)
        assert ended == 1
        _, said = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 1
        assert "another coordinator may be at work" in said
        assert "Traceback" not in said
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
        database.close()
        postgres.drop(name)
