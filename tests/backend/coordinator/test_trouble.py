"""What a coordinator says while the broker, or the database, is away, and that this is nobody's silence."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from backend.coordinator.identity import StoreIdentity
from backend.coordinator.main import Stop, _loop
from backend.coordinator.ports import PortUnavailable
from backend.coordinator.trouble import Trouble
from backend.db.session import Database
from backend.db.tables import HeartbeatRow
from backend.runs.coordinating import WITHOUT_BROKER
from backend.settings import Settings
from tests import services
from tests.backend.coordinator.stage import Stage
from tests.backend.coordinator.test_silence import LIMIT_S, lead, pilot, until_round

PATIENCE_S = 60.0
NOWHERE = "redis://:secret@127.0.0.1:1/0"


def _wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < until
        time.sleep(0.1)


def _notes(database: Database, part: str) -> bool:
    with database.read() as session:
        return session.get(HeartbeatRow, part) is not None


def test_a_broker_that_goes_is_told_in_one_line_and_noted_without_a_sign_that_anybody_listens(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    database, stop, settings = Database(database_url), Stop(), Settings(data_dir=tmp_path)
    with ExitStack() as broker:
        url = broker.enter_context(services.broker(password="secret"))
        loop = threading.Thread(
            target=_loop,
            args=(database, settings, url, stop, lambda: None, StoreIdentity(settings, database)),
        )
        loop.start()
        try:
            _wait_for(lambda: _notes(database, "coordinator"))
            broker.close()
            _wait_for(lambda: _notes(database, WITHOUT_BROKER))
            with database.read() as session:
                heard = session.get_one(HeartbeatRow, "coordinator").at
            time.sleep(1.5)  # it tries again
            with database.read() as session:
                rows = {row.part: row for row in session.scalars(sa.select(HeartbeatRow))}
        finally:
            stop.ask()
            loop.join(PATIENCE_S)
            database.close()
    assert rows["coordinator"].at == heard
    assert rows[WITHOUT_BROKER].at > heard
    address = url.rpartition("@")[2]
    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert all(record.exc_info is None for record in told)
    assert {record.getMessage().partition(" (")[0].partition(": ")[0] for record in told} == {
        f"The broker at {address} cannot be used"
    }
    assert len(told) <= 2  # a connection that is cut, then one that is refused
    assert "BROKER_URL" in told[0].getMessage()
    assert "secret" not in caplog.text


def test_it_is_over_with_the_first_turn_that_comes_to_its_end(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    Trouble(stage.database, NOWHERE, stage.now).met(PortUnavailable("gone"), stage.now())
    another = Trouble(stage.database, NOWHERE, stage.now)  # of a process that begins meanwhile
    another.is_over()
    assert not _notes(stage.database, WITHOUT_BROKER)
    another.met(PortUnavailable("gone"), stage.now())
    another.met(PortUnavailable("gone"), stage.now())
    another.is_over()
    assert not _notes(stage.database, WITHOUT_BROKER)
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING", "INFO"]


def test_a_database_that_is_away_is_told_in_one_line_and_any_other_error_with_where_it_arose(
    tmp_path: Path, stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = Database(f"sqlite:///{tmp_path}/nowhere/at/all.sqlite")
    for database in (nowhere, stage.database):
        trouble = Trouble(database, NOWHERE, stage.now)
        with pytest.raises(SQLAlchemyError) as found, database.read() as session:
            session.execute(sa.text("SELECT 1 FROM nothing"))
        for _ in range(2):
            trouble.met(found.value, stage.now())
    nowhere.close()
    away, *others = caplog.records
    assert away.getMessage().startswith("The database cannot be used: unable to open database file. ")
    assert away.exc_info is None
    assert [record.exc_info is not None for record in others] == [True, True]


def test_time_in_which_the_broker_was_away_is_no_silence(stage: Stage) -> None:
    stage.launch(pilot("stop"))
    until_round(stage, 1)
    lead(stage, 20, "a", "b")  # c is silent, and then the broker goes
    trouble = Trouble(stage.database, NOWHERE, stage.now)
    for _ in range(400):
        stage.let_pass(5)
        trouble.met(PortUnavailable("gone"), stage.now())
        stage.restart()
    lead(stage, int(LIMIT_S) - 20 - 5, "a", "b")
    assert stage.run("p/dimat").state == "running"
    lead(stage, 25, "a", "b")
    assert (stage.run("p/dimat").reason or {}).get("code") == "stopped_for_silent_site"
