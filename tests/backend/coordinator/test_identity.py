"""The store's identity, which steps carry so that no worker puts models into another store."""

import time
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from backend.coordinator import repository
from backend.coordinator.identity import StoreIdentity
from backend.db.tables import ArtifactRow, StepRow
from backend.settings import Settings
from tests.backend.coordinator.stage import Stage, spec
from worker.artifacts import open_store
from worker.messages.refs import ArtifactRef


def test_a_store_that_was_away_at_the_start_is_asked_again_until_it_is_known(
    stage: Stage, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path)
    in_the_way = tmp_path / "artifacts"
    in_the_way.write_text("no folder")
    with StoreIdentity(settings, stage.database, again_s=0.01) as identity:
        time.sleep(0.05)
        assert identity() is None
        in_the_way.unlink()
        until = time.monotonic() + 30
        while identity() is None and time.monotonic() < until:
            time.sleep(0.01)
        assert identity() == open_store(settings.artifacts_url).identity()


def test_a_store_that_is_there_is_known_at_once(stage: Stage, tmp_path: Path) -> None:
    with StoreIdentity(Settings(data_dir=tmp_path), stage.database) as identity:
        assert identity() is not None


def test_a_place_without_the_models_that_were_put_last_is_not_taken_for_the_store(
    stage: Stage, tmp_path: Path
) -> None:
    """As the directory on which a disk is not mounted: what was put there would be lost when it is."""
    settings = Settings(data_dir=tmp_path)
    store = open_store(settings.artifacts_url)
    ref, known = store.put(b"a model"), store.identity()
    stage.launch(spec())
    stage.turn()
    with stage.database.write() as session:
        step_id = session.scalars(select(StepRow.id)).first()
        session.add(ArtifactRow(sha256=ref.sha256, num_bytes=ref.num_bytes, step_id=step_id, site_name="a"))
    here, aside = tmp_path / "artifacts", tmp_path / "aside"
    here.rename(aside)
    with StoreIdentity(settings, stage.database, again_s=0.01) as identity:
        time.sleep(0.05)
        assert identity() is None
        assert not here.exists()
        aside.rename(here)
        until = time.monotonic() + 30
        while identity() is None and time.monotonic() < until:
            time.sleep(0.01)
        assert identity() == known


def test_a_database_that_fails_for_a_moment_is_asked_again_as_the_store_is(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [OperationalError("SELECT", {}, Exception()) for _ in range(3)]

    def put_last(*_: object) -> list[ArtifactRef]:
        if failures:
            raise failures.pop()
        return []

    monkeypatch.setattr(repository, "artifacts_put_last", put_last)
    with StoreIdentity(Settings(data_dir=tmp_path), stage.database, again_s=0.01) as identity:
        until = time.monotonic() + 30
        while identity() is None and time.monotonic() < until:
            time.sleep(0.01)
        assert identity() is not None


def test_steps_of_runs_that_are_under_way_carry_what_has_come_to_be_known(stage: Stage) -> None:
    stage.launch(spec())
    stage.turn()
    prepares = stage.waiting()
    assert {message.context.store_id for message in prepares} == {None}
    stage.store_id = "this one"
    for message in prepares:
        stage.finish(message, stage.begin(stage.take(message)))
    stage.turn()
    assert {message.context.store_id for message in stage.waiting()} == {"this one"}
