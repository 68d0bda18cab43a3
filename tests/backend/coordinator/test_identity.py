"""The store's identity, which steps carry so that no worker puts models into another store."""

import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from backend.artifacts import store_repository
from backend.coordinator import identity as identities
from backend.coordinator.identity import StoreIdentity
from backend.db.tables import ArtifactRow, HeartbeatRow, StepRow, utc_now
from backend.runs.coordinating import STORE, store_away_since
from backend.settings import Settings
from tests.backend.coordinator.stage import Stage, spec
from worker.artifacts import StoreUnavailable, open_store
from worker.messages.refs import ArtifactRef
from worker.messages.steps import NO_STORE


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not holds() and time.monotonic() < until:
        time.sleep(0.01)
    assert holds()


def wait_for(identity: StoreIdentity, known: str) -> None:
    wait_until(lambda: identity() == known)


def asked(stage: Stage, settings: Settings) -> StoreIdentity:
    return StoreIdentity(settings, stage.database, again_s=0.01)


def put(stage: Stage, settings: Settings, removed: bool = False) -> str:
    """A model of a step's; the identity of the store it is in."""
    store = open_store(settings.artifacts_url)
    ref = store.put(b"a model")
    stage.launch(spec())
    stage.turn()
    with stage.database.write() as session:
        step_id = session.scalars(select(StepRow.id)).first()
        session.add(
            ArtifactRow(
                sha256=ref.sha256, num_bytes=ref.num_bytes, step_id=step_id, site_name="a",
                removed_at=stage.now() if removed else None,
            )
        )  # fmt: skip
    return store.identify()


def copied(settings: Settings, folder: Path) -> Settings:
    """With the store in another place, moved as docs/operations.md says."""
    shutil.copytree(settings.data_dir / "artifacts", folder / "copy")
    (folder / "copy" / "identity").unlink()
    return Settings(data_dir=folder, artifacts=str(folder / "copy"))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


def test_a_store_that_was_away_at_the_start_is_asked_again_until_it_is_known(
    stage: Stage, settings: Settings
) -> None:
    in_the_way = settings.data_dir / "artifacts"
    in_the_way.write_text("no folder")
    with asked(stage, settings) as identity:
        time.sleep(0.05)
        assert identity() == NO_STORE
        in_the_way.unlink()
        wait_until(lambda: identity() != NO_STORE)
        assert identity() == open_store(settings.artifacts_url).identity()


def test_a_store_that_is_there_is_known_at_once(stage: Stage, settings: Settings) -> None:
    with asked(stage, settings) as identity:
        assert identity() == open_store(settings.artifacts_url).identity()


def test_a_store_that_was_ever_seen_is_known_while_it_is_away_and_the_place_below_is_not_taken_for_it(
    stage: Stage, settings: Settings
) -> None:
    """As the directory on which a disk is not mounted: what was put there would be lost when it is."""
    with asked(stage, settings) as identity:
        known = put(stage, settings)
        assert identity() == known
    here, aside = settings.data_dir / "artifacts", settings.data_dir / "aside"
    here.rename(aside)
    with asked(stage, settings) as identity:
        assert identity() == known
        time.sleep(0.05)
        assert identity() == known
        assert not here.exists()
        aside.rename(here)
    with asked(stage, settings) as identity:
        assert identity() == known


def test_of_a_database_that_knows_no_store_a_place_without_the_models_that_were_put_last_is_not_taken_for_it(
    stage: Stage, settings: Settings
) -> None:
    """One that was made before stores were noted."""
    known = put(stage, settings)
    here, aside = settings.data_dir / "artifacts", settings.data_dir / "aside"
    here.rename(aside)
    with asked(stage, settings) as identity:
        time.sleep(0.05)
        assert identity() == NO_STORE
        assert not here.exists()
        aside.rename(here)
        wait_for(identity, known)


def test_a_place_to_which_all_models_were_copied_is_the_store_from_then_on(
    stage: Stage, settings: Settings, tmp_path: Path
) -> None:
    with asked(stage, settings):
        known = put(stage, settings)
    copy = copied(settings, tmp_path)
    with asked(stage, copy) as identity:
        wait_until(lambda: identity() != known)
        assert identity() == open_store(copy.artifacts_url).identity()


@pytest.mark.parametrize("removed", [True, False])
def test_another_store_is_taken_only_by_command_once_models_were_put(
    stage: Stage, settings: Settings, tmp_path: Path, removed: bool
) -> None:
    """Also where none is kept any more."""
    with asked(stage, settings):
        known = put(stage, settings, removed)
    elsewhere = Settings(data_dir=tmp_path, artifacts=str(tmp_path / "other"))
    new = open_store(elsewhere.artifacts_url).identify()
    with asked(stage, elsewhere) as identity:
        time.sleep(0.05)
        assert identity() == known
        with stage.database.write() as session:
            store_repository.note(session, new)
        wait_for(identity, new)


def test_a_coordinator_that_has_known_its_store_for_long_heeds_who_says_that_it_is_another(
    stage: Stage, settings: Settings
) -> None:
    with asked(stage, settings) as identity:
        known = put(stage, settings)
        assert identity() == known
        time.sleep(0.05)
        shutil.rmtree(settings.data_dir / "artifacts")  # the disk has died, and an empty one is in its place
        new = open_store(settings.artifacts_url).identify()
        with stage.database.write() as session:
            store_repository.note(session, new)
        wait_for(identity, new)


