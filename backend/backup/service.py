"""Makes a backup of an Awase, running or not, and an Awase out of a backup.

Rows first, as of one moment, then the artifacts that they refer to: an artifact is in the store before its row, and
never changes. No setting and no password of the surroundings gets into the file.
"""

import tempfile
from pathlib import Path

from sqlalchemy import Connection, create_engine, insert, select, update

from backend import __version__
from backend.backup import container, rows
from backend.backup.container import Manifest
from backend.backup.errors import BackupError
from backend.db.migrate import migrate, migration_engine, revisions, transaction
from backend.db.session import Database
from backend.db.tables import ArtifactRow, StoreRow, utc_now
from backend.settings import Settings
from dimat.errors import ArtifactInvalid
from worker.artifacts import ArtifactMissing, open_store
from worker.messages.refs import ArtifactRef


def backup(settings: Settings, path: Path) -> Manifest:
    """Writes all of the Awase of these settings into a new file.

    Artifacts that the store has lost are named in the manifest; all else is kept.

    Raises: BackupError; StoreUnavailable, DBAPIError, OSError: then there is no file.
    """
    store = open_store(settings.artifacts_url)
    with (
        container.writing(path) as writer,
        tempfile.TemporaryDirectory(dir=path.parent, prefix=".awase-") as folder,
    ):
        copy = Path(folder) / "rows.sqlite"
        made_at = utc_now()
        refs = _copy_out(settings.database_url, copy)
        lacking = []
        for ref in refs:
            try:
                writer.artifact(ref.sha256, store.get(ref))
            except (ArtifactMissing, ArtifactInvalid):
                lacking.append(ref.sha256)
        lacking = _still_wanted(settings.database_url, copy, lacking)
        return writer.finish(copy, __version__, revisions()[0], made_at, lacking)


def restore(settings: Settings, path: Path) -> Manifest:
    """Puts what is in the file into the database and the store of these settings, and brings it to this version.

    Raises: BackupError, when the file cannot be used or the database has rows; StoreUnavailable, DBAPIError, OSError.
    After any error the database has no row.
    """
    with container.reading(path) as reader, tempfile.TemporaryDirectory(prefix="awase-") as folder:
        made = reader.manifest
        if made.revision not in revisions():
            raise BackupError(
                f"{path} was made by a newer Awase ({made.version}, schema {made.revision}). Restore it with that version "
                "or a later one."
            )
        copy = Path(folder) / "rows.sqlite"
        reader.database(copy)
        migrate(f"sqlite:///{copy}")
        migrate(settings.database_url)
        engine = migration_engine(settings.database_url)
        try:
            with transaction(engine) as target:
                _refuse_rows(target)
            store = open_store(settings.artifacts_url)
            for content in reader.artifacts():
                store.put(content)
            filled = store.identify()
            with transaction(engine) as target:
                _refuse_rows(target)
                _copy_in(copy, target)
                target.execute(insert(StoreRow).values(identity=filled))
        finally:
            engine.dispose()
        return made


def _copy_out(url: str, path: Path) -> list[ArtifactRef]:
    """All rows into a new SQLite file; the artifacts that they refer to."""
    database = Database(url)
    try:
        with rows.snapshot(database) as source:
            found = rows.revision(source)
            if found != revisions()[0]:
                raise BackupError(
                    f"the database has the schema {found}, this Awase {revisions()[0]}. Make the backup with the version of "
                    "Awase that uses this database, or start this one with it first."
                )
            migrate(f"sqlite:///{path}")
            engine = migration_engine(f"sqlite:///{path}")
            try:
                with transaction(engine) as target:
                    rows.copy(source, target)
            finally:
                engine.dispose()
            known = source.execute(
                select(ArtifactRow.sha256, ArtifactRow.num_bytes)
                .where(ArtifactRow.removed_at.is_(None))
                .order_by(ArtifactRow.sha256)
            )
            return [ArtifactRef(sha256=sha256, num_bytes=num_bytes) for sha256, num_bytes in known]
    finally:
        database.close()


def _still_wanted(url: str, copy: Path, lacking: list[str]) -> list[str]:
    """Of artifacts that the store lacks those that were not removed on purpose since the rows were read; the others are noted as removed
    in the copy, too."""
    if not lacking:
        return []
    database = Database(url)
    try:
        with database.read() as session:
            marked = select(ArtifactRow.sha256, ArtifactRow.removed_at).where(
                ArtifactRow.removed_at.is_not(None)
            )
            removed = {sha256: at for sha256, at in session.execute(marked) if sha256 in set(lacking)}
    finally:
        database.close()
    engine = migration_engine(f"sqlite:///{copy}")
    try:
        with transaction(engine) as target:
            for sha256, at in removed.items():
                target.execute(update(ArtifactRow).where(ArtifactRow.sha256 == sha256).values(removed_at=at))
    finally:
        engine.dispose()
    return [sha256 for sha256 in lacking if sha256 not in removed]


def _copy_in(path: Path, target: Connection) -> None:
    engine = create_engine(f"sqlite:///{path}")
    try:
        with engine.connect() as source:
            rows.copy(source, target)
    finally:
        engine.dispose()


def _refuse_rows(target: Connection) -> None:
    tables = rows.tables_with_rows(target)
    if tables:
        raise BackupError(
            f"the database is not empty: it has rows in {', '.join(tables)}. A backup is restored into an empty one only."
        )
