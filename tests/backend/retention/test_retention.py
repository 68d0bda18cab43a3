"""What is removed is what nobody needs, over real files and both kinds of database."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import event, select
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from backend.artifacts import store_repository
from backend.backup import service as backup
from backend.cli.main import app
from backend.db.session import Database
from backend.db.tables import ArtifactRow, EventRow, RunRow, StepRow
from backend.retention import repository, service
from backend.retention.service import Freed, StrangeStore
from tests.backend.building import add_step, create_pilot, launch
from tests.backend.retention.conftest import LONG_AGO, ROUNDS, SITES, Place
from worker.artifacts import DirectoryStore, Stored

NOTHING = Freed(artifacts=0, orphans=0, events=0, num_bytes=0, logs=0, recent=0)


def test_of_runs_that_ended_long_ago_the_last_models_stay(place: Place) -> None:
    before, finals = place.files(), place.finals()
    would = place.clean(dry=True)
    assert place.files() == before
    size = sum(path.stat().st_size for path in place.store.root.rglob("*") if path.is_file())
    freed = place.clean()
    assert freed == would
    assert place.files() == finals
    left = sum(path.stat().st_size for path in place.store.root.rglob("*") if path.is_file())
    assert (freed.artifacts, freed.orphans) == (len(before) - len(finals), 0)
    assert freed.num_bytes == size - left
    assert place.clean() == NOTHING


def test_nothing_goes_where_nobody_said_for_how_long(place: Place) -> None:
    place.settings = place.api.settings
    before = place.files()
    assert place.clean() == NOTHING
    assert place.files() == before


@pytest.mark.parametrize(
    ("state", "ago"),
    [("running", None), ("paused", None), ("queued", None), ("completed", timedelta(days=29))],
)
def test_everything_of_a_run_that_may_go_on_stays(place: Place, state: str, ago: timedelta | None) -> None:
    """Be it that it lives, or that it can still be restarted; what its sites prepared is for both runs of the seed."""
    place.end(place.runs[0], ago, state)
    kept = place.names(run_id=place.runs[0]) | place.names(kind="prepare")
    place.clean()
    assert place.files() == kept | place.finals()


def test_the_parent_of_a_restarted_run_stays_until_that_has_ended_long_ago(place: Place) -> None:
    """The new run has not yet taken over a row."""
    assert place.restart(place.runs[1]).status_code == 201
    place.clean()
    assert place.names(run_id=place.runs[1]) <= place.files()


def test_a_restart_says_that_the_models_are_no_longer_kept(place: Place) -> None:
    place.clean()
    answer = place.restart(place.runs[1])
    assert (answer.status_code, answer.json()["code"]) == (409, "restart_models_removed")
    assert "{" not in answer.json()["title"] + answer.json()["remedy"]
    assert place.api.viewer.get(f"/api/v1/runs/{place.runs[1]}/result").status_code == 200
    place.api.viewer.get(f"/api/v1/pilots/{place.pilot}").raise_for_status()


class Dies(DirectoryStore):
    """The process is killed while it removes the third file."""

    removed = 0

    def discard(self, file: Stored) -> bool:
        self.removed += 1
        if self.removed == 3:
            raise KeyboardInterrupt
        return super().discard(file)


def test_a_call_that_was_killed_is_finished_by_the_next_one(place: Place) -> None:
    whole = place.clean(dry=True)
    with pytest.raises(KeyboardInterrupt):
        service.clean(place.api.database, Dies(place.store.root), place.settings, place.now)
    assert place.restart(place.runs[1]).json()["code"] == "restart_models_removed"
    assert place.clean().artifacts == whole.artifacts - 2
    assert place.files() == place.finals()


def test_files_that_no_row_knows_go_when_they_are_old_enough_to_be_nobody_s(place: Place) -> None:
    place.settings = place.api.settings
    old, young = place.put("old orphan"), place.put("young", timedelta(hours=23))
    half = place.store.root / old.sha256[:2] / f".{old.sha256}.0123"
    half.write_bytes(b"half")
    place.age(old.sha256, LONG_AGO)
    os.utime(half, (0, 0))
    foreign = place.store.root / "ab" / "notes.txt"
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_text("of a person")
    os.utime(foreign, (0, 0))
    freed = place.clean()
    assert (freed.artifacts, freed.orphans, freed.num_bytes) == (0, 2, old.num_bytes + 4)
    assert young.sha256 in place.files()
    assert foreign.exists()


def test_a_checkpoint_stays_as_long_as_its_step_may_go_on_there(place: Place) -> None:
    left = place.put("checkpoint")
    with place.api.database.write() as session:
        run = session.get_one(RunRow, place.runs[0])
        epochs = {"done": 1, "asked": 2}
        kept = {"attempt": 1, "artifact": left.model_dump(), "epochs": epochs}
        step = add_step(session, run, "train", 3, 0, "running", checkpoint=kept)
        id = step.id
    place.clean()
    assert left.sha256 in place.files()
    with place.api.database.write() as session:
        session.get_one(StepRow, id).checkpoint = None
    assert place.clean().orphans == 1
    assert left.sha256 not in place.files()


def test_what_a_step_may_have_made_whose_report_nobody_has_taken_yet_stays(place: Place) -> None:
    """The coordinator was off over a weekend, and a site went on."""
    before, after = place.put("old orphan", timedelta(days=9)), place.put("its model", timedelta(days=3))
    with place.api.database.write() as session:
        run = session.get_one(RunRow, place.runs[0])
        run.state, run.finished_at = "running", None
        sent_at = place.now - timedelta(days=4)
        add_step(session, run, "train", ROUNDS + 1, 0, "running", dispatched_at=sent_at)
    assert place.clean().orphans == 1
    assert (place.store.has(before), place.store.has(after)) == (False, True)
    with place.api.database.write() as session:
        session.scalars(select(StepRow).where(StepRow.state == "running")).one().state = "failed"
    assert place.clean().orphans == 1


def test_an_artifact_that_is_made_anew_while_it_is_removed_stays(place: Place) -> None:
    """A clone of the pilot makes the same bytes: its step has put them, and is not yet reported."""
    name = sorted(place.names(kind="prepare"))[0]

    class Meanwhile(DirectoryStore):
        def discard(self, file: Stored) -> bool:
            if file.sha256 == name:
                content = Path(file.path).read_bytes()
                assert DirectoryStore(self.root).put(content).sha256 == name
            return super().discard(file)

    service.clean(place.api.database, Meanwhile(place.store.root), place.settings, place.now)
    assert place.files() == place.finals() | {name}


def test_a_store_of_another_database_is_left_alone(place: Place, tmp_path: Path) -> None:
    other = DirectoryStore(tmp_path / "other")
    ref = other.put(b"a model of somebody else")
    os.utime(other.root / ref.sha256[:2] / ref.sha256, (0, 0))
    with pytest.raises(StrangeStore, match="AWASE_ARTIFACTS"):
        service.clean(place.api.database, other, place.settings, place.now)
    assert other.has(ref)


def test_a_store_that_has_another_name_is_left_alone_also_where_it_has_models_in_common(
    place: Place, tmp_path: Path
) -> None:
    with place.api.database.write() as session:
        store_repository.note(session, place.store.identify())
    other = DirectoryStore(tmp_path / "other")
    known = next(place.folder.glob("artifacts/??/*")).read_bytes()
    refs = [other.put(known), other.put(b"a model of somebody else")]
    other.identify()
    for ref in refs:
        os.utime(other.root / ref.sha256[:2] / ref.sha256, (0, 0))
    with pytest.raises(StrangeStore, match="AWASE_ARTIFACTS"):
        service.clean(place.api.database, other, place.settings, place.now)
    assert all(other.has(ref) for ref in refs)


def test_old_events_of_pilots_that_have_ended_go(place: Place) -> None:
    def add(code: str, ago: timedelta, pilot: str | None) -> None:
        with place.api.database.write() as session:
            session.add(EventRow(code=code, pilot_id=pilot, at=place.now - ago, params={}))

    def codes() -> list[str]:
        with place.api.database.read() as session:
            return list(session.scalars(select(EventRow.code).order_by(EventRow.id)))

    for code, ago, pilot in (
        ("pilot_launched", LONG_AGO, place.pilot), ("site_merged", LONG_AGO, place.pilot), ("site_silent", LONG_AGO, None),
        ("site_trained", timedelta(days=1), place.pilot), ("run_completed", LONG_AGO, place.pilot),
    ):  # fmt: skip
        add(code, ago, pilot)
    everything = codes()
    place.end(place.runs[0], None, "running")
    assert place.clean(dry=True).events == 1
    assert place.clean().events == 1  # of no pilot
    assert codes() == [code for code in everything if code != "site_silent"]
    place.end(place.runs[0], LONG_AGO)
    assert place.clean().events == 1
    assert codes() == ["pilot_launched", "site_trained", "run_completed"]


def test_logs_of_steps_go_with_the_artifacts_of_their_run(place: Place) -> None:
    place.log()
    place.end(place.runs[0], timedelta(days=29))
    kept = 2 * (SITES + 2 * SITES * ROUNDS)
    assert place.clean(dry=True).logs == 2 * 2 * SITES * ROUNDS
    assert place.logged() == kept + 2 * 2 * SITES * ROUNDS
    assert place.clean().logs == 2 * 2 * SITES * ROUNDS
    assert (place.logged(), place.logged(run_id=place.runs[1])) == (kept, 0)
    place.end(place.runs[0], LONG_AGO)
    assert place.clean().logs == kept
    assert place.logged() == 0


def test_logs_are_kept_where_nobody_said_for_how_long(place: Place) -> None:
    place.log()
    place.settings = place.api.settings.model_copy(update={"keep_events_days": 1.0})
    assert place.clean().logs == 0


class Written:
    """A database that lets something happen before its next transactions, and counts rows changed in each."""

    def __init__(self, database: Database, before: Callable[[int], None] = lambda _: None) -> None:
        self._database, self._before, self.changes = database, before, list[int]()

    def read(self) -> AbstractContextManager[Session]:
        return self._database.read()

    @contextmanager
    def write(self) -> Iterator[Session]:
        self._before(len(self.changes))
        self.changes.append(0)

        def count(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
            if statement.startswith(("UPDATE", "DELETE")):
                self.changes[-1] += cursor.rowcount

        event.listen(self._database.engine, "after_cursor_execute", count)
        try:
            with self._database.write() as session:
                yield session
        finally:
            event.remove(self._database.engine, "after_cursor_execute", count)


def test_no_transaction_changes_more_than_a_part(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite lets one write at a time, and the coordinator waits for it."""
    monkeypatch.setattr(repository, "_AT_ONCE", 5)
    place.log()
    with place.api.database.write() as session:
        for _ in range(17):
            session.add(EventRow(code="site_merged", at=place.now - LONG_AGO, params={}))
    written = Written(place.api.database)
    freed = service.clean(cast(Database, written), place.store, place.settings, place.now)
    assert freed.logs == 2 * (SITES + 4 * SITES * ROUNDS)
    assert place.files() == place.finals()
    steps = SITES + 4 * SITES * ROUNDS
    parts = [-(-freed.artifacts // 5), -(-steps // 5), -(-freed.events // 5)]
    assert len(written.changes) == sum(parts) + 1  # that it was done
    assert max(written.changes) == 2 * 5  # five steps, each with two logs


def test_a_run_that_goes_on_while_others_are_marked_keeps_everything(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repository, "_AT_ONCE", 5)
    place.log()

    def go_on(num_written: int) -> None:
        if num_written == 1:
            place.end(place.runs[0], None, "running")

    written = Written(place.api.database, go_on)
    service.clean(cast(Database, written), place.store, place.settings, place.now)
    everything = place.names(run_id=place.runs[0]) | place.names(kind="prepare")
    assert place.files() == everything | place.finals()
    with place.api.database.read() as session:
        rows = session.scalars(select(ArtifactRow).where(ArtifactRow.sha256.in_(everything)))
        assert {row.removed_at for row in rows} == {None}
    assert place.logged(run_id=place.runs[0]) == 2 * 2 * SITES * ROUNDS
    assert place.logged(run_id=place.runs[1]) == 0


def test_what_a_step_makes_anew_while_others_are_marked_is_kept_again(place: Place) -> None:
    """A clone of the pilot has made and reported the same bytes, whose row was not marked yet."""
    names: list[str] = sorted(place.names(run_id=place.runs[0], kind="merge"))
    with place.api.database.read() as session:
        made = session.scalars(select(StepRow).where(StepRow.artifact_sha256.in_(names))).first()
        assert made is not None
        assert made.artifact_sha256 is not None

    def report(num_written: int) -> None:
        if num_written == 0:
            clone = create_pilot(place.api.manager, [f"site-{n:02}" for n in (1, 2, 3)], name="clone")
            run_id = launch(place.api.manager, clone, "k2")[0]["id"]
            with place.api.database.write() as session:
                run = session.get_one(RunRow, run_id)
                add_step(session, run, "merge", 1, 0, "completed", artifact_sha256=made.artifact_sha256)

    written = Written(place.api.database, report)
    service.clean(cast(Database, written), place.store, place.settings, place.now)
    assert place.files() == place.finals() | {made.artifact_sha256}
    with place.api.database.read() as session:
        assert session.get_one(ArtifactRow, made.artifact_sha256).removed_at is None


def test_a_backup_lacks_nothing_that_was_removed_on_purpose(place: Place, tmp_path: Path) -> None:
    place.clean()
    file = tmp_path / "awase.backup"
    made = backup.backup(place.settings, file)
    assert (made.num_artifacts, list(made.lacking)) == (len(place.finals()), [])


def test_the_command_says_what_it_frees_and_what_is_kept_for_ever(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", place.api.settings.database_url)
    monkeypatch.setenv("AWASE_KEEP_ARTIFACTS_DAYS", "30")
    args = ["clean", "--data-dir", str(tmp_path)]
    would = CliRunner().invoke(app, [*args, "--dry-run"])
    assert would.exit_code == 0, would.output
    done = CliRunner().invoke(app, args)
    assert would.output.startswith("Would remove")
    assert done.output == would.output.replace("Would remove", "Removed", 1)
    assert "AWASE_KEEP_EVENTS_DAYS is not set" in done.output
    assert place.files() == place.finals()


def test_the_command_says_what_it_keeps_only_as_it_was_put_within_the_last_day(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", place.api.settings.database_url)
    monkeypatch.setenv("AWASE_KEEP_ARTIFACTS_DAYS", "0")
    for name in place.files():
        place.age(name, timedelta(hours=1))
    num_idle = len(place.files() - place.finals())
    for more in ([], ["--dry-run"]):
        said = CliRunner().invoke(app, ["clean", "--data-dir", str(tmp_path), *more])
        assert "artifacts that nobody needs: 0;" in said.output
        assert f"Kept for now: {num_idle} more" in said.output
        assert "within the last day" in said.output
