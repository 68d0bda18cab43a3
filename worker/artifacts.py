"""The store of models: immutable bytes named by their sha256, in a directory or at any fsspec URL.

Published to `backend`, so it must never import torch. Bytes appear whole or not at all, and whoever reads
them hashes them again: a store, a disk or a transfer may lie. It does not know what the bytes mean.
"""

import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import fsspec

from dimat.errors import ArtifactInvalid
from worker.messages.refs import ArtifactRef

IDENTITY = "identity"
_NAME = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Stored:
    """A file of the store. `sha256`: its name; None: left half-written by a process that was killed. `path`: the store's own.
    `at`: since when it has been there, or when the same bytes were last put."""

    sha256: str | None
    path: str
    num_bytes: int
    at: datetime


class StoreUnavailable(Exception):
    """The store cannot be reached or has no such artifact now; another attempt may succeed.

    Attributes:
        reason: a few words for people: what the system said (no space left, permission denied), or the kind of error;
            never a path or a value.
    """

    def __init__(self, what: str, cause: BaseException | str) -> None:
        self.reason = cause if isinstance(cause, str) else _said(cause)
        super().__init__(
            f"The artifact store could not {what}: {self.reason}. Check AWASE_ARTIFACTS and the disk."
        )


class ArtifactMissing(StoreUnavailable):
    """The store is there and this artifact is not: it may be on its way (a shared directory), or somebody removed it.

    Attributes:
        sha256: its name.
    """

    def __init__(self, sha256: str, cause: BaseException) -> None:
        super().__init__(f"read {sha256}", cause)
        self.sha256 = sha256


class ArtifactDamaged(ArtifactInvalid):
    """The store gave other bytes than those of that name.

    Attributes:
        num_bytes: so many it gave.
    """

    def __init__(self, sha256: str, num_bytes: int) -> None:
        super().__init__(sha256=sha256, problem=f"its {num_bytes} bytes have another digest")
        self.num_bytes = num_bytes


def _said(cause: BaseException) -> str:
    if isinstance(cause, OSError) and cause.errno is not None:
        return os.strerror(cause.errno)
    return type(cause).__name__


class ArtifactStore(Protocol):
    """A port: what steps and server need of a store."""

    def put(self, content: bytes) -> ArtifactRef:
        """Store `content`; the same bytes again change nothing but the time since when they are there. Raises: StoreUnavailable."""
        ...

    def get(self, ref: ArtifactRef) -> bytes:
        """The bytes of `ref`. Raises: StoreUnavailable, ArtifactMissing; ArtifactDamaged if they are not those bytes."""
        ...

    def has(self, ref: ArtifactRef) -> bool:
        """Whether there are bytes of that name and length; nobody reads them. Raises: StoreUnavailable."""
        ...

    def remove(self, ref: ArtifactRef) -> None:
        """Its bytes are gone, if they were there. Only for what nobody else may read (checkpoints). Raises: StoreUnavailable."""
        ...

    def stored(self) -> Iterator[Stored]:
        """All that is in it, in no order; what is not the store's own is left out. Raises: StoreUnavailable."""
        ...

    def discard(self, file: Stored) -> bool:
        """Removes a file that nobody needs, unless its bytes were put again since `stored` told of it; whether it is gone.

        Raises: StoreUnavailable.
        """
        ...

    def identity(self) -> str | None:
        """Its random name, of two stores each has its own; None: it has none yet. Raises: StoreUnavailable."""
        ...

    def identify(self) -> str:
        """Its name, and gives it one if it has none. Raises: StoreUnavailable."""
        ...


def open_store(url: str) -> ArtifactStore:
    """The store at a directory, or at an fsspec URL such as `s3://bucket/prefix` or `memory://name`."""
    if "://" in url and not url.startswith("file://"):
        return FsspecStore(url)
    return DirectoryStore(Path(url.removeprefix("file://")))


