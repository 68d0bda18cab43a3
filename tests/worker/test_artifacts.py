"""What every ArtifactStore must do, run on a directory and on an fsspec file system."""

import hashlib
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import pytest

from dimat.errors import ArtifactInvalid
from worker.artifacts import (
    ArtifactMissing,
    ArtifactStore,
    DirectoryStore,
    FsspecStore,
    StoreUnavailable,
    open_store,
)
from worker.messages.refs import ArtifactRef

CONTENT = b"params of a model" * 100


@pytest.fixture(params=["directory", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    return open_store(
        str(tmp_path / "store") if request.param == "directory" else f"memory://{uuid.uuid4().hex}"
    )


def test_what_was_put_comes_back_under_its_digest(store: ArtifactStore) -> None:
    ref = store.put(CONTENT)
    assert ref == ArtifactRef(sha256=hashlib.sha256(CONTENT).hexdigest(), num_bytes=len(CONTENT))
    assert store.get(ref) == CONTENT


def test_the_same_bytes_twice_are_one_artifact(store: ArtifactStore) -> None:
    assert store.put(CONTENT) == store.put(CONTENT)


def test_what_was_never_put_is_unavailable(store: ArtifactStore) -> None:
    missing = ArtifactRef(sha256="0" * 64, num_bytes=1)
    with pytest.raises(ArtifactMissing, match="0000"):
        store.get(missing)


def test_it_says_what_it_has_without_reading_it(store: ArtifactStore) -> None:
    ref = store.put(CONTENT)
    assert store.has(ref)
    assert not store.has(ref.model_copy(update={"num_bytes": len(CONTENT) - 1}))  # cut off by a full disk
    assert not store.has(ArtifactRef(sha256="0" * 64, num_bytes=1))


def test_what_was_removed_is_gone_and_may_be_removed_again(store: ArtifactStore) -> None:
    ref, other = store.put(CONTENT), store.put(CONTENT + b"other")
    for _ in range(2):
        store.remove(ref)
        assert not store.has(ref)
    assert store.get(other) == CONTENT + b"other"
    assert store.put(CONTENT) == ref
    assert store.get(ref) == CONTENT


def test_it_lists_its_artifacts_and_discards_those_that_nobody_has_put_again(store: ArtifactStore) -> None:
    assert list(store.stored()) == []
    store.identify()  # is none
    ref, again = store.put(CONTENT), store.put(CONTENT + b"other")
    listed = {file.sha256: file for file in store.stored()}
    assert {name: file.num_bytes for name, file in listed.items()} == {
        ref.sha256: ref.num_bytes,
        again.sha256: again.num_bytes,
    }
    time.sleep(0.02)  # a clock of files may be coarse
    store.put(CONTENT + b"other")
    assert [store.discard(listed[name]) for name in (ref.sha256, ref.sha256, again.sha256)] == [
        True,
        False,
        False,
    ]
    assert [file.sha256 for file in store.stored()] == [again.sha256]
    assert store.get(again) == CONTENT + b"other"


def test_changed_bytes_are_refused(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    ref = store.put(CONTENT)
    next(tmp_path.rglob(ref.sha256)).write_bytes(CONTENT[:-1])
    with pytest.raises(ArtifactInvalid):
        store.get(ref)


def test_bytes_that_a_disk_changed_are_mended_when_they_are_put_again(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    ref = store.put(CONTENT)
    next(tmp_path.rglob(ref.sha256)).write_bytes(b"x" + CONTENT[1:])  # as long as before
    assert store.put(CONTENT) == ref
    assert store.get(ref) == CONTENT


def test_changed_bytes_are_refused_on_other_file_systems() -> None:
    name = uuid.uuid4().hex
    store = open_store(f"memory://{name}")
    ref = store.put(CONTENT)
    files = fsspec.filesystem("memory")
    files.pipe_file(f"/{name}/{ref.sha256[:2]}/{ref.sha256}", b"something else")
    with pytest.raises(ArtifactInvalid):
        store.get(ref)
    assert store.put(CONTENT) == ref
    assert store.get(ref) == CONTENT


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    ref = DirectoryStore(tmp_path).put(CONTENT)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [ref.sha256]


def test_nothing_half_written_is_left_by_a_write_that_fails(tmp_path: Path) -> None:
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    (tmp_path / sha256[:2] / sha256).mkdir(parents=True)  # what the file cannot replace
    with pytest.raises(StoreUnavailable):
        DirectoryStore(tmp_path).put(CONTENT)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_store_has_one_identity_whoever_opens_it(tmp_path: Path) -> None:
    name = uuid.uuid4().hex
    at_once = str(tmp_path / "store")
    with ThreadPoolExecutor(8) as pool:  # of a directory the slower ones find what the first has written
        assert len(set(pool.map(lambda _: open_store(at_once).identify(), range(8)))) == 1
    for url in (at_once, f"memory://{name}"):
        assert open_store(url).identify() == open_store(url).identify()
    assert open_store(str(tmp_path / "store")).identify() != open_store(str(tmp_path / "other")).identify()
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["identity"]


@pytest.mark.parametrize("kind", ["directory", "fsspec"])
def test_a_name_that_was_cut_off_is_none_and_one_that_is_no_name_is_that_of_no_store(
    kind: str, tmp_path: Path
) -> None:
    folder = tmp_path / "store"
    store = open_store(str(folder)) if kind == "directory" else FsspecStore(f"file://{folder}")
    given = store.identify()
    (folder / "identity").write_bytes(b"")
    assert store.identity() is None
    assert store.identify() == store.identity() != given
    (folder / "identity").write_bytes("名前".encode())
    assert store.identity() == store.identify() != given
