"""The store of models: immutable bytes named by their sha256, in a directory or at any fsspec URL.

Published to `backend`, so it must never import torch. Bytes appear whole or not at all, and whoever reads
them hashes them again: a store, a disk or a transfer may lie. It does not know what the bytes mean.
"""

import hashlib
import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import fsspec

from dimat.errors import ArtifactInvalid
from worker.messages import ArtifactRef

IDENTITY = "identity"


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
        """Store `content`; the same bytes again change nothing. Raises: StoreUnavailable."""
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

    def identity(self) -> str:
        """A random name, written into the store by whoever asks first: of two stores each has its own.

        Raises: StoreUnavailable.
        """
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
            if path.exists() and path.read_bytes() == content:
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

    def identity(self) -> str:
        path = self.root / IDENTITY
        try:
            if not path.exists():
                self.root.mkdir(parents=True, exist_ok=True)
                temporary = self.root / f".{IDENTITY}.{uuid.uuid4().hex}"
                try:
                    _write_durably(temporary, uuid.uuid4().hex.encode())
                    with suppress(FileExistsError):  # somebody was faster
                        path.hardlink_to(temporary)
                finally:
                    temporary.unlink(missing_ok=True)
            return path.read_text(encoding="ascii")
        except OSError as error:
            raise StoreUnavailable("be identified", error) from error

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
            # A file that was damaged must not stand for ever in the way of the bytes it should hold.
            if self._files.exists(path) and self._files.cat_file(path) == content:
                return ref
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

    def identity(self) -> str:
        path = f"{self._root}/{IDENTITY}"
        try:
            if not self._files.exists(path):
                self._files.makedirs(self._root, exist_ok=True)
                self._files.pipe_file(path, uuid.uuid4().hex.encode())
            found: bytes = self._files.cat_file(path)
        except Exception as error:  # each file system raises its own
            raise StoreUnavailable("be identified", error) from error
        return found.decode("ascii", "replace")

    def _path(self, sha256: str) -> str:
        return f"{self._root}/{sha256[:2]}/{sha256}"


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
