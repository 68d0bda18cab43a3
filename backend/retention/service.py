"""Removes what nobody needs any more: artifacts, files that no row knows, events.

First the rows say that an artifact is removed, then its file goes: whoever asks in between is told why it is not to be had. A row stays
marked for good, so that a restart can say why it is refused, and so that a call that was killed is finished by the next one: files
are found by listing the store, and what no row wants to keep goes. A file that was put within `SAFE_AGE` is left alone, whatever the
rows say: its step may not have been reported yet.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from backend.db.session import Database
from backend.retention import repository
from backend.settings import Settings
from worker.artifacts import ArtifactStore

SAFE_AGE = timedelta(days=1)
EVERY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Freed:
    """
    Attributes:
        artifacts, events: how many were removed. orphans: files that no row knew: of attempts that came to nothing, checkpoints.
        num_bytes: of all files.
    """

    artifacts: int
    orphans: int
    events: int
    num_bytes: int


class StrangeStore(Exception):
    """The store holds artifacts, and none of them is known to this database."""

    def __init__(self, num_files: int) -> None:
        super().__init__(
            f"none of the {num_files} artifacts in the store is known to this database, so nothing is removed. Check AWASE_ARTIFACTS and "
            "DATABASE_URL: a store belongs to one database."
        )


def clean(
    database: Database, store: ArtifactStore, settings: Settings, now: datetime, dry: bool = False
) -> Freed:
    """Does it, or with `dry` only looks.

    Raises: StrangeStore; StoreUnavailable; SQLAlchemyError. Another call goes on from there.
    """
    removed = _mark(database, settings, now, dry)
    artifacts, orphans, num_bytes = _remove_files(database, store, removed, now, dry)
    events = _forget_events(database, settings, now, dry)
    if not dry:
        with database.write() as session:
            repository.note_cleaned(session, now)
    return Freed(artifacts, orphans, events, num_bytes)


def is_due(database: Database, settings: Settings, now: datetime) -> bool:
    """Whether it is to be done by itself, and for a day was not."""
    if settings.keep_artifacts_days is None and settings.keep_events_days is None:
        return False
    with database.read() as session:
        last = repository.last_cleaned(session)
    return last is None or now - last >= EVERY


def _mark(database: Database, settings: Settings, now: datetime, dry: bool) -> set[str]:
    """Names of artifacts that nobody needs; their rows say so. One that is needed again, as it was made anew, is no longer one."""
    days = settings.keep_artifacts_days
    ended_before = None if days is None else now - timedelta(days=days)
    with database.read() as session:
        needed, kept = repository.needed(session, ended_before), repository.kept(session)
        removed = repository.removed(session)
        pilots = repository.pilots_cleaned(session, ended_before)
    if dry or (kept <= needed and not removed & needed):
        return (kept | removed) - needed
    with database.write() as session:
        # Looked at again while nobody can restart what is marked now.
        repository.lock(session, pilots)
        needed, kept = repository.needed(session, ended_before), repository.kept(session)
        repository.mark(session, removed & needed, None)
        repository.mark(session, kept - needed, now)
        return (kept | removed) - needed


def _remove_files(
    database: Database, store: ArtifactStore, removed: Collection[str], now: datetime, dry: bool
) -> tuple[int, int, int]:
    """Artifacts, orphans and bytes that went."""
    files = list(store.stored())
    with database.read() as session:
        keep = (repository.needed(session, None) | repository.kept(session)) - set(removed)
    old = [file for file in files if file.sha256 not in keep and now - file.at >= SAFE_AGE]
    named = {file.sha256 for file in files if file.sha256 is not None}
    if not named & (keep | set(removed)) and any(file.sha256 is not None for file in old):
        raise StrangeStore(len(named))
    artifacts = orphans = num_bytes = 0
    for file in old:
        if not dry and not store.discard(file):
            continue
        num_bytes += file.num_bytes
        if file.sha256 in removed:
            artifacts += 1
        else:
            orphans += 1
    return artifacts, orphans, num_bytes


def _forget_events(database: Database, settings: Settings, now: datetime, dry: bool) -> int:
    if settings.keep_events_days is None:
        return 0
    before = now - timedelta(days=settings.keep_events_days)
    if dry:
        with database.read() as session:
            return repository.old_events(session, before, forget=False)
    with database.write() as session:
        return repository.old_events(session, before, forget=True)
