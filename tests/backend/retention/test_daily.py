"""What is no longer kept goes once a day, without a command."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from backend.coordinator.daily import Daily
from backend.db.tables import HeartbeatRow
from backend.retention import service
from backend.settings import Settings
from tests.backend.retention.conftest import Place


def cleaned_at(place: Place) -> datetime | None:
    with place.api.database.read() as session:
        row = session.get(HeartbeatRow, "clean")
        return None if row is None else row.at


def wait(until: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not until() and time.monotonic() < ends:
        time.sleep(0.05)


def test_it_is_done_once_a_day_by_itself_where_it_is_set(place: Place) -> None:
    never = Settings(database_url_given=place.settings.database_url, data_dir=place.folder)
    assert not service.is_due(place.api.database, never, place.now)
    with Daily(place.settings):
        wait(lambda: cleaned_at(place) is not None)
    assert place.files() == place.finals()
    at = cleaned_at(place)
    assert at is not None
    for hours, is_due in ((1, False), (25, True)):
        assert service.is_due(place.api.database, place.settings, at + timedelta(hours=hours)) is is_due


def test_whatever_goes_wrong_one_day_it_is_done_another_day(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """An error of no kind that anybody had thought of: the table is gone for a while."""
    with place.api.database.write() as session:
        session.execute(text("ALTER TABLE heartbeats RENAME TO elsewhere"))
    with Daily(place.settings, look_every_s=0.05):
        wait(lambda: "not cleaned; tried again" in caplog.text)
        assert place.files() > place.finals()
        with place.api.database.write() as session:
            session.execute(text("ALTER TABLE elsewhere RENAME TO heartbeats"))
        wait(lambda: cleaned_at(place) is not None)
    assert place.files() == place.finals()
