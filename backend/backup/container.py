"""The file of a backup: a tar, so that any tool can look into it and any size fits.

    artifacts/SHA256     every artifact that the rows refer to
    database.sqlite      all rows, on SQLite whatever the database was (`backend.backup.rows`)
    manifest.json        what made it and which schema it has; written last, so a file that lacks it is not whole

Nothing is ever extracted to a path that the file names.
"""

import hashlib
import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from backend.backup.errors import BackupError

FORMAT = 1
_ARTIFACTS, _DATABASE, _MANIFEST = "artifacts/", "database.sqlite", "manifest.json"


class Manifest(BaseModel):
    """`revision`: of the schema (Alembic). `lacking`: digests of artifacts that the store did not have, or had damaged."""

    # What a later version adds must not hide that it is a later one.
    model_config = ConfigDict(frozen=True, extra="ignore")
    format: int = FORMAT
    version: str
    revision: str
    made_at: datetime
    database_sha256: str
    num_artifacts: int
    lacking: list[str]


class Writer:
    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._num_artifacts = 0

    def artifact(self, sha256: str, content: bytes) -> None:
        self._add(_ARTIFACTS + sha256, content)
        self._num_artifacts += 1

    def finish(
        self, database: Path, version: str, revision: str, made_at: datetime, lacking: list[str]
    ) -> Manifest:
        self._tar.add(database, _DATABASE)
        manifest = Manifest(
            version=version, revision=revision, made_at=made_at, database_sha256=_digest(database),
            num_artifacts=self._num_artifacts, lacking=lacking,
        )  # fmt: skip
        self._add(_MANIFEST, manifest.model_dump_json(indent=1).encode())
        return manifest

    def _add(self, name: str, content: bytes) -> None:
        about = tarfile.TarInfo(name)
        about.size, about.mode = len(content), 0o600
        self._tar.addfile(about, io.BytesIO(content))


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """The file appears under its name when the block ends, whole and on the disk; only its owner can read it.

    Raises: BackupError, when there is something of that name. OSError: of `path`, when it cannot be begun.
    """
    _refuse_if_there(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        with os.fdopen(handle, "wb") as file:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
                yield Writer(tar)
            file.flush()
            os.fsync(file.fileno())
        _refuse_if_there(path)
        Path(name).rename(path)
    finally:
        Path(name).unlink(missing_ok=True)


class Reader:
    """A file that is whole, as far as its manifest says."""

    def __init__(self, tar: tarfile.TarFile, path: Path) -> None:
        self._tar, self._path = tar, path
        self._members = {member.name: member for member in tar.getmembers() if member.isfile()}
        self.manifest = self._manifest()
        artifacts = [name for name in self._members if name.startswith(_ARTIFACTS)]
        if len(artifacts) != self.manifest.num_artifacts:
            raise self._damaged()

    def database(self, target: Path) -> None:
        """Copies the rows' file to `target`. Raises: BackupError, when its bytes are not those that were written."""
        with self._open(_DATABASE) as source, target.open("xb") as copy:
            shutil.copyfileobj(source, copy)
        if _digest(target) != self.manifest.database_sha256:
            raise self._damaged()

    def artifacts(self) -> Iterator[bytes]:
        """The bytes of each. Raises: BackupError, when they are not those that were written."""
        for name in self._members:
            if name.startswith(_ARTIFACTS):
                sha256, content = name.removeprefix(_ARTIFACTS), self._open(name).read()
                if hashlib.sha256(content).hexdigest() != sha256:
                    raise self._damaged()
                yield content

    def _manifest(self) -> Manifest:
        try:
            found = Manifest.model_validate_json(self._open(_MANIFEST).read())
        except ValidationError:
            raise self._damaged() from None
        if found.format > FORMAT:
            raise BackupError(
                f"{self._path} was made by a newer Awase ({found.version}). Restore it with that version or a later one."
            )
        return found

    def _open(self, name: str) -> io.BufferedIOBase:
        member = self._members.get(name)
        found = None if member is None else self._tar.extractfile(member)
        if found is None:
            raise self._damaged()
        return found  # type: ignore[return-value]

    def _damaged(self) -> BackupError:
        return BackupError(f"{self._path} is no whole backup of Awase, or it was damaged. Use another one.")


@contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """Raises: BackupError, when it is no backup, is not whole, or is of a newer kind."""
    try:
        with tarfile.open(path, "r:") as tar:
            yield Reader(tar, path)
    except tarfile.TarError:
        raise BackupError(
            f"{path} is no whole backup of Awase, or it was damaged. Use another one."
        ) from None


def _refuse_if_there(path: Path) -> None:
    if os.path.lexists(path):
        raise BackupError(
            f"{path} is there already. A backup replaces nothing: choose another name, or remove it."
        )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
