"""`awase backup FILE` and `awase restore FILE`: what people are told, and that nothing that is there gets lost."""

import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from backend.backup import service
from backend.backup.container import Manifest
from backend.backup.errors import BackupError
from backend.cli.local import fail, told_plainly
from backend.cli.people import must_be_there
from backend.settings import Settings
from backend.supervisor.place import hold
from worker.artifacts import StoreUnavailable

_LOCK = "lock"


def backup(settings: Settings, file: Path) -> int:
    """0: all of it is in the file; 1 with the file: artifacts that the store has lost are not; 1 without: one line why."""
    must_be_there(settings)
    made = _do(settings, service.backup, file)
    print(
        f"{file}: {file.stat().st_size / 1e6:.1f} MB, all rows and {made.num_artifacts} artifacts. "
        "It holds models and hashed tokens: keep it as safe as the server."
    )
    if made.lacking:
        print(
            f"awase: {len(made.lacking)} artifacts are not in it: the store has lost or damaged them, first "
            f"{made.lacking[0]}. Runs that need them cannot go on from this backup.",
            file=sys.stderr,
        )
    return 1 if made.lacking else 0


def restore(settings: Settings, file: Path) -> int:
    """Into an empty data directory and an empty database, or not at all."""
    if not file.is_file():
        fail(f"there is no file {file}.")
    place = settings.data_dir
    was_there = place.exists()
    _refuse_files(place)
    with told_plainly(settings), hold(place):
        _refuse_files(place)
        try:
            made = _do(settings, service.restore, file)
        except BaseException:
            _empty(place)  # it was empty: all in it is of this attempt
            if not was_there:
                shutil.rmtree(place, ignore_errors=True)
            raise
    print(
        f"Restored what Awase {made.version} had at {made.made_at:%Y-%m-%d %H:%M} UTC: {made.num_artifacts} artifacts."
    )
    print(
        "Runs go on as soon as it is started. The Awase that the backup was made of must not go on with them, too.\n"
        f"Start it: ./awase up --data-dir {shlex.quote(str(place.absolute()))}   Everybody signs in anew."
    )
    return 0


def _do(settings: Settings, work: Callable[[Settings, Path], Manifest], file: Path) -> Manifest:
    with told_plainly(settings):
        try:
            return work(settings, file)
        except (BackupError, StoreUnavailable) as error:
            fail(str(error))


def _refuse_files(place: Path) -> None:
    found = next((path for path in sorted(place.rglob("*")) if path.is_file() and path.name != _LOCK), None)
    if found is not None:
        fail(
            f"the data directory {place} is not empty: it has {found.relative_to(place)}. A backup is restored into an "
            "empty one only. Name another with --data-dir."
        )


def _empty(place: Path) -> None:
    for path in place.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != _LOCK:
            path.unlink(missing_ok=True)