def test_a_store_that_hangs_holds_up_nobody_for_long(
    stage: Stage, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, asking = threading.Event(), threading.Event()

    def hang(_url: str) -> NoReturn:
        asking.set()
        there.wait()
        raise StoreUnavailable("be used", "it hung")

    def come_and_go() -> None:
        with asked(stage, settings) as identity:
            assert identity() == NO_STORE
        with stage.database.read() as session:
            assert session.get(HeartbeatRow, STORE) is None  # nobody knows how it is

    monkeypatch.setattr(identities, "open_store", hang)
    monkeypatch.setattr(identities, "FIRST_S", 0.01)
    with ThreadPoolExecutor(1) as pool:
        whoever = pool.submit(come_and_go)
        try:
            assert asking.wait(30)
            whoever.result(timeout=30)
        finally:
            there.set()


def test_the_place_below_the_store_is_not_taken_for_it_while_its_first_models_are_not_yet_told(
    stage: Stage, settings: Settings
) -> None:
    """A step was sent, and has put its model; its report is on its way."""
    here, aside = settings.data_dir / "artifacts", settings.data_dir / "aside"
    with asked(stage, settings) as identity:
        known = identity()
        stage.launch(spec())
        stage.turn()
    here.rename(aside)
    here.mkdir()  # the disk is not mounted
    with asked(stage, settings) as identity:
        time.sleep(0.05)
        assert identity() == known
        assert list(here.iterdir()) == []
    here.rmdir()
    aside.rename(here)
    with asked(stage, settings) as identity:
        assert identity() == known


def test_whoever_begins_while_another_place_is_there_heeds_the_store_once_it_is_back(
    stage: Stage, settings: Settings
) -> None:
    """As long as no step was sent, also of a coordinator that goes on."""
    here, aside = settings.data_dir / "artifacts", settings.data_dir / "aside"
    with asked(stage, settings) as identity:
        known = identity()
    here.rename(aside)
    here.mkdir()
    with asked(stage, settings) as identity:
        assert identity() not in (known, NO_STORE)
        shutil.rmtree(here)
        aside.rename(here)
        wait_for(identity, known)


def test_a_copy_that_is_under_way_is_not_taken_for_the_store(
    stage: Stage, settings: Settings, tmp_path: Path
) -> None:
    with asked(stage, settings):
        known = put(stage, settings)
        second = open_store(settings.artifacts_url).put(b"another model")
        with stage.database.write() as session:
            step_id = session.scalars(select(StepRow.id)).first()
            session.add(
                ArtifactRow(sha256=second.sha256, num_bytes=second.num_bytes, step_id=step_id, site_name="a")
            )
    copy = open_store(str(tmp_path / "copy"))
    copy.put(b"a model")
    with asked(stage, Settings(data_dir=tmp_path, artifacts=str(tmp_path / "copy"))) as identity:
        time.sleep(0.05)
        assert identity() == known
        copy.put(b"another model")
        wait_until(lambda: identity() != known)
        assert identity() == copy.identity()


def test_the_store_of_another_server_is_not_taken_for_a_copy(
    stage: Stage, settings: Settings, tmp_path: Path
) -> None:
    """That of which the backup was made, say, after a restore."""
    with asked(stage, settings):
        known = put(stage, settings)
    theirs = open_store(str(tmp_path / "theirs"))
    theirs.put(b"a model")
    theirs.identify()
    with asked(stage, Settings(data_dir=tmp_path, artifacts=str(tmp_path / "theirs"))) as identity:
        time.sleep(0.05)
        assert identity() == known


def test_the_place_that_a_copy_has_replaced_is_not_taken_back(
    stage: Stage, settings: Settings, tmp_path: Path
) -> None:
    """As the one below a disk that is mounted over it, where what was put since is not."""
    with asked(stage, settings):
        replaced = put(stage, settings)
    with asked(stage, copied(settings, tmp_path)) as identity:
        wait_until(lambda: identity() != replaced)
        moved = identity()
    with asked(stage, settings) as identity:  # the disk is away; all models that are known are here, too
        time.sleep(0.05)
        assert identity() == moved
        with stage.database.write() as session:  # but by command
            store_repository.note(session, replaced)
        wait_for(identity, replaced)


def test_that_the_store_is_away_is_told_to_whoever_asks_how_the_server_is(
    stage: Stage, settings: Settings
) -> None:
    def away_since() -> datetime | None:
        with stage.database.read() as session:
            return store_away_since(session, utc_now())

    here, aside = settings.data_dir / "artifacts", settings.data_dir / "aside"
    with asked(stage, settings):
        put(stage, settings)
        assert away_since() is None
        here.rename(aside)
        wait_until(lambda: away_since() is not None)
        since = away_since()
    with asked(stage, settings):  # whoever coordinates next says since when it was, too
        time.sleep(0.05)
        assert away_since() == since
        aside.rename(here)
        wait_until(lambda: away_since() is None)


def test_another_store_is_taken_where_nothing_was_ever_put(
    stage: Stage, settings: Settings, tmp_path: Path
) -> None:
    with asked(stage, settings) as identity:
        known = identity()
    with asked(stage, Settings(data_dir=tmp_path, artifacts=str(tmp_path / "other"))) as identity:
        assert identity() == open_store(str(tmp_path / "other")).identity() != known


def test_a_database_that_fails_for_a_moment_is_asked_again_as_the_store_is(
    stage: Stage, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [OperationalError("SELECT", {}, Exception()) for _ in range(3)]

    def put_last(*_: object) -> list[ArtifactRef]:
        if failures:
            raise failures.pop()
        return []

    monkeypatch.setattr(store_repository, "artifacts_put_last", put_last)
    with asked(stage, settings) as identity:
        wait_until(lambda: identity() != NO_STORE)


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