class DirectoryStore:
    """A directory, two levels by the first hex digits so that listings stay short."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, content: bytes) -> ArtifactRef:
        ref = _ref(content)
        path = self._path(ref.sha256)
        temporary = path.with_name(f".{ref.sha256}.{uuid.uuid4().hex}")
        try:
            # A file that a disk damaged must not stand for ever in the way of the bytes it should hold.
            if _renewed(path, content):
                return ref
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                _write_durably(temporary, content)
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"write {ref.sha256}", error) from error
        return ref

    def get(self, ref: ArtifactRef) -> bytes:
        try:
            content = self._path(ref.sha256).read_bytes()
        except FileNotFoundError as error:
            raise ArtifactMissing(ref.sha256, error) from error
        except OSError as error:
            raise StoreUnavailable(f"read {ref.sha256}", error) from error
        return _checked(content, ref)

    def has(self, ref: ArtifactRef) -> bool:
        try:
            return self._path(ref.sha256).stat().st_size == ref.num_bytes
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreUnavailable(f"look for {ref.sha256}", error) from error

    def remove(self, ref: ArtifactRef) -> None:
        try:
            self._path(ref.sha256).unlink(missing_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"remove {ref.sha256}", error) from error

    def stored(self) -> Iterator[Stored]:
        try:
            for path in self.root.glob("[0-9a-f][0-9a-f]/*"):
                known = path.name if _NAME.fullmatch(path.name) else None
                if known is None and not _NAME.match(path.name.removeprefix(".")):
                    continue
                with suppress(FileNotFoundError):  # removed meanwhile
                    found = path.stat()
                    at = datetime.fromtimestamp(found.st_mtime, UTC)
                    yield Stored(known, str(path), found.st_size, at)
        except OSError as error:
            raise StoreUnavailable("be listed", error) from error

    def discard(self, file: Stored) -> bool:
        path = Path(file.path)
        # Out of the way first: whoever puts the same bytes from now on writes them anew.
        aside = path.with_name(f".{path.name.removeprefix('.')[:64]}.{uuid.uuid4().hex}")
        try:
            path.rename(aside)
            if datetime.fromtimestamp(aside.stat().st_mtime, UTC) > file.at:
                aside.rename(path)
                return False
            aside.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreUnavailable(f"remove {path.name}", error) from error
        return True

    def identity(self) -> str | None:
        try:
            return _name_in((self.root / IDENTITY).read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreUnavailable("be identified", error) from error

    def identify(self) -> str:
        if (known := self.identity()) is not None:
            return known
        path, temporary = self.root / IDENTITY, self.root / f".{IDENTITY}.{uuid.uuid4().hex}"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            try:
                _write_durably(temporary, uuid.uuid4().hex.encode())
                try:
                    path.hardlink_to(temporary)
                except FileExistsError:
                    if self.identity() is None:  # whoever made it was cut off; else somebody was faster
                        temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            raise StoreUnavailable("be identified", error) from error
        return _given(self.identity())

    def _path(self, sha256: str) -> Path:
        return self.root / sha256[:2] / sha256


class FsspecStore:
    """Any file system that fsspec knows; object stores write whole objects, others by a move."""

    def __init__(self, url: str) -> None:
        self._files: Any
        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except Exception as error:  # an unknown protocol, a missing driver, a bad address
            raise StoreUnavailable(f"open {url.split('://', 1)[0]}://", error) from error

    def put(self, content: bytes) -> ArtifactRef:
        ref = _ref(content)
        path = self._path(ref.sha256)
        temporary = f"{self._root}/tmp/{ref.sha256}.{uuid.uuid4().hex}"
        try:
            # Also where it is there: it may be damaged, and it is needed anew from now on.
            self._files.makedirs(f"{self._root}/tmp", exist_ok=True)
            self._files.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
            self._files.pipe_file(temporary, content)
            self._files.mv(temporary, path)
        except Exception as error:  # each file system raises its own
            raise StoreUnavailable(f"write {ref.sha256}", error) from error
        return ref

    def get(self, ref: ArtifactRef) -> bytes:
        try:
            content: bytes = self._files.cat_file(self._path(ref.sha256))
        except FileNotFoundError as error:
            raise ArtifactMissing(ref.sha256, error) from error
        except Exception as error:  # each file system raises its own
            raise StoreUnavailable(f"read {ref.sha256}", error) from error
        return _checked(content, ref)

    def has(self, ref: ArtifactRef) -> bool:
        try:
            return bool(self._files.size(self._path(ref.sha256)) == ref.num_bytes)
        except FileNotFoundError:
            return False
        except Exception as error:  # each file system raises its own
            raise StoreUnavailable(f"look for {ref.sha256}", error) from error

    def remove(self, ref: ArtifactRef) -> None:
        try:
            self._files.rm_file(self._path(ref.sha256))
        except FileNotFoundError:
            return
        except Exception as error:  # each file system raises its own
            raise StoreUnavailable(f"remove {ref.sha256}", error) from error

    def stored(self) -> Iterator[Stored]:
        try:
            self._files.invalidate_cache()
            for path, about in self._files.find(self._root, detail=True).items():
                folder, _, name = path.removeprefix(f"{self._root}/").rpartition("/")
                is_known = _NAME.fullmatch(name) is not None and folder == name[:2]
                if is_known or (folder == "tmp" and _NAME.match(name)):
                    yield Stored(name if is_known else None, path, int(about["size"]), self._at(path))
        except Exception as error:  # each file system raises its own
            raise StoreUnavailable("be listed", error) from error

    def discard(self, file: Stored) -> bool:
        try:
            if self._at(file.path) > file.at:
                return False
            self._files.rm_file(file.path)
        except FileNotFoundError:
            return False
        except Exception as error:  # each file system raises its own
            raise StoreUnavailable(f"remove {file.path.rsplit('/', 1)[-1]}", error) from error
        return True

    def _at(self, path: str) -> datetime:
        found: datetime = self._files.modified(path)
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)

    def identity(self) -> str | None:
        try:
            return _name_in(self._files.cat_file(f"{self._root}/{IDENTITY}"))
        except FileNotFoundError:
            return None
        except Exception as error:  # each file system raises its own
            raise StoreUnavailable("be identified", error) from error

    def identify(self) -> str:
        if (known := self.identity()) is not None:
            return known
        try:
            self._files.makedirs(self._root, exist_ok=True)
            self._files.pipe_file(f"{self._root}/{IDENTITY}", uuid.uuid4().hex.encode())
        except Exception as error:
            raise StoreUnavailable("be identified", error) from error
        return _given(self.identity())

    def _path(self, sha256: str) -> str:
        return f"{self._root}/{sha256[:2]}/{sha256}"


def _name_in(content: bytes) -> str | None:
    """None: the file is empty, as its writer was cut off. What nobody of us wrote is a name that no store has."""
    return content.decode("ascii", "replace").strip() or None


def _given(name: str | None) -> str:
    if name is None:
        raise StoreUnavailable("be identified", "its name could not be read back")
    return name


def _renewed(path: Path, content: bytes) -> bool:
    """Whether the file is there and whole; from now on it is as one just written."""
    try:
        if path.read_bytes() != content:
            return False
        os.utime(path)
    except (FileNotFoundError, IsADirectoryError):
        return False
    return True


def _write_durably(path: Path, content: bytes) -> None:
    """After this returns the bytes survive a power cut (the rename that follows may not: then the step,
    whose report comes later still, is simply tried again)."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _ref(content: bytes) -> ArtifactRef:
    return ArtifactRef(sha256=hashlib.sha256(content).hexdigest(), num_bytes=len(content))


def _checked(content: bytes, ref: ArtifactRef) -> bytes:
    if _ref(content) != ref:
        raise ArtifactDamaged(ref.sha256, len(content))
    return content
