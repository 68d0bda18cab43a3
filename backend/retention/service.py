"""Removes what nobody needs any more: artifacts, files that no row knows, logs of steps, events.

First the rows say that an artifact is removed, then its file goes: whoever asks in between is told why it is not to be had. A row stays
marked for good, so that a restart can say why it is refused, and so that a call that was killed is finished by the next one: files
are found by listing the store, and what no row wants to keep goes. A file that was put within `SAFE_AGE` is left alone, whatever the
rows say: its step may not have been reported yet. For the same reason no file goes that was put while a step was under
way that is so still: with the coordinator away for days its report waits.

All is looked for while others write, and changed in small parts: one writer at a time is all that SQLite has, and nobody shall wait for
a whole search. What is needed is looked for again before files go: a run may have been restarted meanwhile.
"""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlalchemy.orm import Session

from backend.artifacts import store_repository
from backend.db.session import Database
from backend.retention import repository
from backend.settings import Settings
from worker.artifacts import ArtifactStore

SAFE_AGE = timedelta(days=1)
CLOCKS_DIFFER = timedelta(hours=1)
"""Of the store and the server, at most."""
EVERY = timedelta(days=1)
T = TypeVar("T")
R = TypeVar("R")
_OTHERS_S = 0.01
"""Whoever waits for SQLite's lock looks again only now and then, and would miss the moment between two parts."""


@dataclass(frozen=True, slots=True)
class Freed:
    """
    Attributes:
        artifacts, events, logs: how many were removed. orphans: files that no row knew: of attempts that came to nothing, checkpoints.
        num_bytes: of all files. recent: files that nobody is known to need and that stay for now, as what made them may not be reported yet.
    """

    artifacts: int
    orphans: int
    events: int
    num_bytes: int
    logs: int
    recent: int


class StrangeStore(Exception):
    """The store is not the one of this database. Args: why: the first half of a sentence."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"{why}, so nothing is removed. Check AWASE_ARTIFACTS and DATABASE_URL: a store belongs to one database."
        )


def clean(
    database: Database, store: ArtifactStore, settings: Settings, now: datetime, dry: bool = False
) -> Freed:
    """Does it, or with `dry` only looks.

    Raises: StrangeStore; StoreUnavailable; SQLAlchemyError. Another call goes on from there.
    """
    with database.read() as session:
        noted = store_repository.noted(session)
    if noted is not None and store.identity() != noted:
        raise StrangeStore("the store is not the one that models were put into")
    days = settings.keep_artifacts_days
    ended_before = None if days is None else now - timedelta(days=days)
    removed = _mark(database, ended_before, now, dry)
    artifacts, orphans, num_bytes, recent = _remove_files(database, store, removed, ended_before, now, dry)
    logs = _forget_logs(database, ended_before, dry)
    events = _forget_events(database, settings, now, dry)
    if not dry:
        with database.write() as session:
            repository.note_cleaned(session, now)
    return Freed(artifacts, orphans, events, num_bytes, logs, recent)


def is_due(database: Database, settings: Settings, now: datetime) -> bool:
    """Whether it is to be done by itself, and for a day was not."""
    if settings.keep_artifacts_days is None and settings.keep_events_days is None:
        return False
    with database.read() as session:
        last = repository.last_cleaned(session)
    return last is None or now - last >= EVERY


def _mark(database: Database, ended_before: datetime | None, now: datetime, dry: bool) -> set[str]:
    """Names of artifacts that nobody needs; their rows say so. One that is needed again, as it was made anew, is no longer one."""
    with database.read() as session:
        standing = repository.how_runs_stand(session, ended_before)
        needed = repository.names_of_steps(session, standing).needed
        kept, removed = repository.kept(session), repository.removed(session)
    if dry:
        return (kept | removed) - needed
    _keep_again(database, removed & needed)

    def mark(session: Session, some: Sequence[str]) -> None:
        # Whoever restarts a run has either done so, and is seen before files go, or sees the mark.
        repository.lock(session, standing.pilots)
        repository.mark(session, some, now)

    _write_in_parts(database, sorted(kept - needed), mark)
    return (kept | removed) - needed


def _keep_again(database: Database, names: Collection[str]) -> None:
    _write_in_parts(database, sorted(names), lambda session, some: repository.mark(session, some, None))


def _remove_files(
    database: Database,
    store: ArtifactStore,
    marked: Collection[str],
    ended_before: datetime | None,
    now: datetime,
    dry: bool,
) -> tuple[int, int, int, int]:
    """Artifacts, orphans and bytes that went, and files that stay for their age alone."""
    files = list(store.stored())
    with database.read() as session:
        # First who is under way: who ends in between is then found among the names.
        since = repository.under_way_since(session)
        names = repository.names_of_steps(session, repository.how_runs_stand(session, ended_before))
        kept = repository.kept(session)
    # Since it was marked a run may have been restarted, or a step have made the same anew.
    removed = set(marked) - names.needed
    if not dry:
        _keep_again(database, set(marked) & names.needed)
    keep = (names.known | kept) - removed
    reported_before = datetime.max.replace(tzinfo=UTC) if since is None else since - CLOCKS_DIFFER
    idle = [file for file in files if file.sha256 not in keep]
    old = [file for file in idle if now - file.at >= SAFE_AGE and file.at < reported_before]
    named = {file.sha256 for file in files if file.sha256 is not None}
    if not named & (keep | removed) and any(file.sha256 is not None for file in old):
        raise StrangeStore(f"none of the {len(named)} artifacts in the store is known to this database")
    artifacts = orphans = num_bytes = 0
    for file in old:
        if not dry and not store.discard(file):
            continue
        num_bytes += file.num_bytes
        if file.sha256 in removed:
            artifacts += 1
        else:
            orphans += 1
    return artifacts, orphans, num_bytes, len(idle) - len(old)


def _forget_logs(database: Database, ended_before: datetime | None, dry: bool) -> int:
    with database.read() as session:
        standing = repository.how_runs_stand(session, ended_before)
        steps = repository.old_logs(session, standing)
        if dry:
            return sum(repository.count_logs(session, some) for some in repository.parts(steps))

    def forget(session: Session, some: Sequence[str]) -> int:
        repository.lock(session, standing.pilots)
        still = repository.old_logs(session, repository.how_runs_stand(session, ended_before), some)
        return repository.forget_logs(session, still)

    return sum(_write_in_parts(database, steps, forget))


def _forget_events(database: Database, settings: Settings, now: datetime, dry: bool) -> int:
    if settings.keep_events_days is None:
        return 0
    with database.read() as session:
        old = repository.old_events(session, now - timedelta(days=settings.keep_events_days))
    if dry:
        return len(old)
    return sum(_write_in_parts(database, old, repository.forget_events))


def _write_in_parts(database: Database, all: Sequence[T], do: Callable[[Session, Sequence[T]], R]) -> list[R]:
    """What `do` says of each part, which it changes in a transaction of its own; others get in between."""
    said: list[R] = []
    for some in repository.parts(all):
        with database.write() as session:
            said.append(do(session, some))
        time.sleep(_OTHERS_S)
    return said
